"""The chain of latent variables beside simulation: ``python -m benchmarks.latent [--quick]``.

The first table is of networks of one attractor. Its columns are the largest errors over neurons of the mean and of the
standard deviation, in standard deviations, with and without Edgeworth's correction, against a simulation; the largest
standard errors of that simulation; and seconds of processor time: of the latent law, and of a simulation whose standard
error is the error of the mean.

The second table is of switching times of a memory of two values, in steps: by the chain, with and without the
correction, by counting in a simulation, with its standard error, and seconds: of the chain, and of a simulation that
has a standard error of 5 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console

import ctrnn_theory as ct
from benchmarks.tables import table
from ctrnn_theory.escape import by_spectrum
from paper_figs.switching import count, memory
from tests.low_rank import made

SIZES = ((24, 1), (64, 1), (256, 1), (1024, 1), (256, 2))
NOISE = {
    (24, 1): (1.1, 1.05, 1.02),
    (64, 1): (1.2, 1.16),
    (256, 1): (1.27, 1.25),
    (1024, 1): (1.308, 1.302),
    (256, 2): (1.27,),
}
"""Noise under which a memory switches, by the number of neurons and of latent variables."""
STATIONARY, SWITCHES = {True: 2e7, False: 2e9}, {True: 2e8, False: 4e9}
"""Neurons times steps of a simulation, quick and in full."""
GOAL = 0.05


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function and its seconds of processor time."""
    begun = time.process_time()
    return function(), time.process_time() - begun


def stationary(n: int, rank: int, quick: bool) -> list[str]:
    """Return a row of the first table."""
    net, noise = made(n, rank, lambda x: -0.5 * x + 0.4)[0], ct.Noise(inside=1.0)
    law, seconds = timed(lambda: ct.predict(net, noise, method="latent"))
    plain = ct.predict(net, noise, method="latent", edgeworth=False)
    steps = max(int(STATIONARY[quick] / n / 512), 200)
    seen, others = timed(lambda: ct.predict(net, noise, method="simulation", steps=steps, rng=1, workers=1))
    errors = [
        np.max(np.abs(part - other) / seen.std)
        for each in (law, plain)
        for part, other in ((each.mean, seen.mean), (each.std, seen.std))
    ]
    error = float(np.max(seen.standard_error / seen.std))
    same = others * (error / errors[0]) ** 2
    of_std = float(np.max(seen.details["variance_standard_error"] / (2.0 * seen.std**2)))
    cells = [
        *(f"{value:.1e}" for value in (*errors, error, of_std)),
        f"{seconds:.2f}",
        f"{same:.3g}",
        f"{same / seconds:.3g}",
    ]
    return [f"{n}, {rank}", *cells]


def switching(n: int, rank: int, sigma: float, quick: bool) -> list[str]:
    """Return a row of the second table."""
    (net, D), noise = memory(n, rank), ct.Noise(inside=sigma)
    found, seconds = timed(lambda: ct.escape_times(net, noise, method="latent"))
    normal = by_spectrum.latent(net, noise, None, found.basins, edgeworth=False)
    seen, others = timed(lambda: count(net, noise, D, found.basins[0].state, SWITCHES[quick] / n))
    error = seen.error / seen.time
    same = others * (error / GOAL) ** 2
    ratios = [f"{each.time[0] / seen.time - 1.0:+.1%}" for each in (found, normal)]
    stated = found.error[0] / found.time[0] if found.error is not None else np.nan
    shown = [f"{found.time[0]:.4g}", f"{stated:.1e}", f"{1.0 / (found.separation or np.inf):.1e}", *ratios]
    return [
        f"{n}, {rank}",
        f"{sigma:g}",
        *shown,
        f"{error:.1%}",
        f"{seconds:.2f}",
        f"{same:.3g}",
        f"{same / seconds:.3g}",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latent")
    parser.add_argument("--quick", action="store_true", help="a smaller simulation, and no more than 64 neurons")
    quick = parser.parse_args().quick
    sizes = SIZES[: 2 if quick else None]
    first = table("N, R", "mean", "std", "mean, normal", "std, normal", "± mean", "± std", "s", "s, simulated", "ratio")
    for size in sizes:
        first.add_row(*stationary(*size, quick))
    second = table(
        "N, R", "σ", "time", "stated", "1/separation", "off", "off, normal", "± simulated", "s", "s, simulated", "ratio"
    )
    for size in sizes:
        for sigma in NOISE[size]:
            second.add_row(*switching(*size, sigma, quick))
    console = Console(width=140)
    console.print(first)
    console.print(second)
