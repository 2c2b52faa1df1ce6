"""Processes h' = A h + B with random multipliers A (Kesten processes): whether a law exists, and how heavy its tail is.

A law exists if E log|A| < 0. Its tail is a power, P(|h| > x) ~ x^(-κ), whose exponent κ is the root of E|A|^κ = 1, so
that E|h|^p is finite for p < κ alone [1]_, [2]_. Where the law of A depends on the sign of h, the two signs are the
states of a chain, and E|A|^p is replaced by the spectral radius of Q(p), Q_ij = E[|A|^p; from sign i to sign j].

References
----------
.. [1] H. Kesten, "Random difference equations and renewal theory for products of random matrices", Acta Math. 131
   (1973) 207-248.
.. [2] C. M. Goldie, "Implicit renewal theory and tails of solutions of random equations", Ann. Appl. Probab. 1 (1991)
   126-166.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq

from ctrnn_theory.numerics.half_moments import Piece, excess, log_moment, mean_log
from ctrnn_theory.support.arguments import finite_number, nonnegative

Pieces = tuple[Piece, ...]
TINY = 1e-100  # exponent that stands for p → 0
HUGE = 1e60  # exponent that stands for p → ∞
FORMS = 0.5  # exponent from which logarithms of moments lose nothing
NEVER = 1e-50  # a change of sign that is less probable than this in a step is left out as p → 0


def lyapunov_exponent(mean: float, std: float) -> float:
    """Return E log|A| for A = mean + std ξ, ξ standard normal; h' = A h + B has a stationary law if it is negative.

    It is log std - (γ_E + log 2)/2 + √2 ∫₀^z D(t/√2) dt with Dawson's integral D and z = mean/std.

    Parameters
    ----------
    mean, std
        Mean and standard deviation of the multiplier.

    Returns
    -------
    float
        The exponent per step, with an absolute error of a few units of rounding; -inf if A is zero.

    Raises
    ------
    ValueError
        If the mean or the standard deviation is not a finite number, or the latter is negative.

    Examples
    --------
    >>> lyapunov_exponent(0.0, 1.0), lyapunov_exponent(0.95, 0.0)
    (-0.635181, -0.0512933)
    """
    piece = _normal(mean, std)
    if piece.mean == piece.std == 0.0:
        return -math.inf
    return mean_log((piece, piece.mirrored()))


def log_absolute_moment(mean: float, std: float, p: float) -> float:
    """Return log E|A|^p for A = mean + std ξ, ξ standard normal, and p ≥ 0.

    E|A|^p = std^p 2^(p/2) Γ((p+1)/2)/√π ₁F₁(-p/2; 1/2; -z²/2), z = mean/std.

    Examples
    --------
    >>> log_absolute_moment(0.6, 0.8, 2.0)                            # E A² = 1
    0.0
    """
    piece = _normal(mean, std)
    return log_moment((piece, piece.mirrored()), nonnegative("p", p))


def tail_exponent(mean: float, std: float) -> float:
    """Return the tail exponent κ of the stationary law of h' = A h + B with A = mean + std ξ, ξ standard normal.

    The law has moments of order p < κ. It is the root of E|A|^κ = 1, above 2 if and only if mean² + std² < 1.

    Parameters
    ----------
    mean, std
        Mean and standard deviation of the multiplier.

    Returns
    -------
    float
        The exponent; 0 if there is no law, E log|A| ≥ 0, and inf if all moments exist, std = 0 and |mean| < 1.

    Raises
    ------
    ValueError
        If the mean or the standard deviation is not a finite number, or the latter is negative.

    Examples
    --------
    Noise outside of relative size 0.5 on a linear neuron, w = 0.5 and γ = 0.1:

    >>> tail_exponent(1 - 0.1 + 0.1 * 0.5, 0.1 * 0.5 * 0.5)
    164.833
    >>> tail_exponent(0.5, 0.0), tail_exponent(1.0, 3.0)
    (inf, 0.0)
    """
    piece = _normal(mean, std)
    if piece.std == 0.0:
        return math.inf if abs(piece.mean) < 1.0 else 0.0
    both = piece, piece.mirrored()

    def log_radius(p: float) -> float:
        return log_moment(both, p) if p >= FORMS else math.log1p(excess(both, p)[1])

    return _root(log_radius)


def chain_tail_exponent(up: Pieces, down: Pieces) -> float:
    """Return the tail exponent if the multiplier depends on the sign of h: `up` for h > 0, `down` for h < 0.

    A multiplier below zero changes the sign. With Q_ij(p) = E[|A|^p; from sign i to sign j] and r its spectral radius,
    E|h|^p is finite if r(p) < 1, and the exponent is the root of r(κ) = 1. As p → 0 this is the condition that
    E log|A|, averaged over the stationary signs, is negative, or that a sign is left for ever.

    Parameters
    ----------
    up, down
        Pieces of the law of A; their probabilities sum to one.

    Returns
    -------
    float
        The exponent; 0 if there is no law, and inf if all moments exist. Where one sign is left for ever, as it is by
        relu, an exponent close to zero stands for a law of which a simulation sees nothing.

    Examples
    --------
    If the sign is kept, each sign has a tail, and the heavier one counts:

    >>> chain_tail_exponent((Piece(0.95, 0.025),), (Piece(0.9),))
    164.833
    """
    return _root(lambda p: chain_log_radius(up, down, p))


def chain_log_radius(up: Pieces, down: Pieces, p: float) -> float:
    """Return log r(p), below zero if E|h|^p is finite, for the multipliers of :func:`chain_tail_exponent`.

    Examples
    --------
    >>> chain_log_radius((Piece(0.6, 0.8),), (Piece(0.6, 0.8),), 2.0)  # E A² = 1
    0.0
    """
    pieces = (up, _mirrored(up), down, _mirrored(down))  # stay above, leave it; stay below, leave it
    if p < FORMS:
        ends = tuple(sum(piece.weight for piece in law if piece.mean == piece.std == 0.0) for law in (up, down))
        return _log_radius_near_zero([excess(law, p) for law in pieces], ends)
    stay_up, leave_up, stay_down, leave_down = (log_moment(law, p) for law in pieces)
    cycle = 0.5 * (leave_up + leave_down)
    top = max(stay_up, stay_down, cycle)
    if top == -math.inf:
        return top
    first, second, both = (math.exp(part - top) for part in (stay_up, stay_down, cycle))
    return top + math.log(0.5 * (first + second) + math.hypot(0.5 * (first - second), both))


def _log_radius_near_zero(parts: list[tuple[float, float]], ends: tuple[float, ...]) -> float:
    """Return log r from the probabilities k and the changes e = Q - k of the entries, and the probabilities of A = 0.

    With a_i = 1 - Q_ii, r - 1 is the larger root of (x + a_1)(x + a_2) = Q_12 Q_21. Its numerator Q_12 Q_21 - a_1 a_2
    is written such that the ones cancel before rounding.
    """
    (_, e_11), (k_12, e_12), (_, e_22), (k_21, e_21) = parts
    if k_12 < NEVER:
        k_12 = e_12 = 0.0
    if k_21 < NEVER:
        k_21 = e_21 = 0.0
    leave_1, leave_2 = k_12 + ends[0], k_21 + ends[1]
    a_1, a_2 = leave_1 - e_11, leave_2 - e_22
    product = (k_12 + e_12) * (k_21 + e_21)
    numerator = k_12 * e_21 + k_21 * e_12 + e_12 * e_21 + leave_1 * e_22 + leave_2 * e_11 - e_11 * e_22
    numerator -= ends[0] * leave_2 + k_12 * ends[1]
    root = math.sqrt((a_1 - a_2) ** 2 + 4.0 * product)
    over = 0.5 * (root - a_1 - a_2) if a_1 + a_2 <= 0.0 else 2.0 * numerator / (a_1 + a_2 + root)
    return math.log1p(over) if over > -1.0 else -math.inf


def _root(log_radius: Callable[[float], float]) -> float:
    """Return the root p > 0 of a convex function that is at most 0 at p = 0; 0 or inf if there is none."""
    if log_radius(TINY) >= 0.0:
        return 0.0
    low = high = 1.0
    while log_radius(high) < 0.0:
        low, high = high, 2.0 * high
        if high > HUGE:
            return math.inf
    while log_radius(low) >= 0.0:
        low, high = 0.5 * low, low
        if low < TINY:
            return 0.0
    if high == low:
        return low
    return math.exp(brentq(lambda x: log_radius(math.exp(x)), math.log(low), math.log(high), xtol=1e-15, rtol=1e-15))


def _normal(mean: float, std: float) -> Piece:
    return Piece(finite_number("mean", mean), nonnegative("std", std))


def _mirrored(pieces: Pieces) -> Pieces:
    return tuple(piece.mirrored() for piece in pieces)
