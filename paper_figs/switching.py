"""Switching times of a bistable memory: its latent variable, a chain of one dimension, says when noise erases it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.special import ndtri

import ctrnn_theory as ct
from paper_figs.style import TWO_COLUMNS, figure, letters, simulated, styled

WEIGHT, GAMMA = 2.0, 0.1
NOISES = {24: (1.05, 1.08), 64: (1.18, 1.2), 256: (1.26, 1.27), 1024: (1.302, 1.308)}
"""Noise that is simulated, by the number of neurons: switches are then rare, but not too rare."""
SIZES = {1.05: (16, 24), 1.15: (40, 48), 1.22: (100, 128), 1.27: (200, 320)}
"""Numbers of neurons that are simulated, by the noise."""
QUICK = 64
"""Most neurons of a quick figure."""
COLOURS = ("#56B4E9", "#009E73", "#D55E00", "#332288")
WORK = {True: 2e8, False: 5e9}
"""Neurons times steps of a simulation of a quick figure, and of a full one."""
MOST = 1e12  # steps at which the axis ends
CORE = 0.8  # part of the way from zero to the value on the other side, at which it has been reached
TOGETHER, EVERY, RECORDS = 64, 10, 100  # trajectories, steps between records, and records at a time


def memory(n: int, rank: int = 1) -> tuple[ct.CTRNN, np.ndarray]:
    """Return a network that remembers one of two values, and its decoder (n,).

    Encoders are normal. A second latent variable, if there is one, is not remembered and disturbs the first.
    """
    E = ndtri((np.arange(n) + 0.5) / n)[:, None]
    if rank == 2:
        E = np.concatenate([E, np.random.default_rng(0).permutation(E)], axis=1)
    D = np.array([WEIGHT, 0.5 * WEIGHT])[:rank] * E / n
    return ct.CTRNN(E @ D.T, 0.0, "tanh", GAMMA), D[:, 0]


class Switches(NamedTuple):
    """Switches that were counted."""

    time: float
    """Mean number of steps between them."""
    error: float
    """Its standard error."""


def count(net: ct.CTRNN, noise: ct.Noise, D: np.ndarray, state: np.ndarray, steps: float, seed: int = 0) -> Switches:
    """Simulate trajectories from a remembered state and its mirror image for so many steps in all.

    A trajectory has switched when its latent variable has reached most of the value on the other side.
    """
    side = np.where(np.arange(TOGETHER) % 2, 1.0, -1.0)
    h, place = side[:, None] * state, abs(float(D @ state))
    side = side * np.sign(D @ state)
    switches, taken = 0, 0
    while taken < steps:
        path = ct.simulate(
            net, noise, None, EVERY * RECORDS, TOGETHER, EVERY, start=h, rng=1_000_000 * seed + taken, workers=1
        )
        h = path.h[-1]
        for x in path.h[1:] @ D:
            crossed = side * x < -CORE * place
            switches += int(crossed.sum())
            side = np.where(crossed, -side, side)
        taken += EVERY * RECORDS * TOGETHER
    return Switches(taken / max(switches, 1), taken / max(switches, 1) ** 1.5)


def predicted(places: list[tuple[int, float]]) -> dict[tuple[int, float], ct.EscapeTimes]:
    """Return the times by the chain of the latent variable at numbers of neurons and noises, where there are any.

    There are none where they are too long for double precision, and where there is one basin.
    """
    found = {}
    for n, sigma in places:
        try:
            escape = ct.escape_times(memory(n)[0], ct.Noise(inside=sigma), method="latent")
        except ct.NotApplicable:
            continue
        if len(escape.basins) == 2 and escape.converged:
            found[n, sigma] = escape
    return found


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute switching times against the number of neurons at some levels of noise, and against the noise."""
    most, data, rows = QUICK if quick else max(NOISES), {}, []
    lines: dict[str, list[tuple[int, float]]] = {}
    for sigma, sizes in SIZES.items():
        around = np.geomspace(0.6 * sizes[0], 2.5 * sizes[-1], 4 if quick else 9).astype(int)
        lines[f"noise/{sigma:g}"] = [(int(n), sigma) for n in sorted({*sizes, *around}) if n <= most]
    for n, noises in NOISES.items():
        around = noises[0] + np.linspace(-0.12, 0.05, 4 if quick else 9) * np.sqrt(24 / n)
        lines[f"neurons/{n}"] = [(n, float(sigma)) for sigma in sorted({*noises, *around}) if n <= most]
    for name, places in lines.items():
        found = predicted(places)
        data[f"{name}/at"] = np.array([place["noise/" not in name] for place in found], float)
        data[f"{name}/time"] = np.array([escape.time[0] for escape in found.values()])
        for (n, sigma), escape in found.items():
            if n in SIZES.get(sigma, ()) or sigma in NOISES.get(n, ()):
                net, D = memory(n)
                seen = count(net, ct.Noise(inside=sigma), D, escape.basins[0].state, WORK[quick] / n, len(rows))
                rows.append([n, sigma, escape.time[0], escape.error[0], escape.separation, *seen])
    return data | {"simulated": np.array(rows)}


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the largest distance of simulated from predicted times, and their median ratio.

    The distance is in units of what it may be at most: five standard errors, the stated error, and three times the
    inverse of the separation, to which a rate is defined.
    """
    _, _, time, stated, separation, seen, error = data["simulated"].T
    allowed = 5.0 * error + stated + 3.0 / separation * time
    return {
        "points": float(len(time)),
        "largest gap": float(np.max(np.abs(seen - time) / allowed)),
        "ratio": float(np.median(seen / time)),
        "error": float(np.median(error / seen)),
        "longest": float(max(data[name].max() for name in data if name.endswith("/time") and data[name].size)),
    }


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw switching times against the number of neurons and against the noise."""
    made, (left, right) = figure(TWO_COLUMNS, 2.7, 1, 2, sharey=True)
    for ax, kind, values in ((left, "noise", SIZES), (right, "neurons", NOISES)):
        for value, colour in zip(values, COLOURS, strict=True):
            name, column = f"{kind}/{value:g}", int(kind == "noise")
            if not data.get(f"{name}/at", np.empty(0)).size:
                continue
            label = rf"$\sigma$ = {value:g}" if kind == "noise" else f"{value} neurons"
            ax.plot(data[f"{name}/at"], data[f"{name}/time"], color=colour, label=label)
            here = data["simulated"][data["simulated"][:, column] == value]
            simulated(ax, here[:, 1 - column], here[:, 5], here[:, 6], colour)
        ax.set_yscale("log")
        ax.set_ylim(1e2, MOST)
        ax.legend(loc="upper left" if kind == "noise" else "lower left", fontsize="small")
    left.set_xscale("log")
    left.set_xlabel("number of neurons N")
    right.set_xlabel(r"noise $\sigma$, per step")
    left.set_ylabel("steps until a switch")
    letters([left, right])
    return made
