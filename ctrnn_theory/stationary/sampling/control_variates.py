"""The control variates of a simulation, for the mean and for the covariance.

The mean of a control variate is zero exactly, so that it changes the variance of an estimate and not its expectation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.integrators.ensemble import Averages, standard_error
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

WORTH = 0.9  # standard error with a control variate over that without, up to which the control variate is used
LARGEST_INVERSE = 1e8  # condition number of 1 - A up to which it is inverted
LARGEST_RADIUS = 1.0 - 1e-6  # spectral radius of A up to which the control variate of the covariance is solved for
LARGEST_CONDITION = 1e8  # condition number of the eigenvectors of A, likewise
NEARBY = 0.01  # part of the decay rate of a source by which it is moved if these eigenvectors are no basis
ROUNDING = 32 * np.finfo(np.float64).eps  # relative error that many steps of rounding may leave in a mean


@dataclass(frozen=True, eq=False)
class Model:
    """The step of a network that is simulated, and what its control variates need of it."""

    whole: Augmented
    """The step of states g (M,), which are those of N neurons and of the sources of coloured noise."""
    f: Activation | ActivationGroup
    """The activation of all neurons, or of each."""
    gain: FloatArray
    """Standard deviation (N,) of the multiplicative noise inside."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, u: ArrayLike | None) -> Model:
        """Make the step of a network under its noise, with a constant input u (K,) or None."""
        gain = np.sqrt(np.diag(noise.gain_covariance("inside", net.n)))
        return cls(Augmented.of(net, noise, u), net.activation, gain)

    @property
    def n(self) -> int:
        """Number N of neurons."""
        return self.whole.wiring.n

    @property
    def scale(self) -> FloatArray:
        """Factor (M,) of a residual in a step: γ of each neuron, and one for each source."""
        return np.append(self.whole.wiring.gamma, np.ones(self.whole.size - self.n))

    def jacobian(self, slopes: FloatArray) -> FloatArray:
        """Return A (M, M), the derivative of a step of g."""
        matrix: FloatArray = self.whole.transition + (self.whole.write * slopes) @ self.whole.read
        return matrix

    def response(self, slopes: FloatArray) -> FloatArray:
        """Return 1 - A (M, M) with its rows divided by `scale`: 1 - B D̄ U for the neurons alone."""
        n, sources = self.n, np.eye(self.whole.size)
        sources[:n, :n] = np.eye(n) - self.whole.wiring.loop(slopes)
        A = self.jacobian(slopes)
        sources[:n, n:] = -A[:n, n:] / self.whole.wiring.gamma[:, None]
        sources[n:, n:] -= A[n:, n:]
        return sources


def mean_slopes(model: Model, averages: Averages) -> FloatArray:
    """Return the mean slope of each neuron, (N,), for a normal state of the mean and the covariance of `averages`.

    It is 0 for an activation that oscillates too often to be smoothed there, as its slopes nearly cancel.
    """
    whole, mean = model.whole, averages.mean
    variance = np.diag(whole.read @ averages.covariance(mean) @ whole.read.T)
    std = np.sqrt(np.diag(whole.inner) + np.maximum(variance, 0.0))
    try:
        slopes = NoisyActivation(model.f, std, model.gain).slope(whole.read @ mean + whole.wiring.c)
    except NotApplicable:
        return np.zeros(model.n)
    return np.nan_to_num(slopes, posinf=0.0, neginf=0.0)


def mean_control(model: Model, slopes: FloatArray, pilot: Averages) -> FloatArray:
    """Return the first N rows (N, M) of (1 - A)⁻¹ γ, with zeros in those that would raise the variance.

    For the neurons alone that is (1 - B D̄ U)⁻¹.
    """
    eye, A = np.eye(model.whole.size), model.response(slopes)
    M = cast(FloatArray, np.linalg.inv(A) if np.linalg.cond(A) < LARGEST_INVERSE else eye)[: model.n].copy()
    values = pilot.means(M)
    # A pilot that has met no event at all has no variance to lower, and yet F knows of the event.
    rounding = ROUNDING * np.abs(values.mean(axis=0))
    M[standard_error(values) > np.maximum(WORTH * standard_error(pilot.means()), rounding)] = 0.0
    return M


def rate_control(model: Model, pilot: Averages, M: FloatArray) -> FloatArray:
    """Return D M (N, M) with D = diag E f'(v), by which residuals lower the variance of the mean rates f(v).

    Its rows are zero where they raise it in the pilot run.
    """
    mean, n = pilot.mean[: model.n], model.n
    std = np.sqrt(np.maximum(np.diag(pilot.covariance(mean)), 0.0))
    try:
        slopes: FloatArray = np.nan_to_num(model.f.smoothed(mean, std, 1), posinf=0.0, neginf=0.0)
    except NotApplicable:
        slopes = np.zeros(n)
    control = slopes[:, None] * M
    raised = standard_error(pilot.rate + pilot.residual @ control.T) > WORTH * standard_error(pilot.rate)
    control[raised] = 0.0
    return control


class Modes(NamedTuple):
    """The eigenvectors of A, the slope of a step of g, in which the control variate of the covariance is solved."""

    values: NDArray[Any]
    """Eigenvalues (M,)."""
    vectors: NDArray[Any]
    """Eigenvectors in columns (M, M)."""
    inverse: NDArray[Any]
    """The inverse of this matrix."""


def block_covariances(model: Model, modes: Modes | None, averages: Averages, mean: FloatArray) -> FloatArray:
    """Return second moments of h about the mean (blocks, N, N), with their control variate if there are modes."""
    n, m, blocks = model.n, model.whole.size, len(averages.cross)
    centre = np.append(mean, np.zeros(m - n))  # the mean of a source is zero
    shift = centre - averages.centre

    def about_mean(second: FloatArray, values: FloatArray) -> FloatArray:
        """Return second moments about the mean from those about the centre and the first moments (K, M)."""
        first = values.reshape(blocks, -1, m).mean(axis=1) - shift
        mixed = shift[:, None] * first[:, None, :]  # added to its transpose first, which is exactly symmetric
        moved: FloatArray = second - (mixed + mixed.transpose(0, 2, 1)) - np.outer(shift, shift)
        return moved

    now = about_mean(averages.cross, averages.first)
    if modes is None:
        return now[:, :n, :n]
    ahead = about_mean(averages.ahead, averages.first + model.scale * averages.residual)
    # X is solved for all blocks at once: an error of the eigenvectors would raise the variance alone
    values, Q, inverse = modes
    X = (Q @ ((inverse @ (ahead - now) @ inverse.T) / (1.0 - np.outer(values, values))) @ Q.T).real
    controlled: FloatArray = now + 0.5 * (X + X.transpose(0, 2, 1))
    return controlled[:, :n, :n]


def covariance_control(model: Model, slopes: FloatArray, pilot: Averages) -> Modes | None:
    """Return the modes of the covariance's control variate if it exists and lowers the variance in the pilot run."""
    if pilot.ahead.size == 0:
        return None
    modes = _modes(model.jacobian(slopes), model.n)
    if modes is None:
        return None
    mean = pilot.means().mean(axis=0)
    controlled, plain = (block_covariances(model, with_modes, pilot, mean) for with_modes in (modes, None))
    deviation, plain_deviation = (found.std(axis=0).diagonal() for found in (controlled, plain))
    rounding = ROUNDING * np.abs(controlled.mean(axis=0)).diagonal()  # see `mean_control`
    gains = np.sum(deviation**2) <= max(WORTH**2 * np.sum(plain_deviation**2), np.sum(rounding**2))
    return modes if gains else None


def _modes(A: FloatArray, n: int) -> Modes | None:
    """Return the modes of A (M, M), or those of a matrix nearby if A has no basis of eigenvectors; any A will do.

    It has none if neurons and sources share an eigenvalue.
    """
    for nearby in (0.0, NEARBY):
        moved = np.array(A)
        sources = np.arange(n, len(A))
        moved[sources, sources] *= 1.0 - nearby * (1.0 - moved[sources, sources])
        values, vectors = np.linalg.eig(moved)
        if np.max(np.abs(values)) <= LARGEST_RADIUS and np.linalg.cond(vectors) <= LARGEST_CONDITION:
            return Modes(values, vectors, np.linalg.inv(vectors))
    return None
