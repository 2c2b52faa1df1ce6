"""Fokker–Planck solvers beside fplanck and py-pde: seconds on equal grids, and to equal error.

The reference is spectral, with Fourier series in space and a Runge–Kutta method of order eight in time, and uses
nothing of this package.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from benchmarks.density import DIFFUSION, SIZE, TIMES, FloatArray, drift, moments, start, width
from benchmarks.processes import Found, run_apart, tell

PEERS = ("fplanck", "py-pde")
MODES = 48
"""Modes of the reference along an axis; those beyond hold exp(-25) of the initial density, and less of the law."""
LONG = 30.0
"""Time at which the law is stationary; the slowest part decays as exp(-0.75 t)."""

ORDER = 1.5
"""Lowest order at which the errors of a correct scheme of second order fall."""
TARGETS = (1e-3, 1e-4, 1e-5, 1e-6)
"""Errors to reach; the standard deviations of the law are 0.16."""


def reference() -> dict[str, FloatArray]:
    """Return the moments of the laws, (1, 5) and (T, 5), to about 1e-9."""
    points = width(MODES) * np.arange(MODES) - SIZE
    x, y = np.meshgrid(points, points, indexing="ij")
    u, v = drift(x, y)
    k = 2.0 * np.pi * np.fft.fftfreq(MODES, width(MODES))[:, None]
    q = 2.0 * np.pi * np.fft.rfftfreq(MODES, width(MODES))[None]
    decay = DIFFUSION * (k * k + q * q)

    def rate(_: float, flat: FloatArray) -> Any:
        p = flat.reshape(x.shape)
        transform = np.fft.rfft2
        change = -1j * k * transform(u * p) - 1j * q * transform(v * p) - decay * transform(p)
        return np.fft.irfft2(change, x.shape).ravel()

    p = start(x, y).ravel()
    times = (*TIMES, LONG)
    found = solve_ivp(rate, (0.0, LONG), p / p.sum(), "DOP853", times, rtol=1e-9, atol=1e-12)
    laws = np.array([moments(law.reshape(x.shape), x, y) for law in found.y.T])
    return {"stationary": laws[-1:], "in time": laws[:-1]}


def judged(solver: str, rows: list[Found], truth: dict[str, FloatArray]) -> list[Found]:
    """Return the rows with the largest errors of a mean and of a (co)variance instead of the moments.

    A way of solving is right if on its finest grid they are below the square of a cell's width. If drift outweighs
    diffusion in a cell, it is right if they fell nearly with the second order from the grid before, which those of a
    wrong equation do not.
    """
    found, by_way = [], {}
    for row in rows:
        off = np.abs(np.array(row["moments"]) - truth[row["problem"]])
        errors = [float(np.nan_to_num(part, nan=np.inf).max()) for part in (off[:, :2], off[:, 2:])]
        kept = {key: value for key, value in row.items() if key != "moments"}
        found.append({"solver": solver} | kept | {"error": errors})
        by_way.setdefault((row["problem"], row["way"]), []).append(found[-1])
    for way in by_way.values():
        *_, before, last = [None, *way]
        right = max(last["error"]) < width(last["cells"]) ** 2
        if not right and before is not None:
            fell = width(last["cells"]) / width(before["cells"])
            right = max(last["error"]) < fell**ORDER * max(before["error"])
        for row in way:
            row["right"] = right
    return found


def to_error(rows: list[Found]) -> list[Found]:
    """Return the seconds of the fastest way of each solver with errors of mean and covariance below each target."""
    found = []
    for problem in dict.fromkeys(row["problem"] for row in rows):
        for target in TARGETS:
            able = [r for r in rows if r["right"] and r["problem"] == problem and max(r["error"]) <= target]
            best: Found = {}
            for row in sorted(able, key=lambda row: row["seconds"]):
                best.setdefault(row["solver"], {key: row[key] for key in ("way", "cells", "seconds", "first_call")})
            found.append({"problem": problem, "target": target, "solvers": best})
    return found


def report(quick: bool, peers: list[str]) -> Found:
    """Run all installed solvers; "NAME=PYTHON" names the interpreter of an environment that has one."""
    answers: dict[str, Found] = {}
    missing: Found = {}
    for entry in ("ours", *peers):
        name, _, python = entry.partition("=")
        tell(name)
        module = f"peers.density_{name.replace('-', '_')}"
        answer = run_apart(module, quick, **({"python": python} if python else {}))
        if "report" in answer:
            answers[name] = answer["report"]
        else:
            missing[name] = answer
    tell("reference")
    truth = reference()
    rows = [row for name, answer in answers.items() for row in judged(name, answer["rows"], truth)]
    return {
        "versions": {name: answer["versions"] for name, answer in answers.items()},
        "missing": missing,
        "rows": rows,
        "to_error": to_error(rows),
    }
