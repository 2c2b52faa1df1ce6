"""Training by this package: the loss of whole generations, a search, and a search to a given loss."""

import dataclasses
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import OptimizeResult

from benchmarks.processes import Found, tell, versions
from benchmarks.training import QUICK_SEEDS, SEEDS, Race, settings, start
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks.function import Function
from ctrnn_theory.training.trainer import Objective, run

CALLS = {"simulation": 50, "closure": 3}
"""Generations that are timed; one takes the closure some seconds."""
GENERATIONS, QUICK_GENERATIONS = 100, 10


class Timed(Function):
    """The task, with the seconds that its loss has taken."""

    spent: ClassVar[float] = 0.0

    def losses(self, *args: Any) -> FloatArray:
        """Return the losses (S,)."""
        begin = perf_counter()
        found = super().losses(*args)
        Timed.spent += perf_counter() - begin
        return found


def loss_rate(way: str, calls: int) -> float:
    """Return the networks a second whose loss is computed, a generation at once."""
    chosen = settings(0, way)
    objective, rng = Objective(chosen), np.random.default_rng(0)
    x = start(0)[:, None] + chosen.step * rng.standard_normal((chosen.layout.size, chosen.popsize))
    objective(x[:, :2])  # compiles
    begin = perf_counter()
    for generation in range(calls):
        objective(x, generation)
    return calls * chosen.popsize / (perf_counter() - begin)


def search(generations: int) -> Found:
    """Return the networks a second in a search, and the share of its time outside the loss."""
    chosen = settings(0)
    timed = dataclasses.replace(chosen, task=Timed(), evaluations=generations * chosen.popsize)
    Timed.spent = 0.0
    found = run(timed)
    return {"rate": found.evaluations / found.seconds, "share": 1.0 - Timed.spent / found.seconds}


def race(seed: int, quick: bool) -> Found:
    """Train once to the target."""
    clock = Race(quick)

    def after(intermediate_result: OptimizeResult) -> None:
        if clock.over(intermediate_result.x, intermediate_result.nfev):
            raise StopIteration

    run(settings(seed), callback=after)
    return clock.result


def report(quick: bool) -> Found:
    """Measure losses, a search and all trainings."""
    losses = {}
    for way, calls in CALLS.items():
        tell(f"loss by {way}")
        losses[way] = loss_rate(way, 1 if quick else calls)
    tell("search")
    search(1)  # loads pycma
    found = {"losses": losses, "search": search(QUICK_GENERATIONS if quick else GENERATIONS)}
    races = []
    for seed in range(QUICK_SEEDS if quick else SEEDS):
        tell(f"training {seed}")
        races.append(race(seed, quick))
    packages = ("ctrnn-theory", "cma", "numpy", "scipy")
    return found | {"versions": versions(packages), "races": {"CMA-ES": races}}
