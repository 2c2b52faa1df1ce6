"""Do trained networks prefer noise? ``python -m benchmarks.preference [PART ...] [--seeds 5] [--keep FOLDER]``.

The program trains networks with noise inside and outside, several seeds each, on all cores, and tests them at 0 to 1.5
times their training noise. Its parts are:

* function, maze, path_integration, feedforward: a row for each network;
* length: `function` with noise inside, trained two and four times as long;
* threshold: the preferred level of `function` over training noises from 0.1 to 1.5;
* regulator: where on its activation the best single neuron sits, over the noise;
* surrogate: the output of the noise-free surrogate, and of the network with its noise switched off, against the mean of
  the noisy one.

A star marks networks of which single trials run away at some level; `worst` is taken over the other levels.

Runs are kept in the folder, by default a temporary one, and the same command continues an interrupted run. All parts
take about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

SITES = ("inside", "outside")


class Run(NamedTuple):
    """Settings of one training."""

    task: str
    site: str
    sigma: float
    seed: int
    neurons: int = 8
    gamma: float | None = 0.1
    evaluations: int = 20_000
    activation: str = "relu"


def runs(task: str, sigmas: Iterable[float], seeds: int, **options: Any) -> list[Run]:
    """Return the runs of a table."""
    return [Run(task, site, sigma, seed, **options) for site in SITES for sigma in sigmas for seed in range(seeds)]


def tested(job: tuple[Run, str]) -> list[str]:
    """Train one network, or read the one that is kept, test it, and return a row of text."""
    run, place = job
    training, found = learned(run, place)
    low, high = found.interval
    cells = [run.site, f"{run.sigma:g}", str(run.evaluations), str(run.seed), f"{training.loss:.4f}"]
    cells += [f"{found.preferred:.2f} ({low:.2f}, {high:.2f})", f"{found.ratio:.2f} ± {found.ratio_standard_error:.2f}"]
    if found.success is not None:
        at = [int(np.argmin(np.abs(found.levels - level))) for level in (0.0, 1.0, found.preferred)]
        return [*cells, *(f"{found.loss[i]:.4f}" for i in at[:2]), *(f"{100 * found.success[i]:.0f} %" for i in at)]
    kept = found.runaway == 0.0
    worst = np.nan if found.predicted_loss is None else np.max(np.abs(found.predicted_loss / found.loss - 1.0)[kept])
    radius = np.max(np.abs(np.linalg.eigvals(training.network.W)))
    predicted = np.nan if found.predicted_preferred is None else found.predicted_preferred
    return [
        *cells,
        f"{predicted:.2f}",
        f"{100 * worst:.1f} %" + "*" * (not kept.all()),
        f"{found.sigma_pref:.2f}",
        f"{radius:.1f}",
    ]


def learned(run: Run, place: str) -> tuple[Any, Any]:
    """Train a network, or read it, and test it against noise."""
    import ctrnn_theory as ct

    noise = ct.Noise(**{run.site: run.sigma})
    name = f"{run.task}-{run.activation}-{run.site}-{run.sigma:g}-{run.evaluations}-{run.seed}"
    training = ct.train(
        run.task,
        run.neurons,
        run.activation,
        run.gamma,
        noise,
        evaluations=run.evaluations,
        rng=run.seed,
        workers=1,
        out=Path(place) / name,
        resume=True,
    )
    return training, ct.preference(training.network, training.task, noise=noise, workers=1)


OPEN = (
    "noise",
    "σ",
    "evaluations",
    "seed",
    "loss",
    "preferred",
    "loss(0)/loss(pref.)",
    "predicted",
    "worst",
    "σ_pref",
    "radius of W",
)
CLOSED = ("noise", "σ", "evaluations", "seed", "loss", "preferred", "loss(0)/loss(pref.)", "loss(0)", "loss(1)")
CLOSED += ("success 0", "success 1", "success pref.")


def operating_point(job: tuple[str, str, float]) -> list[str]:
    """Train a regulator by its exact loss, and return a row of text."""
    import ctrnn_theory as ct

    activation, site, sigma = job
    noise = ct.Noise(**{site: sigma})
    found = ct.train("regulator", 1, activation, noise=noise, evaluations=1000, workers=1)
    law = ct.predict(found.network, noise, method="exact")
    a = float(found.network.preactivation(law.mean)[0])
    net = found.network
    weights = (net.W[0, 0], net.b[0], net.W_out[0, 0], net.b_out[0])
    slope = net.activation.smoothed(a, sigma if site == "inside" else 0.0, 1)
    return [
        activation,
        site,
        f"{sigma:g}",
        f"{found.loss:.3g}",
        *(f"{w:.3f}" for w in weights),
        f"{a:.3f}",
        f"{slope:.3f}",
    ]


def switched_off(job: tuple[Run, str]) -> list[str]:
    """Return the root mean square output errors without noise, of the network and of its surrogate, as text."""
    import ctrnn_theory as ct

    run, place = job
    training, _ = learned(run, place)
    key = np.array([7, 7], np.uint64)

    def mean(net: Any, noise: Any, repeats: int) -> Any:
        return training.task.trials(net, noise, repeats, key).outputs.mean(axis=(0, 2))

    noisy = mean(training.network, training.noise, 2000)
    off = mean(training.network, ct.Noise(), 1) - noisy
    surrogate = mean(ct.noise_free(training.network, training.noise), ct.Noise(), 1) - noisy
    rms = [float(np.sqrt(np.mean(gap**2))) for gap in (off, surrogate)]
    return [str(run.seed), f"{rms[0]:.4f}", f"{rms[1]:.4f}", f"{rms[0] / rms[1]:.1f}"]


def parts(seeds: int) -> dict[str, tuple[tuple[str, ...], Callable[..., list[str]], list[Any]]]:
    """Return for each table its titles, the function that makes a row, and the arguments of that function."""
    function = runs("function", [1.0], seeds)
    longer = [run for n in (40_000, 80_000) for run in runs("function", [1.0], seeds, evaluations=n)]
    levels = [0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5]
    threshold = [run for run in runs("function", levels, min(seeds, 3)) if run.site == "inside"]
    mazes = runs("maze", [2.5, 5.0], min(seeds, 3), neurons=10, gamma=0.2, evaluations=40_000)
    paths = runs("path_integration", [1.0], min(seeds, 3), neurons=16, evaluations=40_000)
    layers = runs("feedforward", [0.5, 1.0], min(seeds, 3), neurons=32, gamma=1.0)
    points = [(f, site, s) for f in ("relu", "softplus", "tanh") for site in SITES for s in (0.1, 0.3, 0.5, 1.0, 2.0)]
    return {
        "function": (OPEN, tested, function),
        "length": (OPEN, tested, [run for run in longer if run.site == "inside"]),
        "threshold": (OPEN, tested, threshold),
        "maze": (CLOSED, tested, mazes),
        "path_integration": (OPEN, tested, paths),
        "feedforward": (OPEN, tested, layers),
        "regulator": (("f", "noise", "σ", "loss", "w", "b", "r", "c", "a", "slope"), operating_point, points),
        "surrogate": (("seed", "noise off", "surrogate", "ratio"), switched_off, function[:seeds]),
    }


if __name__ == "__main__":
    from benchmarks.tables import table

    parser = argparse.ArgumentParser(prog="python -m benchmarks.preference")
    parser.add_argument("part", nargs="*", help=f"part from {', '.join(parts(1))}; the default is all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", default=None, help="folder for the trained networks")
    chosen = parser.parse_args()
    place = Path(chosen.keep or tempfile.mkdtemp(prefix="preference-"))
    place.mkdir(exist_ok=True)
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")  # for the processes below
    console = Console(width=140)
    console.print(f"networks in {place}")
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for name, (titles, row, jobs) in parts(chosen.seeds).items():
            if chosen.part and name not in chosen.part:
                continue
            made = table(*titles)
            for cells in pool.map(row, [(job, str(place)) if isinstance(job, Run) else job for job in jobs]):
                made.add_row(*cells)
            console.print(f"\n{name}", made)
