"""Mean and covariance of the hidden states that a readout sees, under any noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.evolution.evolve import evolve
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import integer, real_array, shown
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Readable
from ctrnn_theory.support.types import FloatArray

NEGATIVE = 1e-8
"""Size of a negative eigenvalue, relative to the largest one, up to which it counts as rounding."""

Given: TypeAlias = ArrayLike | tuple[ArrayLike, ArrayLike | None] | Callable[[Noise], Any]
"""What a caller gives: means, means and covariances, or a function of the noise that returns either."""


class States(NamedTuple):
    """The two moments of noisy hidden states on which a linear readout depends."""

    mean: FloatArray
    """Mean of the state at each time or input, (T, N)."""
    covariance: FloatArray
    """Covariance of the state, averaged over them, (N, N)."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class HiddenMoments(Readable):
    """The moments of a network's hidden states along an input, as a function of its noise.

    ``moments(noise)`` returns the means (T, N) and the covariance (N, N), averaged over the T steps that are kept.
    """

    network: CTRNN
    """The network."""
    inputs: FloatArray
    """Input at each step, (steps, K)."""
    discard: int
    """Number of steps at the beginning that are left out."""
    method: str
    """Method of :func:`ctrnn_theory.evolve`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of that method."""

    def __call__(self, noise: Noise) -> tuple[FloatArray, FloatArray]:
        """Return the means (T, N) and the averaged covariance (N, N) under a noise."""
        law = evolve(self.network, noise, self.inputs, len(self.inputs), self.method, **self.options)
        if not law.converged:
            raise NotApplicable(f"hidden_moments needs a law in time that has converged; {law.message}")
        kept = slice(1 + self.discard, None)  # the first state is the start
        return law.mean[kept], law.covariance[kept].mean(axis=0)

    def _headline(self) -> str:
        return f"{self.network.title}; {self.method}"

    def _parts(self, few: int) -> Iterator[str]:
        yield f"{len(self.inputs)} steps of the input, of which the first {self.discard} are left out"


@guarded
@limited
def hidden_moments(
    net: CTRNN, inputs: ArrayLike, discard: int = 0, method: str = "gaussian_closure", **options: Any
) -> HiddenMoments:
    """Return the moments of a network's hidden states along an input, as a function of its noise.

    An echo-state network is driven by the input, and its noise goes round with its states. A feed-forward layer is a
    network without recurrence, W = 0 and γ = 1, whose states depend on the present input alone. With W = 0, γ = 1 and
    noise outside the Gaussian closure is exact, and with a linear activation too.

    Parameters
    ----------
    net
        Network in rate form, N neurons, with W_in.
    inputs
        Input at each step, (steps, K). The state at a step has seen the input of that step.
    discard
        Number of steps at the beginning that are left out, because the state still depends on where it began.
    method, **options
        Method of :func:`ctrnn_theory.evolve` and its options, such as ``method="simulation", trajectories=1000``.

    Returns
    -------
    HiddenMoments
        A function of the noise, as :func:`ctrnn_theory.readout_theory` takes it.

    Raises
    ------
    ValueError
        If the inputs do not fit the network, or no step is kept.
    NotApplicable
        If the network is in voltage form, whose readout sees f(v) and not the state.

    Examples
    --------
    >>> net = CTRNN([[0.0, -0.5], [0.5, 0.0]], 0.1, "tanh", 1.0, W_in=[[1.0], [0.5]])
    >>> mean, covariance = hidden_moments(net, [[0.1], [0.2], [0.3]], discard=1)(Noise(outside=0.1))
    >>> mean.shape, covariance.round(4)
    ((2, 2), array([[0.0124, 0.    ],
           [0.    , 0.0122]]))
    """
    check_model(net, Noise())
    if net.form != "rate":
        raise NotApplicable("hidden_moments is for networks in rate form: a readout of f(v) needs the law of f(v)")
    if net.W_in is None:
        raise ValueError("net must have W_in for an input; got None")
    u = real_array("inputs", inputs, (None, net.W_in.shape[1]))
    if integer("discard", discard) >= len(u):
        raise ValueError(f"discard must leave at least one of the {len(u)} steps; got {discard}")
    return HiddenMoments(net, u, discard, method, options)


def states_under(given: Given, noise: Noise) -> States:
    """Return the moments of the states under a noise, which a function includes, and which is added to arrays.

    With mean m_t and covariance C_t of the states x, additive noise of covariance Σ and factors 1 + r of covariance R::

        E y = m_t,   Cov y = C_t + Σ + R ∘ (C_t + m_t m_tᵀ)
    """
    if callable(given):
        return _checked(given(noise))
    mean, C = _checked(given)
    n = mean.shape[1]
    if np.any(noise.inside) or np.any(noise.gain_inside):
        raise ValueError(
            f"noise must act outside on states that are given, which it does not move; got {noise.title}; "
            "moments as a function of the noise can take any"
        )
    noise.check(n)
    second = C + mean.T @ mean / len(mean)
    return States(mean, C + noise.covariance("outside", n) + noise.gain_covariance("outside", n) * second)


def _checked(given: Any) -> States:
    """Return means and averaged covariance as arrays."""
    pair = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    mean = real_array("moments, the means,", pair[0], (None, None))
    T, n = mean.shape
    if not mean.size:
        raise ValueError(f"moments must have a state; got shape {mean.shape}")
    if pair[1] is None:
        return States(mean, np.zeros((n, n)))
    C = real_array("moments, the covariance,", pair[1])
    if C.shape not in ((n, n), (T, n, n)):
        raise ValueError(f"moments, the covariance, must have shape {(n, n)} or {(T, n, n)}; got {C.shape}")
    C = C if C.ndim == 2 else C.mean(axis=0)
    values = np.linalg.eigvalsh(0.5 * (C + C.T))
    if np.max(np.abs(C - C.T)) > NEGATIVE * np.max(np.abs(C)) or values[0] < -NEGATIVE * max(values[-1], 0.0):
        raise ValueError(f"moments, the covariance, must be symmetric and positive semi-definite; got {shown(C)}")
    return States(mean, 0.5 * (C + C.T))
