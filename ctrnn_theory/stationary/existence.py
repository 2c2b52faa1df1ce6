"""Whether a stationary law and its moments exist under multiplicative noise, which is asked before a number is given.

Additive noise and noise inside a bounded f leave a law with all moments wherever the state stays bounded without noise.
Multiplicative noise on a straight stretch of f that leads to infinity does not: now and then it makes a large state
larger, and the law has a tail that is a power, however weak the noise. Closures and expansions do not see the tail.

One neuron is a Kesten process far from the origin, whose exponent :mod:`ctrnn_theory.numerics.kesten` computes. For
several neurons the second moment decides, see :mod:`ctrnn_theory.stationary.far_growth`: exactly for linear networks,
and by bounds from both sides for all others, between which it stays open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.numerics.half_moments import Piece
from ctrnn_theory.stationary.far_growth import FarStep
from ctrnn_theory.support.arguments import positive_integer
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded

NODES = (1, 32, 10)  # Gauss–Hermite nodes for gains beside a first one, by their number: exact for moments up to 63, 19
MOST_NEURONS = 128  # for operations on pairs of neurons
UNKNOWN = (
    "whether the covariance exists is not known: multiplicative noise on straight stretches of f makes heavy tails, and"
    " no bound of their growth decides"
)


@guarded
def tail_exponent(net: CTRNN, noise: Noise) -> float:
    """Return the exponent κ of the tail of the stationary law, P(|h| > x) ~ x^(-κ): E|h|^p is finite for p < κ.

    It is the root of E|A|^κ = 1 for one neuron, where A is the factor by which a step far out multiplies the state; see
    :func:`ctrnn_theory.numerics.kesten.chain_tail_exponent`.

    Parameters
    ----------
    net, noise
        The network and its noise.

    Returns
    -------
    float
        The exponent; inf if all moments exist, and 0 if there is no law. NaN if it is not known: for several neurons
        with multiplicative noise whose activations have a slope at infinity, and for an f that grows faster than x.

    Examples
    --------
    >>> net = CTRNN.single(w=0.9, b=0.1, activation="identity", gamma=0.5)
    >>> round(tail_exponent(net, Noise(outside=0.1, gain_outside=1.0)), 4)
    1.4302
    >>> tail_exponent(CTRNN.single(w=0.9, activation="tanh"), Noise(gain_outside=1.0))
    inf
    """
    slopes = np.array([f.limit_slopes for f in net.activations])
    if not (noise.has_gains and slopes.any()):
        return math.inf
    if net.n > 1 or not np.all(np.isfinite(slopes)):
        return math.nan
    from ctrnn_theory.numerics.kesten import chain_tail_exponent  # here, since it imports SciPy's optimizers

    return chain_tail_exponent(*_multipliers(net, noise))


@guarded
def moments_exist(net: CTRNN, noise: Noise, order: int = 2) -> bool | None:
    """Return whether the stationary law has finite moments of an order, as far as its tail decides; None if unknown.

    Standard errors of a mean need moments of order 2, those of a covariance need order 4.

    Parameters
    ----------
    net, noise
        The network and its noise.
    order
        Order p of E|h|^p, an integer.

    Raises
    ------
    ValueError
        If the order is not a positive integer.

    Examples
    --------
    >>> net = CTRNN([[0.0, 0.5], [0.4, 0.0]], 0.1, "relu", gamma=0.5)
    >>> [moments_exist(net, Noise(gain_outside=0.8), order) for order in (1, 2, 4)]
    [True, True, True]
    """
    p = positive_integer("order", order)
    if not noise.has_gains:
        return True
    step = FarStep.of(net, noise)
    if not np.all(np.isfinite(step.slopes)):
        return None
    if step.shrinks(p):
        return True
    if net.n == 1:
        from ctrnn_theory.numerics.kesten import chain_log_radius

        return chain_log_radius(*_multipliers(net, noise), float(p)) < 0.0
    return _several(step, p)


def check_moments(net: CTRNN, noise: Noise, u: ArrayLike | None = None) -> str:
    """Raise NotApplicable if the stationary law has no covariance, no mean, or if there is no law.

    Returns a remark if that is not known, and else an empty text.

    Examples
    --------
    >>> check_moments(CTRNN.single(w=0.9, b=0.1, activation="relu", gamma=0.5), Noise(gain_outside=1.0))
    Traceback (most recent call last):
    ctrnn_theory.support.errors.NotApplicable: the stationary law has no variance: multiplicative noise gives it a power
    tail of exponent 1.44
    """
    exists = moments_exist(net, noise, 2)
    if exists or _silent(net, noise, u):
        return ""
    if exists is None:
        return UNKNOWN
    if net.n > 1:
        raise NotApplicable(
            "the stationary law has no covariance: far out, multiplicative noise makes the second moment of the state"
            " grow, so that the exponent of its tail is 2 at most"
        )
    exponent = tail_exponent(net, noise)
    if exponent == 0.0:
        raise NotApplicable(
            "there is no stationary law: far out, multiplicative noise makes the logarithm of the state grow on average"
        )
    missing = "mean" if exponent <= 1.0 else "variance"
    raise NotApplicable(
        f"the stationary law has no {missing}: multiplicative noise gives it a power tail of exponent {exponent:.3g}"
    )


def _several(step: FarStep, p: int) -> bool | None:
    """Return whether moments of order p exist for several neurons, where the bound for any order does not say so."""
    if p <= 2 and step.contracts():
        return True
    if step.wiring.n > MOST_NEURONS:
        return None
    if step.linear:
        size = step.linear_growth()
        return True if p <= 2 and size < 1.0 else False if p >= 2 and 1.0 <= size < math.inf else None
    if p <= 2 and step.most_growth() < 1.0:
        return True
    if p >= 2 and step.positive and 1.0 < step.least_growth() < math.inf:
        return False
    return None


def _silent(net: CTRNN, noise: Noise, u: ArrayLike | None) -> bool:
    """Return whether the state stays at zero for ever, since the noise is multiplicative and has nothing to act on."""
    wiring = Wiring.of(net, u)
    if np.any(noise.inside) or np.any(noise.outside) or wiring.d.any():
        return False
    inside = np.any(noise.gain_inside) and wiring.c.any()
    return not inside and not np.any(net.activation(wiring.c))


def _multipliers(net: CTRNN, noise: Noise) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return the laws of the factor by which a step multiplies the state of one neuron far above and far below zero.

    Gains beside the first one are nodes of a quadrature rule.
    """
    from ctrnn_theory.numerics.neuron_tail import neuron_multipliers

    w, gamma, slopes = float(net.W[0, 0]), float(net.gammas[0]), net.activations[0].limit_slopes
    inside, outside = (float(np.linalg.norm(noise.gain_factor(site, 1))) for site in SITES)
    named = (("gain_inside", inside), ("gain_outside", outside), ("gain_outside", float(noise.common_gain(1)[0])))
    present = [(name, gain) for name, gain in named if gain > 0.0]
    first, more = dict(present[:1]), [gain for _, gain in present[1:]]
    keep = float(noise.kept(1)[0])
    kept = [(1.0 / keep, keep), (0.0, 1.0 - keep)] if keep < 1.0 else [(1.0, 1.0)]
    up: list[Piece] = []
    down: list[Piece] = []
    for factor, weight in _products(kept, more, NODES[len(more)]):
        sides = slopes if factor >= 0.0 else slopes[::-1]  # the side of f is that of w h, whatever multiplies f
        for laws, law in zip((up, down), neuron_multipliers(w * factor, gamma, sides, **first), strict=True):
            laws.extend(replace(piece, weight=weight * piece.weight) for piece in law)
    return tuple(up), tuple(down)


def _products(factors: list[tuple[float, float]], gains: list[float], count: int) -> Iterator[tuple[float, float]]:
    """Yield values and weights of a factor times 1 + g ξ for each further gain."""
    if not gains:
        yield from factors
        return
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    for value, weight in _products(factors, gains[1:], count):
        for x, share in zip(nodes.tolist(), weights.tolist(), strict=True):
            yield value * (1.0 + gains[0] * x), weight * share
