"""Covariance matrices of activations that differ between neurons, by Mehler's expansion with tables side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.closed_forms import PROBIT, density_derivative, probit_terms
from ctrnn_theory.activations.gaussian.hermite_coefficients import kink_coefficients
from ctrnn_theory.activations.gaussian.hermite_series import (
    ORDERS,
    conditioned_pair,
    hermite_table,
    resolved_edges,
)
from ctrnn_theory.activations.gaussian.mehler import HermiteTable, largest_correlation, matrix_covariances, orders_for
from ctrnn_theory.activations.gaussian.smoothed_activation import Smoothed
from ctrnn_theory.support.types import FloatArray, IntArray

Alike = Callable[..., FloatArray]
"""Cov(f(x), f(y)) of one activation f, from f, both means, both standard deviations and the correlation."""


def group_matrices(group: ActivationGroup, mean: FloatArray, S: FloatArray, alike: Alike) -> FloatArray:
    """Compute the covariance matrices (..., N, N) of f_i(x_i) for means (..., N) and covariances S (..., N, N) of x.

    Pairs whose correlation is too near ±1 for the expansion are left to the formulas for one activation where both
    have the same, which the function `alike` evaluates, and to quadrature where they do not.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> from ctrnn_theory.activations.gaussian.covariance import covariance
    >>> group = ActivationGroup((activation("identity"), activation("erf")))
    >>> C = group_matrices(group, np.zeros(2), np.array([[1.0, 0.5], [0.5, 1.0]]), covariance)
    >>> bool(np.isclose(C[0, 1], group.smoothed(np.zeros(2), np.ones(2), 1)[1] / 2, rtol=1e-14))    # Stein's identity
    True
    """
    if not S.size:
        return np.zeros(S.shape)
    n, flat = mean.shape[-1], S.reshape(-1, mean.shape[-1], mean.shape[-1])
    m, variance = mean.reshape(-1, n), np.diagonal(flat, axis1=1, axis2=2)
    if not np.all(variance >= 0.0):
        raise ValueError(f"S must have variances of at least 0; got {variance.min()}")
    s = np.sqrt(variance)
    own = group.smoothed_variance(m, s)  # first, since it refuses an f that has no moments here
    inverse = np.divide(1.0, s, out=np.zeros_like(s), where=s > 0.0)
    table = group_table(group, m, s, largest_correlation(flat, inverse.ravel()))
    C, missed = matrix_covariances(table, flat, inverse.ravel())
    if missed:
        _fill(group, m, s, flat, C, alike)
    d = np.arange(n)
    C[:, d, d] = own
    return C.reshape(S.shape)


def group_table(group: ActivationGroup, m: FloatArray, s: FloatArray, correlation: float) -> HermiteTable:
    """Return the Hermite coefficients of each neuron's f at inputs of mean m and deviation s (B, N), in their order."""
    parts = [(at, input_table(f, m[:, at].ravel(), s[:, at].ravel(), correlation)) for f, at in group.parts()]
    count = max(len(table.tails) for _, table in parts)
    c, tails = np.zeros((count, *m.shape)), np.zeros((count, *m.shape))
    for at, table in parts:  # a table that is the shorter one is complete
        shape = (len(table.tails), len(m), at.size)
        c[: shape[0], :, at], tails[: shape[0], :, at] = (x.reshape(shape) for x in (table.coefficients, table.tails))
    return HermiteTable(c.reshape(count, -1), tails.reshape(count, -1))


def input_table(f: Activation, m: FloatArray, s: FloatArray, correlation: float) -> HermiteTable:
    """Return the Hermite coefficients of f in the standard variate of its inputs, of deviation s (M,); 0 where s is."""
    live = s > 0.0
    if isinstance(f, Smoothed):  # f of the same inputs, each with noise of its own
        wide = np.hypot(f.width, s)
        return _narrowed(input_table(f.inner, m, wide, correlation), s / wide)
    scale = np.where(live, s, 1.0)
    if f.text in PROBIT:
        amplitude, z, gain = probit_terms(f.text, m, scale)
        orders = orders_for(correlation, ORDERS)
        first = amplitude * density_derivative(z, 0)
        c = kink_coefficients(first, z[None], np.zeros((1, z.size)), np.array([amplitude]), orders)
        spread = amplitude * np.sqrt(ndtr(z) * ndtr(-z))
        table = _narrowed(HermiteTable(c, np.ones_like(c)), gain * scale, spread)
    else:
        table = hermite_table(f, m, scale, correlation)
    return table if live.all() else HermiteTable(table.coefficients * live, table.tails * live)


def _narrowed(table: HermiteTable, share: FloatArray, spread: FloatArray | None = None) -> HermiteTable:
    """Return the table for inputs of which the variate of another table has this share; cₙ is multiplied by shareⁿ.

    The remainder after order n falls by shareⁿ⁺¹ at least; tails are relative to a deviation of f, which falls as well.
    """
    n = np.arange(1.0, len(table.tails) + 1)[:, None]
    c = table.coefficients * share**n
    if spread is None:
        spread = np.sqrt(np.sum(table.coefficients**2, axis=0))
    std = np.sqrt(np.sum(c**2, axis=0))
    tails = table.tails * share ** (n + 1.0) * np.divide(spread, std, out=np.ones_like(std), where=std > 0.0)
    return HermiteTable(c, np.minimum(tails, 1.0))


def _fill(group: ActivationGroup, m: FloatArray, s: FloatArray, S: FloatArray, C: FloatArray, alike: Alike) -> None:
    """Set those pairs of C (B, N, N) that are left at zero and are correlated."""
    row, column = np.triu_indices(m.shape[1], 1)
    which, pair = np.nonzero((S[:, row, column] != 0.0) & (C[:, row, column] == 0.0))
    i, j = row[pair], column[pair]
    live = s[which, i] * s[which, j] > 0.0
    which, i, j = which[live], i[live], j[live]
    r = np.clip(S[which, i, j] / s[which, i] / s[which, j], -1.0, 1.0)
    same = group.which[i] == group.which[j]
    for k, f in enumerate(group.distinct):
        at = np.flatnonzero(same & (group.which[i] == k))
        if at.size:
            b, x, y = which[at], i[at], j[at]
            value = alike(f, m[b, x], m[b, y], s[b, x], s[b, y], r[at])
            C[b, x, y] = C[b, y, x] = value
    for p in np.flatnonzero(~same):
        b, x, y = which[p], i[p], j[p]
        C[b, x, y] = C[b, y, x] = _unlike(group, m[b], s[b], x, y, float(r[p]))


def _unlike(group: ActivationGroup, m: FloatArray, s: FloatArray, i: IntArray, j: IntArray, r: float) -> float:
    """Return the covariance of one pair of unlike activations by quadrature."""
    first, second = group.members[i], group.members[j]
    x, y = (m[i : i + 1], s[i : i + 1]), (m[j : j + 1], s[j : j + 1])
    edges = np.concatenate([resolved_edges(first, *x)[0], np.sign(r) * resolved_edges(second, *y)[0]])
    return conditioned_pair(first, second, x, y, r, edges)
