"""Mean, variance and mean derivatives of an activation at many single Gaussian inputs.

For a smooth f they are computed together, from values of f at the nodes of the trapezoidal rule in ξ. Its error falls
as e^{-2πd/h} with its step h, if f(a + s ξ) is analytic up to a distance d from the real axis, so that the error of a
rule is about the square of its difference to the rule with every second node. This is what the step is chosen by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.hermite_coefficients import kink_coefficients
from ctrnn_theory.activations.gaussian.multiplied import Inputs
from ctrnn_theory.support.types import BoolArray, FloatArray

REACH = 9.0
"""Standard deviations, beyond which φ is below rounding."""
STEPS = tuple(0.5 * 2.0 ** (-0.5 * level) for level in range(8))
"""Steps h of the rules."""
HALF = 1e-6
"""Largest relative difference to the rule with every second node, which is about the root of the error."""
ROUNDING = 1e-13
"""Error of F that is taken for rounding, relative to |F| or, where that is larger, to the median of all inputs."""
SAMPLE = 256
"""Inputs that the first step is chosen with."""
CHUNK = 4096
"""Inputs under multiplicative noise that are treated at once, which bounds the memory."""
MOST = 0.9
"""Share of them for which it must be good; the others take smaller ones."""


@dataclass(frozen=True, eq=False)
class InputMoments:
    """Moments of f at M inputs a + s ξ."""

    value: FloatArray
    """F = E f (M,)."""
    variance: FloatArray
    """Var f (M,)."""
    derivatives: FloatArray
    """∂ᵏF/∂aᵏ = E[f Heₖ(ξ)] / sᵏ for k = 1 ... K, (K, M); zero where s is."""


def input_moments(f: Activation, a: FloatArray, s: FloatArray, orders: int) -> InputMoments:
    """Return mean, variance and `orders` derivatives of the mean at inputs of mean a and standard deviation s, (M,).

    Smooth f takes the trapezoidal rule where that is good to 1e-12, and other f the methods of the activation.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> one = np.ones(1)
    >>> at = input_moments(activation("sin"), 0.5 * one, one, 1)
    >>> bool(np.isclose(at.derivatives[0, 0], np.exp(-0.5) * np.cos(0.5), rtol=1e-13))
    True
    """
    found = InputMoments(np.empty(a.size), np.empty(a.size), np.zeros((orders, a.size)))
    left = np.arange(a.size)
    if not f.breakpoints:
        sample = left[:: max(1, a.size // SAMPLE)]
        levels = range(len(STEPS))
        level = next((k for k in levels if _by_nodes(f, a[sample], s[sample], 0, k)[1].mean() >= MOST), len(STEPS))
        while left.size and level < len(STEPS):
            part, good = _by_nodes(f, a[left], s[left], orders, level)
            done = left[good]
            found.value[done], found.variance[done] = part.value[good], part.variance[good]
            found.derivatives[:, done] = part.derivatives[:, good]
            left, level = left[~good], level + 1
    if left.size:
        found.value[left], found.variance[left] = f.smoothed(a[left], s[left]), f.smoothed_variance(a[left], s[left])
        noisy = left[s[left] > 0.0]
        found.derivatives[:, noisy] = _derivatives(f, a[noisy], s[noisy], orders)
    return found


def _derivatives(f: Activation, a: FloatArray, s: FloatArray, orders: int) -> FloatArray:
    """Return the derivatives (K, M) by the methods of the activation; those at one kink all at once."""
    found = np.empty((orders, a.size))
    if orders == 0 or a.size == 0:
        return found
    found[0] = f.smoothed(a, s, 1)
    if not f.piecewise_linear or len(f.breakpoints) != 1:
        for k in range(1, orders):
            found[k] = f.smoothed(a, s, k + 1)
        return found
    (kink,) = f.kinks
    z = (a - kink.location) / s
    bends, jumps = (kink.slope_jump * s)[None], np.array([kink.value_jump])
    found[:] = kink_coefficients(s * found[0], z[None], bends, jumps, orders)
    power = np.ones(a.size)
    for k in range(orders):  # cₖ = sᵏ F⁽ᵏ⁾ / √k!
        power *= np.sqrt(k + 1.0) / s
        found[k] *= power
    return found


@lru_cache(maxsize=64)
def _rule(level: int, orders: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes (Q,) and weights (K + 2, Q) of E g, of nothing, and of E g Heₖ(ξ), k = 1 ... K."""
    from ctrnn_theory.activations.gaussian.moment_kernel import TOGETHER

    half = math.ceil(REACH / STEPS[level])
    half += half % 2  # the even nodes are then symmetric, as all are
    xi = STEPS[level] * np.arange(-half, half + 1.0)
    weight = np.exp(-0.5 * xi * xi)
    weight /= weight.sum()
    rows, before, hermite = [weight, np.zeros_like(xi)], np.zeros_like(xi), np.ones_like(xi)
    for k in range(orders):
        before, hermite = hermite, xi * hermite - k * before
        rows.append(weight * hermite)
    spare = -xi.size % TOGETHER
    return np.append(xi, np.zeros(spare)), np.ascontiguousarray(np.pad(np.array(rows), ((0, 0), (0, spare))))


def _by_nodes(f: Activation, a: FloatArray, s: FloatArray, orders: int, level: int) -> tuple[InputMoments, BoolArray]:
    """Return the moments by the rule of a level, and whether they are good (M,)."""
    from ctrnn_theory.activations.gaussian.moment_kernel import node_moments  # which imports Numba

    xi, weights = _rule(level, orders)
    sums, coarse = np.empty((orders + 3, a.size)), np.empty((2, a.size))
    node_moments(f.block, np.ascontiguousarray(a), np.ascontiguousarray(s), xi, weights, sums, coarse)
    with np.errstate(all="ignore"):
        value, variance = sums[-1] + sums[0], np.maximum(sums[1] - sums[0] ** 2, 0.0)
        rounding = ROUNDING * np.maximum(np.abs(value), np.nanmedian(np.abs(value)))
        good = np.abs(coarse[0] - sums[0]) <= HALF * np.sqrt(variance) + rounding
        differ = np.abs((coarse[1] - coarse[0] ** 2) - (sums[1] - sums[0] ** 2))
        good &= differ <= HALF * variance + (1e3 * rounding) ** 2
        inverse = np.where(s > 0.0, 1.0 / np.where(s > 0.0, s, 1.0), 0.0)
    powers = inverse ** np.arange(1.0, orders + 1.0)[:, None]
    return InputMoments(value, variance, sums[2:-1] * powers), good


def multiplied_moments(
    f: Activation, a: FloatArray, own: FloatArray, inside: FloatArray, gain: FloatArray, orders: int
) -> tuple[InputMoments, FloatArray]:
    """Return the moments at inputs α (1 + g ξ) + σ ξ', α ~ N(a, own), (M,) each, and the variance of E[f | α] (M,).

    The derivatives are those in a.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> one = np.ones(1)
    >>> at, latent = multiplied_moments(activation("x"), 3.0 * one, one, one, 0.5 * one, 2)
    >>> at.variance.round(12), latent.round(12)                             # 1 + 1/4 (1 + 9) + 1
    (array([4.5]), array([1.]))
    """
    value, variance, derivatives, latent = (np.empty((*rows, a.size)) for rows in ((), (), (orders,), ()))
    for first in range(0, a.size, CHUNK):
        c = slice(first, first + CHUNK)
        spread = np.stack([own[c], np.zeros(own[c].size), inside[c] ** 2], axis=1)[:, :, None]
        at = Inputs.of((f,), a[c, None], np.zeros((own[c].size, 1)), gain[c, None], spread)
        value[c], variance[c] = at.value(), at.variance()
        latent[c] = at.average((at.given - at.value()) ** 2)
        inverse = np.divide(1.0, at.std, out=np.zeros_like(at.std), where=at.std > 0.0)
        before, hermite = np.zeros_like(at.u), np.ones_like(at.u)
        for k in range(orders):  # by Stein's identity, E F̃' Heₖ₋₁ / sᵏ⁻¹
            derivatives[k, c] = at.average(at.gained_slope_given * hermite) * inverse**k
            before, hermite = hermite, at.u * hermite - k * before
    return InputMoments(value, variance, derivatives), latent
