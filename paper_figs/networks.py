"""The trained networks of the figures: trained when they are first asked for, and kept.

A small set lies in ``trained/``, from which the quick figures are made;
``python -m paper_figs.networks`` makes it anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import NamedTuple

import ctrnn_theory as ct
from paper_figs.cache import KEPT, PLACE, folder

PROGRESS: ContextVar[Callable[[int, int, str], object]] = ContextVar("PROGRESS", default=lambda done, total, text: None)
"""Called with (done, total, text) as networks are trained."""
SITES = ("inside", "outside")


class Run(NamedTuple):
    """One training."""

    task: str
    site: str
    sigma: float
    seed: int = 0
    neurons: int = 8
    gamma: float = 0.1
    evaluations: int = 20_000
    activation: str = "relu"

    @property
    def noise(self) -> ct.Noise:
        """Its noise."""
        return ct.Noise(**{self.site: self.sigma})

    @property
    def name(self) -> str:
        """A file's name: the run in short."""
        return f"{self.task}-{self.activation}-{self.site}-{self.sigma:g}-{self.seed}"


def one_of_each_task() -> list[Run]:
    """Every task but the regulator, trained with noise inside and outside."""
    return [
        run
        for site in SITES
        for run in (
            Run("function", site, 1.0),
            Run("maze", site, 2.5, neurons=10, gamma=0.2),
            Run("path_integration", site, 1.0, neurons=16, evaluations=40_000),
            Run("feedforward", site, 0.5, neurons=32, gamma=1.0),
        )
    ]


def regulators(quick: bool) -> list[Run]:
    """Single neurons that hold a set-point, by their exact loss, over the noise."""
    sigmas = (0.3, 1.0, 2.0) if quick else (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0)
    return [  # in little noise the loss is flat, and training takes longer
        Run("regulator", site, sigma, neurons=1, evaluations=1000 if sigma >= 0.3 else 4000, activation=f)
        for f in ("relu", "tanh")
        for site in SITES
        for sigma in sigmas
    ]


def functions(quick: bool) -> list[Run]:
    """The function of one input, trained with noise of the same strength inside and outside."""
    return [Run("function", site, 1.0, seed) for site in SITES for seed in range(2 if quick else 5)]


def over_noise(quick: bool) -> list[Run]:
    """The function of one input, trained with noise of many strengths."""
    if quick:
        inside, outside, seeds = (0.35, 0.7, 1.0, 1.5), (1.0,), 2
    else:
        inside, outside, seeds = (0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5), (0.35, 0.7, 1.0, 1.5), 5
    sigmas = dict(zip(SITES, (inside, outside), strict=True))
    return [Run("function", site, sigma, seed) for site in SITES for sigma in sigmas[site] for seed in range(seeds)]


def trained(runs: Iterable[Run], quick: bool) -> dict[Run, ct.CTRNN]:
    """Trained networks by run: for a quick figure those of the small set, else trained here, on all cores."""
    runs = list(runs)
    if quick:
        return {run: ct.CTRNN.load(KEPT / f"{run.name}.npz") for run in runs}
    from joblib import Parallel, delayed

    found: dict[Run, ct.CTRNN] = {}
    with Parallel(n_jobs=-1, return_as="generator") as parallel:
        for run, net in zip(runs, parallel(delayed(_train)(run) for run in runs), strict=True):
            found[run] = net
            PROGRESS.get()(len(found), len(runs), "networks trained")
    return found


def _train(run: Run) -> ct.CTRNN:
    """Train a network, go on where it was cut off, or take the one that is kept."""
    key = hashlib.sha256(f"{ct.__version__} {run}".encode()).hexdigest()[:8]
    out = folder("networks") / f"{run.name}-{key}"
    settings = {"evaluations": run.evaluations, "rng": run.seed, "workers": 1, "out": out, "resume": True}
    try:
        return ct.train(run.task, run.neurons, run.activation, run.gamma, run.noise, **settings).network
    except ValueError as error:  # such as another process that trains it too
        raise ValueError(f"{PLACE} must be a folder where {run.name} can be trained: {error}") from error


def main() -> None:
    """Train the small set."""
    kept = {*one_of_each_task(), *regulators(True), *functions(True), *over_noise(True)}
    PROGRESS.set(print)
    made = trained(sorted(kept), quick=False)
    shutil.rmtree(KEPT, ignore_errors=True)
    os.mkdir(KEPT)
    for run, net in made.items():
        net.save(KEPT / f"{run.name}.npz")


if __name__ == "__main__":
    from paper_figs import networks

    networks.main()  # whose functions other processes can import
