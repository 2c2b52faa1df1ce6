"""The trained networks of the figures, which are trained when they are first needed, and kept in the cache.

The quick figures are made from a small set in ``trained/``, which ``python -m paper_figs.networks`` trains anew.
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
    """Settings of one training."""

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
        """Noise during training."""
        return ct.Noise(**{self.site: self.sigma})

    @property
    def name(self) -> str:
        """Short name of the run, from which its files are named."""
        return f"{self.task}-{self.activation}-{self.site}-{self.sigma:g}-{self.seed}"


def regulators(quick: bool) -> list[Run]:
    """Return runs of single neurons that hold a set-point, trained by their exact loss, over the noise."""
    sigmas = (0.3, 1.0, 2.0) if quick else (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0)
    return [  # under weak noise the loss is flat, and training takes longer
        Run("regulator", site, sigma, neurons=1, evaluations=1000 if sigma >= 0.3 else 4000, activation=f)
        for f in ("relu", "tanh")
        for site in SITES
        for sigma in sigmas
    ]


def functions(quick: bool) -> list[Run]:
    """Return runs of the function of one input, with noise of the same strength inside and outside."""
    return [Run("function", site, 1.0, seed) for site in SITES for seed in range(2 if quick else 5)]


def over_noise(quick: bool) -> list[Run]:
    """Return runs of the function of one input, with noise of many strengths."""
    if quick:
        inside, outside, seeds = (0.35, 0.7, 1.0, 1.5), (1.0,), 2
    else:
        inside, outside, seeds = (0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5), (0.35, 0.7, 1.0, 1.5), 5
    sigmas = dict(zip(SITES, (inside, outside), strict=True))
    return [Run("function", site, sigma, seed) for site in SITES for sigma in sigmas[site] for seed in range(seeds)]


def trained(runs: Iterable[Run], quick: bool) -> dict[Run, ct.CTRNN]:
    """Return trained networks by run: from the small set if `quick`, else trained on all cores or from the cache."""
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
    """Train a network, resume an interrupted training, or return the network that is in the cache."""
    key = hashlib.sha256(f"{ct.__version__} {run}".encode()).hexdigest()[:8]
    out = folder("networks") / f"{run.name}-{key}"
    settings = {"evaluations": run.evaluations, "rng": run.seed, "workers": 1, "out": out, "resume": True}
    try:
        return ct.train(run.task, run.neurons, run.activation, run.gamma, run.noise, **settings).network
    except ValueError as error:  # for example because another process trains it too
        raise ValueError(f"{PLACE} must be a folder where {run.name} can be trained: {error}") from error


def main() -> None:
    """Train the small set and write it to ``trained/``."""
    kept = {*regulators(True), *functions(True), *over_noise(True)}
    PROGRESS.set(print)
    made = trained(sorted(kept), quick=False)
    shutil.rmtree(KEPT, ignore_errors=True)
    os.mkdir(KEPT)
    for run, net in made.items():
        net.save(KEPT / f"{run.name}.npz")


if __name__ == "__main__":
    from paper_figs import networks

    networks.main()  # other processes can import the functions of this module, but not those of __main__
