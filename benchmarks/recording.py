"""Recorded paths beside averages without a record: ``python -m benchmarks.recording``.

The table shows ns a neuron-step on one core, the best of several runs: `Ensemble.measure` at every 10th step, and
`simulate` at every 1st, 10th and 100th into memory and into a folder, with its ratio to the first in brackets. The
folder is made in ``--folder``, by default among temporary files; its cost depends on the disk.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct
from ctrnn_theory.integrators.ensemble import Ensemble

TRAJECTORIES = {1: 2048, 2: 1024, 16: 128, 128: 64}
STRIDES = (1, 10, 100)
BYTES, NEURON_STEPS = 1 << 28, 1 << 27
"""Most bytes that a run records, and most neuron-steps that it takes."""
REPEATS = 3


def best(run: Callable[[], object], neuron_steps: int) -> float:
    """Return the ns a neuron-step of the fastest run."""
    run()  # compiles
    seconds = []
    for _ in range(REPEATS):
        begin = perf_counter()
        run()
        seconds.append(perf_counter() - begin)
    return 1e9 * min(seconds) / neuron_steps


def row(n: int, folder: str) -> list[str]:
    """Measure a random network of n neurons, and return a row of text."""
    rng, trajectories = np.random.default_rng(n), TRAJECTORIES[n]
    net = ct.CTRNN(0.5 * rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal(n) / 2, "tanh", 0.1)
    noise, size = ct.Noise(inside=0.5), n * trajectories
    ensemble = Ensemble(net, noise, net.b, None, trajectories, 0, 1)
    steps = NEURON_STEPS // size // 100 * 100
    streaming = best(lambda: ensemble.measure(steps // 10, 10, np.zeros(n), False), steps * size)
    cells = [str(n), f"{streaming:.2f}"]
    for every in STRIDES:
        steps = min(NEURON_STEPS, BYTES // 8 * every) // size // 100 * 100

        def memory(steps: int = steps, every: int = every) -> None:
            ct.simulate(net, noise, None, steps, trajectories, every, workers=1)

        def disk(steps: int = steps, every: int = every) -> None:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                ct.simulate(net, noise, None, steps, trajectories, every, workers=1, out=Path(place) / "run")

        for way in (memory, disk):
            ns = best(way, steps * size)
            cells.append(f"{ns:.2f} ({ns / streaming:.1f})")
    return cells


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=tempfile.gettempdir())
    table = Table("N", "measure", box=None, pad_edge=False)
    for every in STRIDES:
        table.add_column(f"every {every}, memory", justify="right")
        table.add_column("folder", justify="right")
    for n in TRAJECTORIES:
        table.add_row(*row(n, parser.parse_args().folder))
    Console(width=140).print(table)
