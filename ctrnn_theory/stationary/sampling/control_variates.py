"""The control variates of a simulation, for the mean and for the covariance.

The mean of a control variate is zero exactly, so that it changes the variance of an estimate and not its expectation.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.dynamics.linear_response import jacobian
from ctrnn_theory.integrators.ensemble import Averages, standard_error
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

WORTH = 0.9  # standard error with a control variate over that without, up to which the control variate is used
LARGEST_INVERSE = 1e8  # condition number of I - D̄ W up to which it is inverted
LARGEST_RADIUS = 1.0 - 1e-6  # spectral radius of A up to which the control variate of the covariance is solved for
LARGEST_CONDITION = 1e8  # condition number of the eigenvectors of A, likewise
ROUNDING = 32 * np.finfo(np.float64).eps  # relative error that many steps of rounding may leave in a mean


def mean_slopes(net: CTRNN, noise: Noise, drive: FloatArray, averages: Averages) -> FloatArray:
    """Return the mean slope F'(W m + drive; s) of each neuron, (N,), with s² the variance of its pre-activation.

    It is 0 for an activation that oscillates too often to be smoothed there, as its slopes nearly cancel.
    """
    mean = averages.means().mean(axis=0)
    variance = np.diag(net.W @ averages.covariance(mean) @ net.W.T)
    std = np.sqrt(noise.std("inside", net.n) ** 2 + np.maximum(variance, 0.0))
    try:
        slopes: FloatArray = net.activation.smoothed(net.W @ mean + drive, std, 1)
    except NotApplicable:
        return np.zeros(net.n)
    return np.nan_to_num(slopes, posinf=0.0, neginf=0.0)


def mean_control(net: CTRNN, slopes: FloatArray, pilot: Averages) -> FloatArray:
    """Return M = (I - D̄ W)⁻¹, with zeros in the rows that would raise the variance."""
    eye = np.eye(net.n)
    A = eye - slopes[:, None] * net.W
    M = cast(FloatArray, np.linalg.inv(A) if np.linalg.cond(A) < LARGEST_INVERSE else eye)
    values = pilot.means(M)
    # A pilot that has met no event at all has no variance to lower, and yet F knows of the event.
    rounding = ROUNDING * np.abs(values.mean(axis=0))
    M[standard_error(values) > np.maximum(WORTH * standard_error(pilot.means()), rounding)] = 0.0
    return M


class Modes(NamedTuple):
    """The eigenvectors of A = (1-γ) I + γ D̄ W, in which the control variate of the covariance is solved."""

    values: NDArray[Any]
    """Eigenvalues (N,)."""
    vectors: NDArray[Any]
    """Eigenvectors in columns (N, N)."""
    inverse: NDArray[Any]
    """The inverse of this matrix."""


def block_covariances(net: CTRNN, modes: Modes | None, averages: Averages, mean: FloatArray) -> FloatArray:
    """Return second moments about the mean (blocks, N, N), with their control variate if there are modes."""
    shift = mean - averages.centre
    blocks = len(averages.cross)

    def about_mean(second: FloatArray, values: FloatArray) -> FloatArray:
        """Return second moments about the mean from those about the centre and the first moments (K, N)."""
        first = values.reshape(blocks, -1, net.n).mean(axis=1) - shift
        mixed = shift[:, None] * first[:, None, :]  # added to its transpose first, which is exactly symmetric
        moved: FloatArray = second - (mixed + mixed.transpose(0, 2, 1)) - np.outer(shift, shift)
        return moved

    now = about_mean(averages.cross, averages.first)
    if modes is None:
        return now
    ahead = about_mean(averages.ahead, averages.first + net.gamma * averages.residual)
    # X is solved for all blocks at once: an error of the eigenvectors would raise the variance alone
    values, Q, inverse = modes
    X = (Q @ ((inverse @ (ahead - now) @ inverse.T) / (1.0 - np.outer(values, values))) @ Q.T).real
    controlled: FloatArray = now + 0.5 * (X + X.transpose(0, 2, 1))
    return controlled


def covariance_control(net: CTRNN, slopes: FloatArray, pilot: Averages) -> Modes | None:
    """Return the modes of the covariance's control variate if it exists and lowers the variance in the pilot run."""
    if pilot.ahead.size == 0:
        return None
    values, vectors = np.linalg.eig(jacobian(net.W, slopes, net.gamma))
    if np.max(np.abs(values)) > LARGEST_RADIUS or np.linalg.cond(vectors) > LARGEST_CONDITION:
        return None
    modes = Modes(values, vectors, np.linalg.inv(vectors))
    mean = pilot.means().mean(axis=0)
    controlled, plain = (block_covariances(net, with_modes, pilot, mean) for with_modes in (modes, None))
    deviation, plain_deviation = (found.std(axis=0).diagonal() for found in (controlled, plain))
    rounding = ROUNDING * np.abs(controlled.mean(axis=0)).diagonal()  # see `mean_control`
    gains = np.sum(deviation**2) <= max(WORTH**2 * np.sum(plain_deviation**2), np.sum(rounding**2))
    return modes if gains else None
