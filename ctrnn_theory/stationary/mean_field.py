"""The mean field: the fixed point of the network whose activation is replaced by its Gaussian average."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations.gaussian.covariance import covariance_matrix
from ctrnn_theory.dynamics.linear_response import LinearLaw
from ctrnn_theory.dynamics.neurons import Neurons, settle_neurons
from ctrnn_theory.dynamics.settle import follow
from ctrnn_theory.dynamics.step import Step
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.neuron_laws import NeuronLaws
from ctrnn_theory.support.types import FloatArray

LONG = 0.1  # correlation time of coloured noise, in units of τ, from which the message says that it matters


def solve(net: CTRNN, noise: Noise, u: ArrayLike | None = None, start: ArrayLike | None = None) -> StationaryLaw:
    """Return the fixed point m = F(W m + W_in u + b) to which the smoothed network settles from `start`.

    F(a) = E f(a (1 + g ξ) + σ_in ξ') is f averaged over all noise inside; that of a network in voltage form is
    v = W F(v) + W_in u + b. It is the limit of E h for γ → 0 with a fixed σ_in and white noise. Noise outside,
    additive or multiplicative, does not shift it.

    Coloured noise inside counts by its standard deviation, as if it were white. That is the limit for correlation times
    far below τ, and the message says so where they are not, in a network with recurrence.

    The covariance is the linear response to the fluctuations about m. For white noise inside and outside it is
    V = A V Aᵀ + γ² (C + Σ_out), A = (1-γ) I + γ diag(F') W, C = Cov f(a + σ_in ξ). Multiplicative noise outside, of
    covariance R, adds R ∘ (C + F Fᵀ) to C, and coloured sources are further components of the state.

    At an unstable fixed point, or without one, the covariance is NaN and ``converged`` False. The rates of a network in
    voltage form are E f(v) for a normal v of this mean and covariance.

    Raises
    ------
    Divergence
        If the state grows without bound.

    Examples
    --------
    >>> law = solve(CTRNN.single(w=0.5, b=0.1), Noise(inside=0.5))
    >>> round(float(law.mean[0]), 4)
    0.3755
    """
    step = Step.of(net, u, noise)
    end = follow(step, net.start_state(start))
    law, messages = None, [end.remark("the smoothed network")]
    if end.converged:
        law = _fluctuations(net, noise, u, step, step.preactivation(end.state))
        messages[0] += ", and there is no covariance about it" if law is None else ""
    messages.append(_colour(net, noise))
    V = np.full((net.n, net.n), np.nan) if law is None else law.states
    return StationaryLaw(
        mean=end.state,
        covariance=V,
        method="mean_field",
        converged=law is not None,
        message="; ".join(filter(None, messages)),
        details={"steps": end.steps},
        rates=normal_rates(net, end.state, V),
    )


def _fluctuations(net: CTRNN, noise: Noise, u: ArrayLike | None, step: Step, a: FloatArray) -> LinearLaw | None:
    """Return the linear response about the pre-activations a (N,) of the smoothed fixed point, or None.

    What f makes of the noise inside beyond a multiple of its additive part is taken to be white.
    """
    f, total = net.activation, noise.covariance("inside", net.n)
    S = total + noise.gain_covariance("inside", net.n) * np.outer(a, a)
    slope = step.slope(a)
    felt = f.smoothed(a, np.sqrt(np.diag(S)), 1) if step.multiplied else slope
    C, F = covariance_matrix(f, a, S), step.value(a)
    scatter = C - felt[:, None] * total * felt
    if np.any(R := noise.gain_covariance("outside", net.n)):
        scatter += R * (C + np.outer(F, F))
    return LinearLaw.of(Augmented.of(net, noise, u), slope, felt, scatter)


def _colour(net: CTRNN, noise: Noise) -> str:
    """Return a sentence on coloured noise whose correlation time is not far below τ, or an empty one."""
    if not np.any(net.W):
        return ""
    found = [noise.coloured(site, net.n) for site in SITES]
    times = [np.max(net.gammas[:, None] * (factor != 0.0) / -np.log(rho), initial=0.0) for factor, rho in found]
    if max(times) < LONG:
        return ""
    return f"the noise has a correlation time of {max(times):.3g} τ, and mean_field is the limit of one far below τ"


def normal_rates(net: CTRNN, mean: FloatArray, covariance: FloatArray) -> FloatArray | None:
    """Return E f(v) (N,) of a network in voltage form whose v has this normal law, NaN without one; or else None."""
    if net.form != "voltage":
        return None
    if not np.all(np.isfinite(covariance)):
        return np.full(net.n, np.nan)
    rates: FloatArray = net.activation.smoothed(mean, np.sqrt(np.maximum(np.diag(covariance), 0.0)))
    return rates


def solve_neurons(neurons: Neurons) -> NeuronLaws:
    """Find the noise-smoothed fixed points that many single neurons settle to from the zero state."""
    f, ends = neurons.f, settle_neurons(neurons, neurons.inside)
    some, variance = neurons[ends.settled], np.full(neurons.size, np.nan)
    a = some.w * ends.state[ends.settled] + some.b
    A = some.response(f.smoothed(a, some.inside, 1))
    innovation = f.smoothed_variance(a, some.inside) + some.outside**2
    variance[ends.settled] = some.gamma**2 * innovation / (1.0 - A**2)
    return NeuronLaws(ends.state, variance, ends.settled, ends.growing)
