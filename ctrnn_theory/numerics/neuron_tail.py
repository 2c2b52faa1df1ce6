"""The multipliers of one neuron far from the origin, where its activation is a straight line on either side."""

from __future__ import annotations

import math

from ctrnn_theory.numerics.half_moments import Piece
from ctrnn_theory.numerics.kesten import Pieces, chain_tail_exponent
from ctrnn_theory.support.arguments import finite_number, nonnegative, probability, real_array
from ctrnn_theory.support.errors import NotApplicable

FLAT = 1e-8  # slope over leak below which the multiplier is its mean on either side


def neuron_tail_exponent(
    w: float,
    gamma: float,
    slopes: tuple[float, float] = (1.0, 1.0),
    *,
    gain_inside: float = 0.0,
    gain_outside: float = 0.0,
    keep: float = 1.0,
) -> float:
    """Return the tail exponent of one neuron under multiplicative noise: E|h|^p is finite for p below it.

    Far out f(x) is d₋ x or d₊ x, and a step is h' = (1-γ) h + γ d w h (1 + μ ξ) with the slope d on the side of w h, or
    h' = (1-γ) h + γ d w h (1 + g ξ) with the slope on the side of w h (1 + g ξ) if the noise is inside. Additive noise
    and thresholds have no part in it.

    Parameters
    ----------
    w, gamma
        Self-connection, and step over time constant. In voltage form w is W too, since f(v) is multiplied by it.
    slopes
        Limits (d₋, d₊) of f' at -∞ and +∞: (0, 1) for relu, (0, 0) for tanh, (1, 1) for a linear neuron.
    gain_inside, gain_outside
        Standard deviations g and μ of the gain inside and outside the activation, of which one may be above 0.
    keep
        Probability of keeping the rate f under dropout, which multiplies it by mask/keep; 1 without dropout.

    Returns
    -------
    float
        The exponent, for both tails together; 0 if no law exists, and inf if all moments do.

    Raises
    ------
    ValueError
        If an argument is not a finite number in its range.
    NotApplicable
        If there is noise of more than one kind.

    Examples
    --------
    >>> neuron_tail_exponent(0.8, 0.3, (0.0, 1.0), gain_outside=0.5)     # relu
    9.52197
    >>> neuron_tail_exponent(0.8, 0.3, (0.0, 0.0), gain_outside=0.5)     # tanh
    inf
    >>> neuron_tail_exponent(0.8, 0.3, keep=0.5)                         # dropout: A is 1.18 or 0.7
    3.09092
    """
    return chain_tail_exponent(
        *neuron_multipliers(w, gamma, slopes, gain_inside=gain_inside, gain_outside=gain_outside, keep=keep)
    )


def neuron_multipliers(
    w: float,
    gamma: float,
    slopes: tuple[float, float] = (1.0, 1.0),
    *,
    gain_inside: float = 0.0,
    gain_outside: float = 0.0,
    keep: float = 1.0,
) -> tuple[Pieces, Pieces]:
    """Return the laws of A in h' = A h far above the origin and far below it, as :func:`neuron_tail_exponent` has them.

    Examples
    --------
    >>> neuron_multipliers(0.5, 0.1, (0.0, 1.0), gain_outside=0.5)[0]      # relu: 0.95 + 0.025 ξ above, 0.9 below
    (Piece(mean=0.95, std=0.025, weight=1.0, lower=-inf, upper=inf),)
    """
    w, gamma, keep = finite_number("w", w), probability("gamma", gamma), probability("keep", keep)
    below, above = map(float, real_array("slopes", slopes, (2,)))
    inside, outside = nonnegative("gain_inside", gain_inside), nonnegative("gain_outside", gain_outside)
    if (inside > 0.0) + (outside > 0.0) + (keep < 1.0) > 1:
        raise NotApplicable("the tail exponent is known for one kind of multiplicative noise at a time")
    laws: list[Pieces] = []
    for near, other in ((above, below), (below, above)) if w >= 0.0 else ((below, above), (above, below)):
        if inside > 0.0 and near != other:
            laws.append(_turned(1.0 - gamma, gamma * w * near, gamma * w * other, inside))
        else:
            moved = gamma * w * near / keep
            kept = Piece(1.0 - gamma + moved, abs(moved) * max(inside, outside), keep)
            laws.append((kept, Piece(1.0 - gamma, weight=1.0 - keep)) if keep < 1.0 else (kept,))
    return laws[0], laws[1]


def _turned(leak: float, near: float, other: float, gain: float) -> Pieces:
    """Return the law of leak + k (1 + g ξ), where k is `near` if 1 + g ξ is positive and `other` if it is negative."""
    turned = 0.5 * math.erfc(1.0 / (gain * math.sqrt(2.0)))  # P(1 + g ξ < 0)
    bell = gain * math.exp(-0.5 / gain**2) / math.sqrt(2.0 * math.pi) if gain > 0.02 else 0.0
    pieces = []
    for k, share, excess, up in ((near, 1.0 - turned, bell, near > 0.0), (other, turned, -bell, other < 0.0)):
        if abs(k) <= FLAT * leak:  # within rounding each part is at its mean
            pieces.append(Piece(leak + k * (1.0 + (excess / share if share else 0.0)), weight=share))
        else:
            ends = (leak, math.inf) if up else (-math.inf, leak)
            pieces.append(Piece(leak + k, abs(k) * gain, 1.0, *ends))
    return tuple(pieces)
