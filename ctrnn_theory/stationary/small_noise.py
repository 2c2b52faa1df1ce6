"""The expansion in σ: by the derivatives of f where it is smooth, with the kink block where its slope jumps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from ctrnn_theory.dynamics.linear_response import linear_covariance
from ctrnn_theory.dynamics.neurons import Neurons, settle_neurons
from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.model.kinds import require
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.neuron_laws import NeuronLaws
from ctrnn_theory.support.arguments import even_order
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.results import FEW, row_of
from ctrnn_theory.support.types import FloatArray

NEAR = 3.0  # standard deviations of the pre-activation to a kink, within which the message warns
NEAR_BREAK = 1e-9  # relative distance to a breakpoint within which a neuron is left to the method for one network
POOR = 0.1  # share of the last term in the bias, above which the message warns
ON = 1e-10  # relative distance of a* to a breakpoint, below which it lies on it


def solve(
    net: CTRNN, noise: Noise, u: ArrayLike | None = None, start: ArrayLike | None = None, *, order: int = 2
) -> StationaryLaw:
    """Return stationary mean and covariance up to σ^order, about the fixed point to which `start` settles.

    To order 2, V = A V Aᵀ + γ² (D Σ_in D + Σ_out) with A = (1-γ) I + γ D W, D = diag f'(a*), and
    δ = ½ (I - D W)⁻¹ [f''(a*) ∘ diag(Σ_in + W V Wᵀ)]. Higher orders, for one neuron, come from the moment hierarchy
    of ``ctrnn_theory.derive``. The error is of order σ^(order+2) where f is smooth.

    The expansion fails close to a kink. ``details["kink_shift"]`` then holds the leading shift by the kink block,
    (I - D̄ W)⁻¹ Δ s [ψ(ζ) - ζ₊], and the message says so.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    order
        Highest power of σ: even and at least 2; for more than one neuron, 2.

    Returns
    -------
    StationaryLaw
        ``details``: "order"; "fixed_point" (N,); "terms" (order/2, N), the contributions of σ², σ⁴, ... to the bias;
        "ratio", the size of the last term over that of their sum, or None for order 2. The series is asymptotic: its
        terms fall and then grow, the later the smaller σ is. The message warns of a ratio above 0.1.

    Raises
    ------
    ValueError
        For an order that is odd or less than 2.
    NotApplicable
        If f'' does not exist at the fixed point, if that is not stable, or for several neurons if the order is above 2.
    Divergence
        If the noise-free state grows without bound.

    Examples
    --------
    >>> net, noise = CTRNN.single(w=-1.0, b=0.2, activation="softplus", gamma=0.2), Noise(inside=0.5)
    >>> for order in (2, 4, 6):                                    # exact: 0.0211409
    ...     law = solve(net, noise, order=order)
    ...     print(f"{law.mean[0] - law.details['fixed_point'][0]:.7f}")
    0.0217519
    0.0210952
    0.0211461
    """
    order = even_order(order)
    require("small_noise", net, noise)
    f, n = net.activation, net.n
    if n > 1 and order > 2:
        raise NotApplicable(
            f"order {order} of small_noise is for one neuron, and the network has {n}; order 2 is for any"
        )
    end = settle(f, 0.0, net.W, net.drive(u), net.gamma, net.start_state(start))
    if not (end.converged and end.stable):
        raise NotApplicable(f"small_noise needs a stable fixed point; {end.reason('the noise-free network')}")
    a = net.preactivation(end.state, u)
    _refuse_breakpoints(net, noise, a)
    sigma_in, sigma_out = noise.covariance("inside", n), noise.covariance("outside", n)
    d = f.derivative(a, 1)
    V = linear_covariance(net.W, d, net.gamma, d[:, None] * sigma_in * d + sigma_out)
    if V is None:
        raise NotApplicable("small_noise needs a stable fixed point; the linearised step is not stable")
    S = sigma_in + net.W @ V @ net.W.T
    terms = np.linalg.solve(np.eye(n) - d[:, None] * net.W, 0.5 * f.derivative(a, 2) * np.diag(S))[None, :]
    details: dict[str, object] = {"order": order, "fixed_point": end.state, "ratio": None}
    messages = []
    if order > 2:
        terms, V, variance_is_poor = _one_neuron(net, noise, a, order, V)
        details["ratio"] = ratio = _ratio(terms)
        if ratio > POOR:
            messages.append(f"the term in σ{_raised(order)} is {ratio:.0%} of the shift: too much noise for this order")
        if variance_is_poor:
            messages.append("the series of the variance is negative, and its value at order 2 is returned")
    details["terms"] = terms
    messages += _near_breakpoints(net, noise, a, np.sqrt(np.diag(S)), details)
    mean = end.state + np.sum(terms, axis=0)
    return StationaryLaw(mean, V, "small_noise", True, "; ".join(messages), details=details)


def _near_breakpoints(net: CTRNN, noise: Noise, a: FloatArray, s: FloatArray, details: dict[str, object]) -> list[str]:
    """Return a message if a kink or another breakpoint of f is near, and add the shift by kinks to the details."""
    f = net.activation
    if (nearest := _nearest([kink.location for kink in f.kinks], a, s)) is not None:
        details["kink_shift"] = shift = kink_shift(net, noise, a)
        return [
            f"a* is {nearest[1]:.2g} standard deviations from the kink at {nearest[0]:g}, where the expansion fails;"
            f" the kink block gives a shift of {_numbers(shift)}"
        ]
    if (nearest := _nearest(f.breakpoints, a, s)) is not None:
        return [
            f"a* is {nearest[1]:.2g} standard deviations from the breakpoint at {nearest[0]:g}, where a derivative of f"
            " jumps, which the expansion leaves out"
        ]
    return []


def _refuse_breakpoints(net: CTRNN, noise: Noise, a: FloatArray) -> None:
    """Raise NotApplicable if one of the pre-activations a* (N,) lies on a breakpoint of f."""
    f = net.activation
    on = [k for k in f.breakpoints if np.any(np.abs(a - k) <= ON * (1.0 + abs(k)))]
    if not on:
        return
    reason = f"f'' does not exist at the fixed point, where a* lies on the breakpoint of f at {on[0]:g}"
    if on[0] in [kink.location for kink in f.kinks]:
        reason += f"; the kink block gives a leading shift of {_numbers(kink_shift(net, noise, a))}"
    raise NotApplicable(reason)


def _one_neuron(
    net: CTRNN, noise: Noise, a: FloatArray, order: int, leading: FloatArray
) -> tuple[FloatArray, FloatArray, bool]:
    """Return the terms of the bias (order/2, 1), the covariance (1, 1), and whether that is the `leading` one."""
    from ctrnn_theory.derive.hierarchy import numbers  # which imports SymPy, and is not needed for order 2

    derivatives = [float(net.activation.derivative(a, k)[0]) for k in range(1, order + 1)]
    inside, outside = (float(noise.std(site, 1)[0]) for site in SITES)
    parts = numbers(order, float(net.W[0, 0]), net.gamma, inside, outside, derivatives)
    variance = sum(parts["variance"])
    poor = variance < 0.0
    return np.array(parts["bias"])[:, None], leading if poor else np.array([[variance]]), poor


def _ratio(terms: FloatArray) -> float:
    """Return the size of the last term over that of the sum; 0 if all vanish."""
    last, total = float(np.max(np.abs(terms[-1]))), float(np.max(np.abs(np.sum(terms, axis=0))))
    return last / total if total > 0.0 else (math.inf if last > 0.0 else 0.0)


def _raised(order: int) -> str:
    return str(order).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def kink_shift(net: CTRNN, noise: Noise, a: FloatArray) -> FloatArray:
    """Return the leading shift (N,) of the mean by the jumps of f and f' near the pre-activations a* (N,).

    e = Σ_k Δ_k s [ψ(ζ) - ζ₊] + J_k [Φ(ζ) - θ(ζ)], ζ = (a* - k)/s, ψ(ζ) = φ(ζ) + ζ Φ(ζ), with s the standard deviation
    of the pre-activation (the noise inside and the recurrent fluctuations), then δ = (I - D̄ W)⁻¹ e.
    """
    f, n = net.activation, net.n
    s = np.maximum(preactivation_std(net, noise, a), math.sqrt(np.finfo(float).tiny))
    excess = np.zeros(n)
    for kink in f.kinks:
        z = np.abs(a - kink.location) / s  # both blocks are even or odd in ζ
        phi = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        excess += kink.slope_jump * s * (phi - z * ndtr(-z))
        excess -= kink.value_jump * np.sign(a - kink.location) * ndtr(-z)
    smoothed_slope = f.smoothed(a, s, derivative=1)
    shift: FloatArray = np.linalg.solve(np.eye(n) - smoothed_slope[:, None] * net.W, excess)
    return shift


def preactivation_std(net: CTRNN, noise: Noise, a: FloatArray) -> FloatArray:
    """Return the standard deviation (N,) of the pre-activation about a* (N,).

    It is √diag S, S = Σ_in + W V Wᵀ, with V the linear response at the slopes F'(a*; σ_in), or S = Σ_in where that is
    not stable.
    """
    n = net.n
    sigma_in = noise.covariance("inside", n)
    slope = net.activation.smoothed(a, noise.std("inside", n), derivative=1)
    V = linear_covariance(net.W, slope, net.gamma, slope[:, None] * sigma_in * slope + noise.covariance("outside", n))
    std: FloatArray = np.sqrt(np.diag(sigma_in if V is None else sigma_in + net.W @ V @ net.W.T))
    return std


def _nearest(locations: Sequence[float], a: FloatArray, s: FloatArray) -> tuple[float, float] | None:
    """Return the point that is nearest to any neuron, and its distance in units of s, if that is below `NEAR`."""
    pairs = [
        (abs(x - location) / scale, location)
        for x, scale in zip(a, s, strict=True)
        if scale > 0.0
        for location in locations
    ]
    if not pairs or min(pairs)[0] > NEAR:
        return None
    distance, location = min(pairs)
    return location, distance


def _numbers(values: FloatArray) -> str:
    return row_of(values, FEW, ".4g")


def solve_neurons(neurons: Neurons) -> NeuronLaws:
    """Solve the expansion to order 2 for many single neurons, about the fixed points that they settle to from zero."""
    ends = settle_neurons(neurons)
    w, f, a = neurons.w, neurons.f, neurons.w * np.nan_to_num(ends.state) + neurons.b
    d, bend = f.derivative(a), f.derivative(a, 2)
    known = ends.settled.copy()
    for k in f.breakpoints:
        known &= np.abs(a - k) > NEAR_BREAK * (1.0 + abs(k))
    A = np.where(known, neurons.response(d), 0.0)
    variance = neurons.gamma**2 * ((d * neurons.inside) ** 2 + neurons.outside**2) / (1.0 - A**2)
    shift = 0.5 * bend * (neurons.inside**2 + w**2 * variance) / np.where(known, 1.0 - d * w, 1.0)
    return NeuronLaws(ends.state + shift, variance, known, ends.growing)
