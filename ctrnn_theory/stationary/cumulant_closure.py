"""The closure at the third cumulant: the Gaussian closure with one more term, for a law that is skewed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import gaussian_closure
from ctrnn_theory.stationary.closure.chords import Anderson
from ctrnn_theory.stationary.closure.closure_map import ROUNDING
from ctrnn_theory.stationary.closure.cumulant_step import CumulantClosure
from ctrnn_theory.stationary.closure.cumulants import Cumulants, change, mixed, transform_axes
from ctrnn_theory.stationary.closure.moments import Moments, semidefinite
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.arguments import positive_integer, positive_number
from ctrnn_theory.support.errors import NotApplicable

VANISHED = 1e-200  # variance whose third power, which third cumulants are compared with, is next to underflow
DEPTH = 5  # differences of moves that Anderson mixing combines
WEIGHT = 0.7  # share of a move that is made: modes that overshoot their limit decay as those that fall short of it do
RUNAWAY = 1e3  # relative change in an iteration, from which the state is taken to diverge
UNSETTLED = "the third cumulants do not settle; the law of the Gaussian closure is returned"


def solve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    tolerance: float = 1e-11,
    max_iterations: int = 200,
) -> StationaryLaw:
    """Return the stationary mean and covariance of the closure at the third cumulant.

    The variance of the state is O(γ), its third cumulants are O(γ²) and its fourth cumulants O(γ³). The Gaussian
    closure therefore leaves an error of O(γ²) in the mean, and this closure one of O(γ³); in powers of the noise,
    O(σ⁴) and O(σ⁶). With γ near 1 these terms are not small, and this closure may be the worse of the two. See
    :meth:`ctrnn_theory.stationary.closure.cumulant_step.CumulantClosure.step` for the equations. They are solved by
    relaxation that begins at the Gaussian closure: the linear response of the map is inverted, and the remainder is
    iterated, with Anderson mixing.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    tolerance
        Largest relative change of mean, covariance and third cumulants in the last iteration.
    max_iterations
        Largest number of iterations.

    Returns
    -------
    StationaryLaw
        If the cumulants do not settle with a positive covariance, the law is that of the Gaussian closure and
        ``converged`` is False. ``details``: "skewness" (N,), κ_iii / V_ii^(3/2); "third_cumulant" (N, N, N);
        "correction" (N,), the shift of the mean by the third cumulants, about the error of the Gaussian closure;
        "residual", the last relative change; "iterations".

    Raises
    ------
    NotApplicable
        If the network has more than 64 neurons; for coloured noise; and for shared noise inside beside multiplicative
        noise inside. In voltage form also for additive noise outside and for values of γ that differ: without them it
        is v = W h + W_in u + b, with h the state of the network in rate form.
    Divergence
        If the mean or the covariance grows without bound.
    ValueError
        If the tolerance is not positive, or fewer than one iteration is allowed.

    Examples
    --------
    >>> net = CTRNN.single(w=1.2, b=0.1, activation="tanh", gamma=0.1)     # the fixed point is 0.773
    >>> law = solve(net, Noise(inside=0.5))         # the exact mean is 0.5722, the Gaussian closure's 0.5748
    >>> print(law.mean.round(4), law.details["skewness"].round(2))
    [0.5724] [-0.85]
    """
    tolerance, most = positive_number("tolerance", tolerance), positive_integer("max_iterations", max_iterations)
    if net.form == "voltage":
        return _of_voltages(net, noise, u, start, tolerance, most)
    closure = CumulantClosure.of(net, noise, u)
    law = gaussian_closure.solve(net, noise, u, start)
    gaussian = Cumulants.gaussian(Moments(law.mean, law.covariance)[None])
    if not law.converged or np.max(np.diag(law.covariance)) <= VANISHED:
        return replace(_law(gaussian, gaussian, 0.0, 0), converged=law.converged, message=law.message)
    for depth in (DEPTH, 0):  # where mixing goes astray, plain iteration may not
        state, residual, k, settled = _relax(closure, gaussian, tolerance, most, Anderson(depth, WEIGHT))
        if settled:
            break
    if not settled:
        return replace(_law(gaussian, gaussian, residual, k), converged=False, message=UNSETTLED)
    return _law(state, gaussian, residual, k)


def _of_voltages(
    net: CTRNN, noise: Noise, u: ArrayLike | None, start: ArrayLike | None, tolerance: float, most: int
) -> StationaryLaw:
    """Return the law of v = W h + W_in u + b, where h is the state of the network in rate form under the same noise.

    That is so if all noise passes f and all neurons have one γ. The start state is where the Gaussian closure settles.
    """
    if not isinstance(net.gamma, float):
        raise NotApplicable("third cumulants of voltages are those of rates, and neurons that differ in γ have none")
    if np.any(noise.outside):
        raise NotApplicable("third cumulants of voltages are those of rates, which noise outside has no part in")
    rates, f = replace(net, form="rate"), net.activation
    closest = gaussian_closure.solve(net, noise, u, start)
    inside = noise.std("inside", net.n)
    law = solve(
        rates,
        noise,
        u,
        f.smoothed(closest.mean, np.hypot(inside, closest.std)),
        tolerance=tolerance,
        max_iterations=most,
    )
    W, mean = net.W, net.W @ law.mean + net.drive(u)
    V = semidefinite(W @ law.covariance @ W.T)
    third = transform_axes(W[None], law.details["third_cumulant"][None])
    state = Cumulants(mean[None], V[None], third)
    details = {**law.details, "third_cumulant": third[0], "skewness": state.skewness[0]}
    details["correction"] = W @ law.details["correction"]
    s = np.sqrt(np.diag(V))
    bend = np.where(s > 0.0, f.smoothed(mean, np.where(s > 0.0, s, 1.0), 3), 0.0)
    own = np.einsum("iii->i", third[0])
    return replace(law, mean=mean, covariance=V, details=details, rates=f.smoothed(mean, s) + bend * own / 6.0)


def _relax(
    closure: CumulantClosure, gaussian: Cumulants, tolerance: float, most: int, mixing: Anderson
) -> tuple[Cumulants, float, int, bool]:
    """Return the state of the one network, the last relative change, the iterations, and whether the state settled."""
    state, residual, k = gaussian, np.inf, 0
    while k < most:
        new, good = closure.relax(state)
        if not good[0]:
            break
        last, residual, k = residual, float(change(state, new)[0]), k + 1
        state = mixed(mixing, gaussian, state, new)
        if not residual < RUNAWAY:
            break
        if residual <= tolerance or (residual <= ROUNDING and residual >= last):
            return state, residual, k, mixing.attracting()
    return state, residual, k, False


def _law(state: Cumulants, gaussian: Cumulants, residual: float, iterations: int) -> StationaryLaw:
    """Return the law of the one network of a batch."""
    return StationaryLaw(
        state.mean[0],
        state.covariance[0],
        "cumulant_closure",
        details={
            "skewness": state.skewness[0],
            "third_cumulant": state.third[0],
            "correction": state.mean[0] - gaussian.mean[0],
            "residual": residual,
            "iterations": iterations,
        },
    )
