"""Simulation by this package, with the covariance matrix and both control variates, as `simulation` runs it."""

from collections.abc import Callable

import numpy as np

from benchmarks.simulation import EVERY, Moments, Work
from ctrnn_theory import CTRNN, Noise
from ctrnn_theory.integrators.ensemble import Ensemble

SITE = "inside"
PACKAGES = ("ctrnn-theory", "numba", "llvmlite")


def prepare(work: Work, workers: int = 1, control_variate: bool = True) -> dict[str, Callable[[], Moments]]:
    """Return the ensemble that `simulation` runs, after the short run that finds the range of its table."""
    net = CTRNN(work.W, work.b, work.activation, work.gamma)
    noise = Noise(**{work.site: work.sigma})
    ensemble = Ensemble(net, noise, net.b, None, work.trajectories, rng=1, workers=workers)
    zero = np.zeros(work.n)
    if control_variate:
        seen = ensemble.measure(50, EVERY, zero)
        ensemble.tabulate(seen.low, seen.high, variance=True)

    def advance() -> Moments:
        averages = ensemble.measure(work.steps // EVERY, EVERY, zero, control_variate)
        return Moments(averages.first, averages.second)

    return {"Ensemble.measure": advance}
