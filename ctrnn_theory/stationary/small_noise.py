"""The leading order in σ: smooth activations through f'', slope jumps through the kink block."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from ctrnn_theory.network import CTRNN, Noise
from ctrnn_theory.stationary import deterministic
from ctrnn_theory.stationary.law import FloatArray, NotApplicable, StationaryLaw
from ctrnn_theory.stationary.linear import linear_covariance

NEAR = 3.0  # standard deviations to a kink within which the expansion is said not to hold


def solve(net: CTRNN, noise: Noise, u: ArrayLike | None = None, start: ArrayLike | None = None) -> StationaryLaw:
    """Stationary mean and covariance to order σ², about the fixed point that `start` flows to.

    V = A V Aᵀ + γ² (D Σ_in D + Σ_out) with A = (1-γ) I + γ D W, D = diag f'(a*), and
    δ = ½ (I - D W)⁻¹ [f''(a*) ∘ diag(Σ_in + W V Wᵀ)]; the error is of order σ⁴ where f is smooth.

    Close to a kink the expansion fails. ``details["kink_shift"]`` then holds the leading shift by the kink block,
    (I - D̄ W)⁻¹ Δ s [ψ(ζ) - ζ₊], and the message says so.

    Raises
    ------
    NotApplicable
        If f'' does not exist at the fixed point, or there is no stable fixed point.
    Divergence
        If the noise-free state grows without bound.

    Examples
    --------
    >>> law = solve(CTRNN.single(w=-1.0, b=0.2, activation="softplus", gamma=0.2), Noise(inside=0.1))
    >>> round(float(law.mean[0] - 0.5382543425), 7)
    0.0008549
    """
    f, n = net.activation, net.n
    base = deterministic.solve(net, noise, u, start)
    if not base.converged:
        raise NotApplicable("small_noise needs a stable fixed point; the noise-free network does not settle")
    a = net.preactivation(base.mean, u)
    sigma_in, sigma_out = noise.covariance("inside", n), noise.covariance("outside", n)
    on = [k for k in f.breakpoints if np.any(np.abs(a - k) <= 1e-10 * (1.0 + abs(k)))]
    if on:
        reason = f"f'' does not exist at the fixed point, where a* lies on the breakpoint of f at {on[0]:g}"
        if on[0] in [kink.location for kink in f.kinks]:
            reason += f"; the kink block gives a leading shift of {_numbers(kink_shift(net, noise, a))}"
        raise NotApplicable(reason)
    d, k = f.derivative(a, 1), f.derivative(a, 2)
    V = linear_covariance(net.W, d, net.gamma, d[:, None] * sigma_in * d + sigma_out)
    if V is None:
        raise NotApplicable("small_noise needs a stable fixed point; the linearised step is not stable")
    S = sigma_in + net.W @ V @ net.W.T
    delta = np.linalg.solve(np.eye(n) - d[:, None] * net.W, 0.5 * k * np.diag(S))
    details: dict[str, object] = {"order": 2, "fixed_point": base.mean}
    message = ""
    nearest = _nearest_kink(net, a, np.sqrt(np.diag(S)))
    if nearest is not None:
        location, distance = nearest
        details["kink_shift"] = shift = kink_shift(net, noise, a)
        message = (
            f"a* is {distance:.2g} standard deviations from the kink at {location:g}, where the expansion fails;"
            f" the kink block gives a shift of {_numbers(shift)}"
        )
    return StationaryLaw(base.mean + delta, V, "small_noise", True, message, details=details)


def kink_shift(net: CTRNN, noise: Noise, a: FloatArray) -> FloatArray:
    """Leading shift (N,) of the mean due to the jumps of f and f' near the pre-activations a* (N,).

    e = Σ_k Δ_k s [ψ(ζ) - ζ₊] + J_k [Φ(ζ) - θ(ζ)], ζ = (a* - k)/s, ψ(ζ) = φ(ζ) + ζ Φ(ζ), with s the standard deviation
    of the pre-activation (the noise inside and the recurrent fluctuations), then δ = (I - D̄ W)⁻¹ e.
    """
    f, n = net.activation, net.n
    sigma_in = noise.covariance("inside", n)
    slope = f.smoothed(a, noise.std("inside", n), derivative=1)
    V = linear_covariance(net.W, slope, net.gamma, slope[:, None] * sigma_in * slope + noise.covariance("outside", n))
    S = sigma_in if V is None else sigma_in + net.W @ V @ net.W.T
    s = np.sqrt(np.maximum(np.diag(S), np.finfo(float).tiny))
    excess = np.zeros(n)
    for kink in f.kinks:
        z = np.abs(a - kink.location) / s  # both blocks are even or odd in ζ
        phi = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        excess += kink.slope_jump * s * (phi - z * ndtr(-z))
        excess -= kink.value_jump * np.sign(a - kink.location) * ndtr(-z)
    smoothed_slope = f.smoothed(a, s, derivative=1)
    shift: FloatArray = np.linalg.solve(np.eye(n) - smoothed_slope[:, None] * net.W, excess)
    return shift


def _nearest_kink(net: CTRNN, a: FloatArray, s: FloatArray) -> tuple[float, float] | None:
    """Location of the kink nearest to any neuron, and its distance in units of s, if that is below `NEAR`."""
    pairs = [
        (abs(x - kink.location) / scale, kink.location)
        for x, scale in zip(a, s, strict=True)
        if scale > 0.0
        for kink in net.activation.kinks
    ]
    if not pairs or min(pairs)[0] > NEAR:
        return None
    distance, location = min(pairs)
    return location, distance


def _numbers(values: FloatArray) -> str:
    return ", ".join(f"{x:.4g}" for x in values)
