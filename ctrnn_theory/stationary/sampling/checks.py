"""The checks of a simulation: whether the state grows, still drifts, or remembers where its trajectory began."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.dynamics.linear_response import spectral_radius
from ctrnn_theory.integrators.ensemble import Averages, standard_error
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.stationary.sampling.control_variates import ROUNDING, Model, mean_slopes
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import BoolArray, FloatArray

DRIFT = 5.0  # standard errors between two parts of a run beyond which they differ by a drift
REMAINS = 1e-10  # drift that is accepted, relative to the mean or to its square
UNSTABLE = 1.0 - 1e-9  # spectral radius of A from which nothing pulls the state back
ALIKE = 0.5  # correlation of a trajectory's means over both parts, by chance below 0.25 for 512 trajectories
ENDS_ALIKE = 0.2  # the same of the ends of a run, for trajectories that leave their attractor about once in it
CHANCE = 6.0  # standard deviations 1/√K of a correlation over K trajectories that chance does not reach


def check_growth(net: CTRNN, model: Model, early: Averages, late: Averages) -> None:
    """Raise Divergence if the state has been growing and nothing pulls it back.

    Exponential growth passes every bound by itself; this finds slower growth, such as that of a random walk.
    """
    if not any(any(f.limit_slopes) for f in set(net.activations)):
        return
    growth = late.squares(np.zeros(net.n)) - early.squares(np.zeros(net.n))
    if not np.any(growth.mean(axis=0) > DRIFT * standard_error(growth)):
        return
    radius = spectral_radius(model.jacobian(mean_slopes(model, late)))
    if radius > UNSTABLE:
        raise Divergence(
            "W must keep the state bounded; it grows steadily, and the step's slope does not pull it back"
            f" (spectral radius {radius:.6g})"
        )


def drifts(M: FloatArray | None, early: Averages, late: Averages, mean: FloatArray) -> bool:
    """Return whether both halves of the run differ by more than chance and rounding allow."""
    pairs = (
        (early.means(M), late.means(M), np.abs(mean)),
        (early.squares(mean), late.squares(mean), mean**2),
    )
    return any(
        bool(np.any(np.abs((b - a).mean(axis=0)) > DRIFT * standard_error(b - a) + REMAINS * scale))
        for a, b, scale in pairs
    )


def remembers(early: FloatArray, late: FloatArray, first: FloatArray, last: FloatArray) -> bool:
    """Return whether the means of each trajectory, (K, N) each, over both halves and over both ends are correlated.

    A rare event in the middle of the run lies in both halves, but not at both ends.
    """
    tiny = ROUNDING**2 * np.maximum(1.0, np.abs(early).max()) ** 2
    alike, chance = max(ALIKE, CHANCE / np.sqrt(len(early))), max(ENDS_ALIKE, 0.5 * CHANCE / np.sqrt(len(early)))
    return bool(np.any(_correlated(early, late, alike, tiny) & _correlated(first, last, chance, tiny)))


def _correlated(x: FloatArray, y: FloatArray, least: float, tiny: float) -> BoolArray:
    """Return which columns (N,) of values (K, N) have a correlation above the least one, and more than rounding.

    The covariance is compared with the larger variance, since what is left of an event that decays is no memory.
    """
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    size = np.maximum(np.mean(a**2, axis=0), np.mean(b**2, axis=0))
    found: BoolArray = np.mean(a * b, axis=0) > least * size + tiny
    return found
