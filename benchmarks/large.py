"""Networks of 64 to 1000 neurons by every method: ``python -m benchmarks.large [--write]``.

The networks are random, with a spectral radius of about 0.8, γ = 0.1 and noise inside of 0.5. Each is measured twice,
in a process of its own with the threads of BLAS that a user has: alone, and while other processes keep every core busy.
A cell of the table has the seconds alone, and in brackets how many times as long the simulation takes (÷), and how many
times as long the method takes on the busy machine (×). The simulation goes to a standard error of 1e-4 on one thread.
All sizes take about ten minutes; no other program should run.

With ``--write`` the numbers are kept in ``benchmarks/large.json``, from which ``python -m docs.generate`` makes the
table of docs/large_networks.md.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.processes import Found, cores
from benchmarks.ratios import line, titles

SIZES = (64, 128, 256, 512, 1000)
ACTIVATIONS = ("relu", "tanh", "softplus")
METHODS = ("simulation", "deterministic", "mean_field", "small_noise", "gaussian_closure", "cumulant_closure")
SEARCH = "fixed points"
"""The search for all fixed points, which is measured beside the methods."""
SIGMA, GAMMA, RADIUS, TARGET = 0.5, 0.1, 0.8, 1e-4
LONGEST = 200.0
"""Seconds that a method may take for a size, estimated from the size before; otherwise it is left out."""
ENOUGH, REPEATS = 3.0, 5
"""Seconds after which a call is not repeated, and largest number of calls, of which the fastest counts."""
CLOSE = 0.01
"""Largest difference between the closure and the simulation, over the largest bias: beyond, its result is wrong."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def network(n: int, activation: str) -> Any:
    """Return a random network."""
    import ctrnn_theory as ct

    rng = np.random.default_rng(n)
    W = RADIUS * rng.standard_normal((n, n)) / np.sqrt(n)
    return ct.CTRNN(W, 0.5 * rng.standard_normal(n), activation, GAMMA)


def calls(n: int, activation: str) -> dict[str, Callable[[], Any]]:
    """Return what is measured, by name; a method that does not apply to so many neurons raises NotApplicable."""
    import ctrnn_theory as ct

    net, noise = network(n, activation), ct.Noise(inside=SIGMA)
    options: dict[str, Any] = {"simulation": {"target_se": TARGET, "max_steps": 10**9, "workers": 1}}

    def one(method: str) -> Callable[[], Any]:
        return lambda: ct.predict(net, noise, method=method, **options.get(method, {}))

    return {method: one(method) for method in METHODS} | {SEARCH: lambda: ct.fixed_points(net)}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of the fastest of some calls, and its result."""
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH:
        begin = perf_counter()
        found = call()
        seconds.append(perf_counter() - begin)
    return min(seconds), found


def right(laws: dict[str, Any]) -> dict[str, bool]:
    """Return whether each law has converged, and the closure is close to the simulation."""
    good = {name: law.converged for name, law in laws.items()}
    if {"simulation", "gaussian_closure", "deterministic"} <= set(laws):
        truth, closure = laws["simulation"], laws["gaussian_closure"]
        bias = np.max(np.abs(truth.mean - laws["deterministic"].mean))
        off = np.max(np.abs(closure.mean - truth.mean) - 5.0 * truth.standard_error)
        good["gaussian_closure"] &= bool(off <= CLOSE * bias)
    return good


def measured(n: int, activation: str, left_out: list[str]) -> dict[str, Found]:
    """Return the seconds of each method for one network, and whether its result is right."""
    from ctrnn_theory import NotApplicable

    for call in calls(16, activation).values():
        call()  # compiles
    seconds, laws = {}, {}
    for name, call in calls(n, activation).items():
        if name not in left_out:
            try:
                seconds[name], laws[name] = timed(call)
            except NotApplicable:
                continue
    laws.pop(SEARCH, None)
    good = right(laws)
    return {name: {"seconds": time, "right": good.get(name, True)} for name, time in seconds.items()}


def _spin() -> None:
    while True:
        pass


@contextmanager
def load(count: int) -> Iterator[None]:
    """Keep so many cores busy with processes that do nothing else."""
    busy = [get_context("spawn").Process(target=_spin, daemon=True) for _ in range(count)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.terminate()
            process.join()


def apart(*arguments: Any) -> dict[str, Found]:
    """Call `measured` in a new process."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, arguments)


def report(sizes: list[int], activations: list[str], show: Callable[[str], None]) -> list[Found]:
    """Measure all networks, and return a row for each."""
    rows: list[Found] = []
    for activation in activations:
        left_out: list[str] = []
        for i, n in enumerate(sizes):
            show(f"{activation}, N = {n}")
            alone = apart(n, activation, left_out)
            with load(cores()):
                busy = apart(n, activation, left_out)
            rows.append({"activation": activation, "n": n, "alone": alone, "busy": busy})
            growth = (sizes[i + 1] / n) ** 2.5 if i + 1 < len(sizes) else 1.0
            left_out += [name for name, found in alone.items() if found["seconds"] * growth > LONGEST]
    return rows


def number(value: float) -> str:
    """Return a number with two digits, without an exponent."""
    places = max(0, 1 - math.floor(math.log10(value))) if value > 0.0 else 0
    return f"{value:.{places}f}"


def cell(row: Found, name: str) -> str:
    """Return the seconds of a method, its ratio to the simulation, and that of the busy machine to the idle one."""
    if name not in row["alone"]:
        return "–"
    alone, busy = row["alone"][name], row["busy"][name]
    simulation = row["alone"].get("simulation")
    ratios = [f"÷{number(simulation['seconds'] / alone['seconds'])}"] if simulation and name != "simulation" else []
    ratios.append(f"×{number(busy['seconds'] / alone['seconds'])}")
    mark = "" if alone["right"] and busy["right"] else " wrong"
    return f"{number(alone['seconds'])} ({', '.join(ratios)}){mark}"


def markdown(rows: list[Found]) -> str:
    """Return the table in Markdown."""
    names = (*METHODS, SEARCH)
    return "\n".join(
        [
            *titles("seconds", *(name.replace("_", " ") for name in names)),
            *(line(f"{row['activation']}, N = {row['n']}", *(cell(row, name) for name in names)) for row in rows),
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the table or JSON."""
    from rich.console import Console

    from benchmarks.__main__ import machine
    from benchmarks.kept import keep

    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=list(SIZES))
    parser.add_argument("--activations", type=lambda text: text.split(","), default=list(ACTIVATIONS))
    parser.add_argument("--write", action="store_true", help="keep the numbers in benchmarks/large.json")
    chosen = parser.parse_args(arguments)
    for name in THREADS:  # a user has none of them
        os.environ.pop(name, None)
    rows = report(chosen.sizes, chosen.activations, Console(stderr=True, highlight=False).print)
    found = {"machine": machine(), "rows": rows}
    if chosen.write:
        keep("large", found)
    else:
        print(markdown(rows))


if __name__ == "__main__":
    main()
