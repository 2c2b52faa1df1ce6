"""The law of a network of low rank, from the Markov chain of its latent variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.moments import semidefinite
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.latent.chain import LatentChain
from ctrnn_theory.stationary.markov.latent.solver import solve_chain
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.support.arguments import positive_number
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

TOLERANCES = {1: 1e-6, 2: 1e-4, 3: 1e-3}
"""Default tolerances, by the number of latent variables."""
SKEW = 1e-2
"""Standard deviations of a latent variable by which neglected cumulants may move its mean."""


def solve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    tolerance: float | None = None,
    edgeworth: bool = True,
) -> StationaryLaw:
    """Return stationary mean and covariance of a network of any size whose weights have a rank of at most three.

    With W = E Dᵀ of rank R the latent variables κ = Dᵀ h are a Markov chain in R dimensions by themselves, see
    :mod:`ctrnn_theory.stationary.markov.latent.step`. One step of it is the sum of N independent terms: it is taken to
    be normal, with the correction of Edgeworth for its third cumulant, of the order of 1/√N. The stationary law of the
    chain is found by collocation on a Chebyshev grid, as in :mod:`ctrnn_theory.stationary.exact`, and that of the
    neurons follows from it: E h = E F(E κ + c), F being the smoothed activation.

    Parameters
    ----------
    net
        The network, in rate form, whose neurons are alike.
    noise
        White noise; inside, neurons have their own.
    u
        Constant input (K,), or None.
    start
        State from which the network starts, zero by default. It matters if noise carries the state from one attractor
        to another so rarely that the box around the first one holds the law.
    tolerance
        Largest change of mean and standard deviation of κ as the grid is refined, in standard deviations; 1e-6 by
        default for one latent variable, 1e-4 for two, and 1e-3 for three.
    edgeworth
        Whether a step has its third cumulant, or is normal.

    Returns
    -------
    StationaryLaw
        ``details``: "latent_mean" (R,) and "latent_covariance" (R, R) of κ = Dᵀ h, with orthonormal columns of D;
        "error" (R,) of the mean of κ by the grid; "cumulant_error" (R,), an estimate of its error by what Edgeworth's
        correction leaves out; "memory", the number of steps after which κ has forgotten where it was; "nodes"; and
        "domain" (R, 2), the box.

    Raises
    ------
    NotApplicable
        If the rank is above three, which the message gives with the singular values, for correlated noise inside, for
        other kinds of networks and noise, and if attractors are connected too rarely for double precision.
    Divergence
        If noise carries the state away.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> W = np.outer(rng.standard_normal(200), rng.standard_normal(200)) / 100
    >>> law = solve(CTRNN(W, rng.standard_normal(200), "tanh"), Noise(inside=1.0))
    >>> law.details["latent_mean"].shape, bool(np.max(law.details["cumulant_error"]) < 1e-4)
    ((1,), True)
    """
    if tolerance is not None:
        positive_number("tolerance", tolerance)
    step, origin = LatentStep.of(net, noise, u), net.start_state(start)
    if noise.is_zero:
        return _point(net, u, origin)
    if not step.rank:
        return _without_weights(step)
    tolerance = TOLERANCES[step.rank] if tolerance is None else float(tolerance)
    chain, error = solve_chain(step, origin @ step.D, tolerance, edgeworth)
    return law_of(chain, error, tolerance)


def law_of(chain: LatentChain, error: FloatArray, tolerance: float) -> StationaryLaw:
    """Return the law of the neurons from that of their latent variables."""
    std = np.sqrt(np.maximum(np.diag(chain.latent_covariance), 0.0))
    left = chain.next_cumulant
    messages = []
    if not chain.table.resolved:
        messages.append("the smoothed activation bends too sharply to be resolved: there is too little noise inside")
    if not np.all(error <= tolerance * std):
        messages.append(f"estimated error of the latent mean by the grid {np.max(error):.1e}")
    if not np.all(left <= SKEW * std):
        messages.append(f"estimated error of the latent mean by fourth cumulants {np.max(left):.1e}: too few neurons")
    details = {
        "latent_mean": chain.latent_mean,
        "latent_covariance": chain.latent_covariance,
        "error": error,
        "cumulant_error": left,
        "memory": chain.memory,
        "nodes": chain.grid.size,
        "domain": np.stack([chain.grid.low, chain.grid.high], axis=1),
    }
    covariance = semidefinite(chain.covariance)
    return StationaryLaw(chain.mean, covariance, "latent", not messages, "; ".join(messages), details=details)


def _point(net: CTRNN, u: ArrayLike | None, origin: FloatArray) -> StationaryLaw:
    """Return the fixed point to which the network settles without noise."""
    end = settle(net, u, origin)
    if not end.converged:
        raise NotApplicable("without noise the state settles to no fixed point from this start")
    return StationaryLaw(end.state, np.zeros((net.n, net.n)), "latent")


def _without_weights(step: LatentStep) -> StationaryLaw:
    """Return the law of neurons without weights, which forget their rates with the leak alone."""
    mean, variance = (values[0] for values in step.rates(np.zeros((1, 0))))
    covariance = np.diag(variance - np.diag(step.outside)) + step.outside
    return StationaryLaw(mean, step.gamma / (2.0 - step.gamma) * covariance, "latent")
