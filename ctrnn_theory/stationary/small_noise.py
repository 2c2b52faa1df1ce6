"""The expansion in σ: by the derivatives of f where it is smooth, with the kink block where its slope jumps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.group import parts
from ctrnn_theory.dynamics.linear_response import LinearLaw
from ctrnn_theory.dynamics.neurons import Neurons, settle_neurons
from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.kinds import WORDS, kinds
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.neuron_laws import NeuronLaws
from ctrnn_theory.support.arguments import even_order
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.results import FEW, row_of
from ctrnn_theory.support.types import FloatArray, IntArray

NEAR = 3.0  # standard deviations of the pre-activation to a kink, within which the message warns
NEAR_BREAK = 1e-9  # relative distance to a breakpoint within which a neuron is left to the method for one network
POOR = 0.1  # share of the last term in the bias, above which the message warns
MULTIPLICATIONS = 1000  # of the map of second moments, at most, whose growth tends to its largest eigenvalue
DECIDED = 0.1  # change of the growth, relative to its distance from one, at which that decides
ON = 1e-10  # relative distance of a* to a breakpoint, below which it lies on it


def solve(
    net: CTRNN, noise: Noise, u: ArrayLike | None = None, start: ArrayLike | None = None, *, order: int = 2
) -> StationaryLaw:
    """Return stationary mean and covariance up to σ^order, about the fixed point to which `start` settles.

    To order 2, with white additive noise on a network in rate form, V = A V Aᵀ + γ² (D Σ_in D + Σ_out) with
    A = (1-γ) I + γ D W, D = diag f'(a*), and δ = ½ (I - D W)⁻¹ [f''(a*) ∘ diag(Σ_in + W V Wᵀ)]. Higher orders, for one
    neuron of this kind, come from the moment hierarchy of ``ctrnn_theory.derive``. The error is of order σ^(order+2)
    where f is smooth.

    For a step h' = (1-Γ) h + Γ (B y + d), y = f(U h + c), in either form, A = 1 - Γ + Γ B D U and
    δ = ½ (I - B D U)⁻¹ B [f'' ∘ diag S] with S the covariance of the argument of f. Multiplicative noise of covariance
    R inside counts as noise inside of covariance R ∘ a* a*ᵀ, and outside, dropout included, as noise outside of
    covariance B (R ∘ f fᵀ) Bᵀ. Coloured sources are further components of the state, and S holds their covariance with
    it. The rates of a network in voltage form are f(v*) + D δ + ½ f'' ∘ diag V.

    The expansion fails close to a kink. ``details["kink_shift"]`` then holds the leading shift by the kink block,
    (I - D̄ W)⁻¹ Δ s [ψ(ζ) - ζ₊], and the message says so.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    order
        Highest power of σ: even and at least 2; above 2 for one neuron in rate form with white additive noise alone.

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
        If f'' does not exist at the fixed point, if that is not stable, or if the order is above 2 for several neurons,
        in voltage form, or for noise that is not white and additive.
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
    f, n = net.activation, net.n
    _check_order(net, noise, order)
    end = settle(net, u, start)
    if not (end.converged and end.stable):
        raise NotApplicable(f"small_noise needs a stable fixed point; {end.reason('the noise-free network')}")
    wiring, a = Wiring.of(net, u), net.preactivation(end.state, u)
    _refuse_breakpoints(net, noise, a)
    d, bend = f.derivative(a, 1), f.derivative(a, 2)
    law = _linear_law(net, noise, a, d, f(a))
    if law is None:
        raise NotApplicable("small_noise needs a stable fixed point; the linearised step is not stable")
    V, S = law.states, law.preactivation + np.diag(noise.gain_covariance("inside", n)) * a**2
    terms = np.linalg.solve(np.eye(n) - wiring.loop(d), wiring.write @ (0.5 * bend * S))[None, :]
    details: dict[str, object] = {"order": order, "fixed_point": end.state, "ratio": None}
    messages = _too_strong(noise, wiring, d)
    if order > 2:
        terms, V, variance_is_poor = _one_neuron(net, noise, a, order, V)
        details["ratio"] = ratio = _ratio(terms)
        if ratio > POOR:
            messages.append(f"the term in σ{_raised(order)} is {ratio:.0%} of the shift: too much noise for this order")
        if variance_is_poor:
            messages.append("the series of the variance is negative, and its value at order 2 is returned")
    details["terms"] = terms
    messages += _near_breakpoints(net, noise, a, np.sqrt(S), details)
    mean = end.state + np.sum(terms, axis=0)
    rates = f(a) + d * np.sum(terms, axis=0) + 0.5 * bend * np.diag(V) if net.form == "voltage" else None
    return StationaryLaw(mean, V, "small_noise", True, "; ".join(messages), details=details, rates=rates)


def _check_order(net: CTRNN, noise: Noise, order: int) -> None:
    """Raise NotApplicable if an order above 2 is not known for the network or its noise."""
    if order == 2:
        return
    if net.n > 1:
        raise NotApplicable(
            f"order {order} of small_noise is for one neuron, and the network has {net.n}; order 2 is for any"
        )
    for kind in kinds(net, noise):
        raise NotApplicable(f"order {order} of small_noise does not take {WORDS[kind]}; order 2 does")


def _linear_law(net: CTRNN, noise: Noise, a: FloatArray, slope: FloatArray, value: FloatArray) -> LinearLaw | None:
    """Return the linear response at slopes (N,) and values (N,) of f, or None if it is not stable."""
    inside, outside = (noise.gain_covariance(site, net.n) for site in SITES)
    scatter = slope[:, None] * (inside * np.outer(a, a)) * slope + outside * np.outer(value, value)
    return LinearLaw.of(Augmented.of(net, noise), slope, slope, scatter)


def _too_strong(noise: Noise, wiring: Wiring, slope: FloatArray) -> list[str]:
    """Return a message if multiplicative noise leaves the linearised network without a stationary variance.

    Otherwise V → A V Aᵀ + Γ B [R ∘ (D U V Uᵀ D)] Bᵀ Γ contracts, with 1 + R the second moments of all that multiplies.
    """
    if not noise.has_gains:
        return []
    inside, outside = (noise.gain_covariance(site, wiring.n) for site in SITES)
    R, A = (1.0 + inside) * (1.0 + outside) - 1.0, wiring.jacobian(slope)
    DU, V, growth, before = slope[:, None] * wiring.read, np.eye(wiring.n) / wiring.n, 0.0, 1.0
    for _ in range(MULTIPLICATIONS):
        V = A @ V @ A.T + wiring.spread(R * (DU @ V @ DU.T))
        growth = float(np.trace(V))
        if not growth > 0.0 or abs(growth - before) < DECIDED * abs(growth - 1.0):
            break
        V, before = V / growth, growth
    if growth < 1.0:
        return []
    return ["the multiplicative noise is too strong for an expansion: the linearised network has no variance under it"]


def _near_breakpoints(net: CTRNN, noise: Noise, a: FloatArray, s: FloatArray, details: dict[str, object]) -> list[str]:
    """Return a message if a kink or another breakpoint of f is near, and add the shift by kinks to the details."""
    n = net.n
    kinks = [([kink.location for kink in f.kinks], neurons) for f, neurons in parts(net.activation, n)]
    breakpoints = [(f.breakpoints, neurons) for f, neurons in parts(net.activation, n)]
    if (nearest := _nearest(kinks, a, s)) is not None:
        details["kink_shift"] = shift = kink_shift(net, noise, a)
        return [
            f"a* is {nearest[1]:.2g} standard deviations from the kink at {nearest[0]:g}, where the expansion fails;"
            f" the kink block gives a shift of {_numbers(shift)}"
        ]
    if (nearest := _nearest(breakpoints, a, s)) is not None:
        return [
            f"a* is {nearest[1]:.2g} standard deviations from the breakpoint at {nearest[0]:g}, where a derivative of f"
            " jumps, which the expansion leaves out"
        ]
    return []


def _refuse_breakpoints(net: CTRNN, noise: Noise, a: FloatArray) -> None:
    """Raise NotApplicable if one of the pre-activations a* (N,) lies on a breakpoint where f'' jumps or is infinite."""
    for f, neurons in parts(net.activation, net.n):
        on = [k for k in f.breakpoints if np.any(np.abs(a[neurons] - k) <= ON * (1.0 + abs(k))) and not _bends(f, k)]
        if not on:
            continue
        reason = f"f'' does not exist at the fixed point, where a* lies on the breakpoint of f at {on[0]:g}"
        if on[0] in [kink.location for kink in f.kinks]:
            reason += f"; the kink block gives a leading shift of {_numbers(kink_shift(net, noise, a))}"
        raise NotApplicable(reason)


def _bends(f: Activation, k: float) -> bool:
    """Return whether f has a second derivative at its breakpoint k, as a power above 2 has at its threshold."""
    at = f.breakpoints.index(k)
    limits = np.array([[piece.limit(k, order) for order in range(3)] for piece in f.pieces[at : at + 2]])
    return bool(np.all(np.isfinite(limits)) and np.allclose(limits[0], limits[1], rtol=ON, atol=ON))


def _one_neuron(
    net: CTRNN, noise: Noise, a: FloatArray, order: int, leading: FloatArray
) -> tuple[FloatArray, FloatArray, bool]:
    """Return the terms of the bias (order/2, 1), the covariance (1, 1), and whether that is the `leading` one."""
    from ctrnn_theory.derive.hierarchy import numbers  # which imports SymPy, and is not needed for order 2

    derivatives = [float(net.activation.derivative(a, k)[0]) for k in range(1, order + 1)]
    inside, outside = (float(noise.std(site, 1)[0]) for site in SITES)
    found = numbers(order, float(net.W[0, 0]), float(net.gammas[0]), inside, outside, derivatives)
    variance = sum(found["variance"])
    poor = variance < 0.0
    return np.array(found["bias"])[:, None], leading if poor else np.array([[variance]]), poor


def _ratio(terms: FloatArray) -> float:
    """Return the size of the last term over that of the sum; 0 if all vanish."""
    last, total = float(np.max(np.abs(terms[-1]))), float(np.max(np.abs(np.sum(terms, axis=0))))
    return last / total if total > 0.0 else (math.inf if last > 0.0 else 0.0)


def _raised(order: int) -> str:
    return str(order).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def kink_shift(net: CTRNN, noise: Noise, a: FloatArray) -> FloatArray:
    """Return the leading shift (N,) of the mean by the jumps of f and f' near the pre-activations a* (N,).

    e = Σ_k Δ_k s [ψ(ζ) - ζ₊] + J_k [Φ(ζ) - θ(ζ)], ζ = (a* - k)/s, ψ(ζ) = φ(ζ) + ζ Φ(ζ), with s the standard deviation
    of the pre-activation (the noise inside and the recurrent fluctuations), then δ = (I - B D̄ U)⁻¹ B e, which is
    (I - D̄ W)⁻¹ e in rate form.
    """
    n, wiring = net.n, Wiring.of(net)
    s = np.maximum(preactivation_std(net, noise, a), math.sqrt(np.finfo(float).tiny))
    excess = np.zeros(n)
    for f, neurons in parts(net.activation, n):
        for kink in f.kinks:
            away = a[neurons] - kink.location
            z = np.abs(away) / s[neurons]  # both blocks are even or odd in ζ
            phi = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
            excess[neurons] += kink.slope_jump * s[neurons] * (phi - z * ndtr(-z))
            excess[neurons] -= kink.value_jump * np.sign(away) * ndtr(-z)
    smoothed_slope = net.activation.smoothed(a, s, derivative=1)
    solved = np.linalg.solve(np.eye(n) - wiring.loop(smoothed_slope), wiring.write @ excess)
    return np.asarray(solved, dtype=np.float64)


def preactivation_std(net: CTRNN, noise: Noise, a: FloatArray) -> FloatArray:
    """Return the standard deviation (N,) of the pre-activation about a* (N,).

    It is √diag S, in rate form with white noise S = Σ_in + W V Wᵀ, with V the linear response at the slopes
    F'(a*; σ_in), or S = Σ_in where that is not stable. Multiplicative noise inside is part of Σ_in.
    """
    f, n = net.activation, net.n
    multiplied = np.diag(noise.gain_covariance("inside", n)) * a**2
    inside = noise.std("inside", n) ** 2 + multiplied
    slope, value = (np.asarray(f.smoothed(a, np.sqrt(inside), order)) for order in (1, 0))
    law = _linear_law(net, noise, a, slope, value)
    std: FloatArray = np.sqrt(inside if law is None else law.preactivation + multiplied)
    return std


def _nearest(
    places: Sequence[tuple[Sequence[float], IntArray]], a: FloatArray, s: FloatArray
) -> tuple[float, float] | None:
    """Return the point that is nearest to a neuron of its own, and its distance in units of s, if below `NEAR`."""
    pairs = [
        (abs(x - location) / scale, location)
        for locations, neurons in places
        for x, scale in zip(a[neurons], s[neurons], strict=True)
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
