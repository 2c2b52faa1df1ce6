"""Gauss–Legendre rules on [-1, 1], and their nodes in the panels of an interval."""

from __future__ import annotations

from functools import cache

import numpy as np

from ctrnn_theory.support.types import FloatArray


@cache
def gauss_legendre(count: int) -> tuple[FloatArray, FloatArray]:
    """Return the nodes and the weights of the rule of `count` points on [-1, 1], each (count,) and read-only.

    Examples
    --------
    >>> nodes, weights = gauss_legendre(3)
    >>> print(nodes.round(4), weights.round(4))
    [-0.7746  0.      0.7746] [0.5556 0.8889 0.5556]
    """
    rule: tuple[FloatArray, FloatArray] = np.polynomial.legendre.leggauss(count)
    for array in rule:
        array.flags.writeable = False  # all callers share them
    return rule


def nodes_between(left: FloatArray, right: FloatArray, nodes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Map nodes (Q,) from [-1, 1] to panels.

    Parameters
    ----------
    left, right
        Ends of the panels, of one shape (...,).
    nodes
        Nodes on [-1, 1], (Q,).

    Returns
    -------
    tuple
        Nodes in the panels (..., Q), and half the width of each panel (..., 1), which multiplies the weights.

    Examples
    --------
    >>> x, half = nodes_between(np.array([0.0, 1.0]), np.array([1.0, 3.0]), gauss_legendre(2)[0])
    >>> print(x.round(4).tolist(), half.ravel())
    [[0.2113, 0.7887], [1.4226, 2.5774]] [0.5 1. ]
    """
    half: FloatArray = 0.5 * (right - left)[..., None]
    return left[..., None] + half * (1.0 + nodes), half
