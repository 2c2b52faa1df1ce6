"""Averages over normal noise inside, which are analytic in the pre-activation, from few values of it.

Let φ be a bounded function and g(a) = E φ(a + s ξ). For complex arguments |g(a + i c)| ≤ exp(c²/2s²) max|φ|, whatever
kinks φ has, so that Chebyshev interpolation on an interval of half width q s converges faster than any exponential. On
a tensor grid the neuron's own state takes few values, and its pre-activation many for each of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ctrnn_theory.support.types import FloatArray

ACCURACY = 0.1 * float(np.finfo(float).eps)  # error of the interpolation, relative to the largest |φ|
LARGEST = 1e9  # q from which it does not matter how many nodes are too many
NO_OVERSTEP = 1e-17  # mean overstep of the box, in half widths, up to which it counts as none
PAY = 2.0  # times fewer nodes than points, from which interpolation is used


def nodes_needed(q: float) -> int:
    """Return the number of Chebyshev nodes that resolve g on an interval of half width q s to rounding.

    On the ellipse of parameter e^η, |g| ≤ exp(q² sinh²η / 2), and interpolation of degree m has an error of at most
    4 exp(q² sinh²η / 2 - m η) / (e^η - 1) (L. N. Trefethen, Approximation Theory and Approximation Practice, 2013,
    theorem 8.2), for any η > 0.
    """
    eta = np.geomspace(1e-3, 40.0, 400)
    with np.errstate(over="ignore"):
        degree = (0.5 * (min(q, LARGEST) * np.sinh(eta)) ** 2 + np.log(4.0 / np.expm1(eta)) - np.log(ACCURACY)) / eta
    return 1 + max(int(np.ceil(np.min(degree))), 0)


def along_lines(
    average: Callable[[FloatArray, FloatArray], FloatArray], h: FloatArray, a: FloatArray, s: float
) -> FloatArray:
    """Return ``average(h, a)`` (M, K), interpolated in a where fewer values of a are enough.

    Parameters
    ----------
    average
        Averages over ``a + s ξ`` for states and pre-activations (M,), (M, K). The last two columns are the mean
        oversteps of the box.
    h, a
        States and pre-activations of a neuron, (M,).
    s
        Standard deviation of the noise inside, above 0.
    """
    states, line = np.unique(h, return_inverse=True)
    order = np.argsort(line, kind="stable")
    starts = np.searchsorted(line[order], np.arange(len(states)))
    least, most = np.minimum.reduceat(a[order], starts), np.maximum.reduceat(a[order], starts)
    half = 0.5 * np.maximum(most - least, np.finfo(float).tiny)
    count = nodes_needed(float(np.max(half)) / s)
    if count * len(states) * PAY > len(h):
        return average(h, a)
    nodes, middle = np.cos(np.pi * (np.arange(count) + 0.5) / count), 0.5 * (least + most)
    at = middle[:, None] + half[:, None] * nodes
    known = average(np.repeat(states, count), at.ravel()).reshape(len(states), count, -1)
    result = np.empty((len(h), known.shape[2]))
    bends = np.max(known[:, :, -2:], axis=(1, 2)) > NO_OVERSTEP
    for members, center, width, rows, bent in zip(np.split(order, starts[1:]), middle, half, known, bends, strict=True):
        if bent:  # the quadrature is rough where steps are stopped at the end of the box, and spoils only such points
            result[members] = average(h[members], a[members])
        else:
            result[members] = interpolation((a[members] - center) / width, nodes) @ rows
    return result


def interpolation(t: FloatArray, nodes: FloatArray) -> FloatArray:
    """Return the matrix (M, nodes) from values at Chebyshev nodes, without the ends, to those at points t (M,).

    The barycentric formula does not lose digits (N. J. Higham, IMA J. Numer. Anal. 24, 2004).
    """
    count = len(nodes)
    weights = np.sin(np.pi * (np.arange(count) + 0.5) / count) * (-1.0) ** np.arange(count)
    away = t[:, None] - nodes
    shares = weights / np.where(away == 0.0, np.finfo(float).tiny, away)
    matrix: FloatArray = shares / shares.sum(axis=1, keepdims=True)
    return matrix
