"""What a Markov operator on nodes has missed: its single step compared with the analytic smoothing of f.

The estimates of the exact method compare it with itself on other nodes, and do not see what all of the nodes step over.
The mean and the variance of one step from a state, however, are known without its quadrature:

    E[h'|h] = (1-γ) h + γ F(a; s),   Var(h'|h) = γ² (v(a; s) + Σ_out),   a = W h + d.

The law of a wrong operator P̂ is wrong by π̂ (P̂ - P) g, where g solves the Poisson equation. The differences,
weighted by the law and by how far g ranges, therefore bound the error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

ACCURACY = 1e-14  # error of the smoothing and of the sums, relative to what is added up


@dataclass(frozen=True, eq=False)
class OneStep:
    """What an operator on M nodes says of one step from each of them."""

    after: FloatArray
    """Means, and mean squares about E h, after the step, in half widths of the domain and their squares, (M, 2 N)."""
    over: FloatArray
    """Mean distance by which the step leaves the domain, in half widths, (M, N)."""
    ranges: FloatArray
    """Largest range of the solutions of the Poisson equation for the means, and for the products, (2,)."""

    def missed(self, weights: FloatArray, true: FloatArray, slack: FloatArray, half: float) -> FloatArray:
        """Return the error (2,) of the mean and of the covariance by what the quadrature steps over.

        Parameters
        ----------
        weights
            The stationary law π at the nodes, (M,).
        true
            What :attr:`after` should be, (M, 2 N).
        slack
            Differences that do not count, (M, 2 N).
        half
            Half width of the domain, the largest of all axes.
        """
        largest = float(np.max(np.abs(weights) @ np.maximum(np.abs(self.after - true) - slack, 0.0)))
        return largest * self.ranges * np.array([half, half**2])


@contextmanager
def moments_of(f: Activation) -> Iterator[None]:
    """Raise NotApplicable where f grows too fast to have moments."""
    try:
        yield
    except ValueError as error:
        raise NotApplicable(f"the moments of one step of {f.name} cannot be computed: {error}") from None


def moments_after(
    f: Activation,
    W: FloatArray,
    drive: FloatArray,
    gamma: float,
    inside: FloatArray,
    outside: FloatArray,
    points: FloatArray,
    before: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the mean and the variance (M, N) of each neuron after a step from normal states.

    Parameters
    ----------
    f, W, drive, gamma
        The map.
    inside, outside
        Covariances (N, N) of the noise of this step.
    points
        Means (M, N) of the states.
    before
        Covariance (N, N) of the states; None if they are points.

    Raises
    ------
    NotApplicable
        If f grows too fast to have moments.
    """
    V = np.zeros_like(W) if before is None else before
    a, s = points @ W.T + drive, np.sqrt(np.diag(inside + W @ V @ W.T))
    with moments_of(f):
        mean = (1.0 - gamma) * points + gamma * f.smoothed(a, s)
        own = gamma**2 * f.smoothed_variance(a, s)
        if before is not None:
            own = own + 2.0 * gamma * (1.0 - gamma) * np.diag(W @ V) * f.smoothed(a, s, 1)
    variance: FloatArray = own + (1.0 - gamma) ** 2 * np.diag(V) + gamma**2 * np.diag(outside)
    return mean, variance


def slack(
    mean: FloatArray, points: FloatArray, center: FloatArray | float, half: FloatArray | float, over: FloatArray
) -> FloatArray:
    """Return what rounding and the ends of the domain may change in means and in mean squares, (M, 2 N).

    The mean distance `over` (M, N) by which a step leaves the domain already counts as the leak. Here it stands for
    the mean square of that distance, which it bounds up to a half width.
    """
    own = ACCURACY * (1.0 + (np.abs(mean) + np.abs(points)) / half)
    away = np.abs(mean - center) / half
    return np.concatenate([own, (1.0 + away) * own + ACCURACY * away**2 + over], axis=1)
