"""The mean field: the fixed point of the network whose activation is replaced by its Gaussian average."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations.gaussian.covariance import covariance_matrix
from ctrnn_theory.dynamics.linear_response import linear_covariance
from ctrnn_theory.dynamics.neurons import Neurons, settle_neurons
from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.model.kinds import require
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.neuron_laws import NeuronLaws


def solve(net: CTRNN, noise: Noise, u: ArrayLike | None = None, start: ArrayLike | None = None) -> StationaryLaw:
    """Return the fixed point m = F(W m + W_in u + b; σ_in) to which the smoothed network settles from `start`.

    This is the limit of E h for γ → 0 at fixed σ_in; noise outside does not shift it. The covariance is the linear
    response to the fluctuations about m:
    V = A V Aᵀ + γ² (C + Σ_out), A = (1-γ) I + γ diag(F') W, C = Cov f(a + σ_in ξ).

    At an unstable fixed point, or without one, the covariance is NaN and ``converged`` False.

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
    require("mean_field", net, noise)
    f, drive, std = net.activation, net.drive(u), noise.std("inside", net.n)
    end = settle(f, std, net.W, drive, net.gamma, net.start_state(start))
    a = net.W @ end.state + drive
    V, message = None, end.remark("the smoothed network")
    if end.converged:
        innovation = covariance_matrix(f, a, noise.covariance("inside", net.n)) + noise.covariance("outside", net.n)
        V = linear_covariance(net.W, f.smoothed(a, std, 1), net.gamma, innovation)
        message += ", and there is no covariance about it" if V is None else ""
    return StationaryLaw(
        mean=end.state,
        covariance=np.full((net.n, net.n), np.nan) if V is None else V,
        method="mean_field",
        converged=V is not None,
        message=message,
        details={"steps": end.steps},
    )


def solve_neurons(neurons: Neurons) -> NeuronLaws:
    """Find the noise-smoothed fixed points that many single neurons settle to from the zero state."""
    f, ends = neurons.f, settle_neurons(neurons, neurons.inside)
    some, variance = neurons[ends.settled], np.full(neurons.size, np.nan)
    a = some.w * ends.state[ends.settled] + some.b
    A = some.response(f.smoothed(a, some.inside, 1))
    innovation = f.smoothed_variance(a, some.inside) + some.outside**2
    variance[ends.settled] = some.gamma**2 * innovation / (1.0 - A**2)
    return NeuronLaws(ends.state, variance, ends.settled, ends.growing)
