"""The covariance of f at two correlated Gaussian inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.closed_forms import PROBIT, density_derivative, probit_terms
from ctrnn_theory.activations.gaussian.group_covariance import group_matrices
from ctrnn_theory.activations.gaussian.hermite_coefficients import kink_coefficients
from ctrnn_theory.activations.gaussian.hermite_series import ORDERS, hermite_covariance, hermite_table
from ctrnn_theory.activations.gaussian.mehler import (
    HermiteTable,
    largest_correlation,
    matrix_covariances,
    orders_for,
)
from ctrnn_theory.activations.gaussian.smoothed_activation import Smoothed
from ctrnn_theory.activations.gaussian.smoothing import cancels
from ctrnn_theory.activations.gaussian.steps_and_ramps import ramp_ramp, ramp_step, step_step
from ctrnn_theory.support.types import FloatArray, IntArray

CHUNK = 4096  # pairs that are treated at once, which bounds the memory
MOST_PAIRS = 1 << 16  # the same, where pairs share their inputs
TILED = 16  # neurons from which tiles of pairs are faster than one pair after the other


def covariance(
    act: Activation,
    mean_x: ArrayLike,
    mean_y: ArrayLike,
    std_x: ArrayLike,
    std_y: ArrayLike,
    correlation: ArrayLike,
) -> FloatArray:
    """Compute Cov(f(x), f(y)) for jointly normal x and y.

    It is exact for piecewise-linear f, through

        Cov = s₁s₂ [ r F₁'F₂' + Σᵢⱼ ΔᵢΔⱼ ∫₀^r (r-t) φ₂(aᵢ, bⱼ; t) dt ],   aᵢ = (m₁-kᵢ)/s₁, bⱼ = (m₂-kⱼ)/s₂,

    for slope jumps Δ at kinks k, and likewise for jumps of the value (R. Price, IRE Trans. Inf. Theory 4, 1958;
    R. L. Plackett, Biometrika 41, 1954). Nothing cancels in these integrals, as it would in E f f - F₁F₂. It is also
    exact for erf and probit, as bivariate normal probabilities, and for sin. Other f, and kinks that lie close together
    compared with s₁ or s₂, take the Hermite series Σ rⁿ cₙ(1) cₙ(2), or where that converges slowly conditioning on x;
    both are good to about 1e-12 s₁s₂ for slopes of order one.

    Parameters
    ----------
    act
        The activation f.
    mean_x, mean_y
        Means. All arrays are broadcast against each other.
    std_x, std_y
        Standard deviations, at least 0.
    correlation
        Correlation, in [-1, 1] inclusive.

    Returns
    -------
    numpy.ndarray
        The covariance, of the broadcast shape.

    Raises
    ------
    ValueError
        For a value that is not finite, a negative standard deviation or a correlation outside [-1, 1].

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> print(covariance(activation("relu"), 0.0, 0.0, 1.0, 1.0, [0.0, 0.5, 1.0]).round(6))
    [0.       0.145344 0.340845]
    """
    arguments = np.broadcast_arrays(*(np.asarray(v, float) for v in (mean_x, mean_y, std_x, std_y, correlation)))
    names = ("mean_x", "mean_y", "std_x", "std_y", "correlation")
    for name, value in zip(names, arguments, strict=True):
        if not np.all(np.isfinite(value)):
            raise ValueError(f"{name} must be finite; got {value[~np.isfinite(value)][0]}")
        if name.startswith("std") and np.any(value < 0.0):
            raise ValueError(f"{name} must be at least 0; got {value.min()}")
    r = arguments[4]
    if np.any(np.abs(r) > 1.0):
        raise ValueError(f"correlation must be in [-1, 1]; got {r[np.abs(r) > 1.0][0]}")
    shape = r.shape
    mx, my, sx, sy, r = (v.ravel() for v in arguments)
    result = np.empty_like(r)
    for first in range(0, r.size, CHUNK):
        c = slice(first, first + CHUNK)
        pair = np.arange(r[c].size)
        m, s = np.concatenate([mx[c], my[c]]), np.concatenate([sx[c], sy[c]])
        result[c] = _pairs(act, m, s, pair, pair + pair.size, r[c])
    return result.reshape(shape)


def covariance_matrix(act: Activation | ActivationGroup, mean: ArrayLike, S: ArrayLike) -> FloatArray:
    """Compute the covariance matrix of f(x), applied elementwise, for x ~ N(mean, S).

    Parameters
    ----------
    act
        The activation f, or the activations of N neurons.
    mean
        Mean of x, (N,).
    S
        Covariance of x, (N, N), symmetric positive semi-definite; it may be singular.

    Returns
    -------
    numpy.ndarray
        (N, N), symmetric, positive semi-definite to rounding; the diagonal is ``act.smoothed_variance``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a variance is negative.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> S = [[1.0, 0.5], [0.5, 1.0]]
    >>> print(covariance_matrix(activation("relu"), [0.0, 0.0], S).round(6))
    [[0.340845 0.145344]
     [0.145344 0.340845]]
    """
    m, S = np.asarray(mean, float), np.asarray(S, float)
    if S.shape != (m.size, m.size) or m.ndim != 1:
        raise ValueError(f"S must have shape (N, N) for a mean of shape (N,); got {S.shape} and {m.shape}")
    return covariance_matrices(act, m, S)


def covariance_matrices(act: Activation | ActivationGroup, mean: FloatArray, S: FloatArray) -> FloatArray:
    """Compute the covariance matrices (..., N, N) for many means (..., N) and covariances S (..., N, N) at once.

    From TILED neurons on, pairs are summed by Mehler's expansion, to 1e-15 of |r| and the standard deviations of f. It
    takes log(1e-15)/log|r| terms at most, and fewer for smooth f; pairs with |r| above 0.9 at a kink, which would take
    more than ORDERS, are left to the exact formula or to quadrature.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> two = covariance_matrices(activation("relu"), np.zeros((2, 2)), np.array([np.eye(2), np.full((2, 2), 1.0)]))
    >>> print(two.round(6).tolist())
    [[[0.340845, 0.0], [0.0, 0.340845]], [[0.340845, 0.340845], [0.340845, 0.340845]]]
    """
    if isinstance(act, ActivationGroup):
        return group_matrices(act, mean, S, covariance)
    n = mean.shape[-1]
    variance = np.diagonal(S, axis1=-2, axis2=-1).ravel()
    if not np.all(variance >= 0.0):
        raise ValueError(f"S must have variances of at least 0; got {variance.min()}")
    m, s, flat = mean.ravel(), np.sqrt(variance), S.reshape(-1, n, n)
    own = act.smoothed_variance(m, s).reshape(-1, n)  # first, since it refuses an f that has no moments here
    if n >= TILED and act.text != "sin":
        C, complete = _by_tiles(act, m, s, flat)
    else:
        C, complete = np.zeros(flat.shape), False
    row, column = np.triu_indices(n if not complete else 0, 1)
    # uncorrelated Gaussian inputs are independent
    which, pair = np.nonzero((flat[:, row, column] != 0.0) & (C[:, row, column] == 0.0))
    row, column = row[pair], column[pair]
    i, j = which * n + row, which * n + column
    linked = np.flatnonzero(s[i] * s[j] > 0.0)
    for first in range(0, linked.size, MOST_PAIRS):
        at = linked[first : first + MOST_PAIRS]
        used, places = np.unique(np.concatenate([i[at], j[at]]), return_inverse=True)
        r = np.clip(flat[which[at], row[at], column[at]] / s[i[at]] / s[j[at]], -1.0, 1.0)
        value = _pairs(act, m[used], s[used], places[: at.size], places[at.size :], r)
        C[which[at], row[at], column[at]] = C[which[at], column[at], row[at]] = value
    C[:, np.arange(n), np.arange(n)] = own
    return C.reshape(S.shape)


def _by_tiles(act: Activation, m: FloatArray, s: FloatArray, S: FloatArray) -> tuple[FloatArray, bool]:
    """Return covariances (B, N, N) by Mehler's expansion, zero where that is slow, and whether it is so nowhere."""
    if isinstance(act, Smoothed):  # f of the same inputs, each with noise of its own
        return _by_tiles(act.inner, m, np.hypot(act.width, s), S)
    live = s > 0.0
    scale = np.where(live, s, 1.0)
    inverse = np.where(live, 1.0 / scale, 0.0)
    if act.text in PROBIT:
        amplitude, z, gain = probit_terms(act.text, m, s)
        inverse = np.where(live, gain, 0.0)
        first = amplitude * density_derivative(z, 0)
        orders = orders_for(largest_correlation(S, inverse), ORDERS)
        c = kink_coefficients(first, z[None], np.zeros((1, z.size)), np.array([amplitude]), orders)
        table = HermiteTable(c, np.ones_like(c))
    else:
        table = hermite_table(act, m, scale, largest_correlation(S, inverse))
    C, missed = matrix_covariances(table, S, inverse)
    return C, missed == 0


def _pairs(act: Activation, m: FloatArray, s: FloatArray, i: IntArray, j: IntArray, r: FloatArray) -> FloatArray:
    """Return Cov(f(xᵢ), f(xⱼ)), (P,), for pairs i, j (P,) of correlation r (P,) among inputs of mean m, std s (M,)."""
    if isinstance(act, Smoothed):  # f of the same inputs, each with noise of its own
        wide = np.hypot(act.width, s)
        return _pairs(act.inner, m, wide, i, j, r * (s[i] / wide[i]) * (s[j] / wide[j]))
    live = s > 0.0
    scale = np.where(live, s, 1.0)  # avoids a division by zero; the result is set to zero below
    if act.text in PROBIT:
        amplitude, z, gain = probit_terms(act.text, m, s)
        result = amplitude**2 * step_step(z[i], z[j], r * (gain * s)[i] * (gain * s)[j])
    elif act.text == "sin":
        result = _sine(m, s, i, j, r)
    elif act.piecewise_linear:
        result, far = np.empty_like(r), cancels(act, np.maximum(s[i], s[j]))
        result[~far] = _piecewise_linear(act, m, scale, i[~far], j[~far], r[~far])
        if far.any():
            used, at = np.unique(np.concatenate([i[far], j[far]]), return_inverse=True)
            first, second = at.reshape(2, -1)
            result[far] = hermite_covariance(act, m[used], scale[used], first, second, r[far])
    else:
        result = hermite_covariance(act, m, scale, i, j, r)
    return np.where(live[i] & live[j], result, 0.0)


def _sine(m: FloatArray, s: FloatArray, i: IntArray, j: IntArray, r: FloatArray) -> FloatArray:
    """Return ½ e^{-(s₁² + s₂²)/2} [cos(m₁ - m₂) (e^c - 1) - cos(m₁ + m₂) (e^{-c} - 1)], c = r s₁ s₂."""
    c = np.abs(r) * s[i] * s[j]
    apart, together = np.cos(m[i] - m[j]), np.cos(m[i] + m[j])
    same, other = np.where(r > 0.0, apart, together), np.where(r > 0.0, together, apart)
    gap = -np.expm1(-c)
    growing = np.exp(-0.5 * (s[i] - s[j]) ** 2 - s[i] * s[j] * (1.0 - np.abs(r))) * gap
    fading = np.exp(-0.5 * (s[i] ** 2 + s[j] ** 2)) * gap
    result: FloatArray = 0.5 * np.sign(r) * (same * growing + other * fading)
    return result


def _piecewise_linear(
    act: Activation, m: FloatArray, s: FloatArray, i: IntArray, j: IntArray, r: FloatArray
) -> FloatArray:
    """Return the sum over pairs of kinks, for f = straight line + Σ Δ (x-k)₊ + Σ J 1{x > k}."""
    kinks = act.kinks
    slope = act.smoothed(m, s, 1)  # slope of the continuous part, once the jumps are taken off
    jumps = [(k.location, k.value_jump) for k in kinks if k.value_jump != 0.0]
    bends = [(k.location, k.slope_jump) for k in kinks if k.slope_jump != 0.0]
    for k, J in jumps:
        z = (m - k) / s
        slope = slope - J * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) / s
    total = r * slope[i] * slope[j] * s[i] * s[j]
    first = act.pieces[0].polynomial or (0.0,)
    left = first[1] if len(first) > 1 else 0.0

    for k, D in bends:
        for q, E in bends:
            total += D * E * s[i] * s[j] * ramp_ramp((m[i] - k) / s[i], (m[j] - q) / s[j], r)
    for k, J in jumps:
        for q, K in jumps:
            total += J * K * step_step((m[i] - k) / s[i], (m[j] - q) / s[j], r)
        for x, y in ((i, j), (j, i)):  # the step in y with the line and the ramps in x
            b = (m[y] - k) / s[y]
            line = left * r * np.exp(-0.5 * b * b) / np.sqrt(2.0 * np.pi)
            total += J * s[x] * (line + sum(D * ramp_step((m[x] - q) / s[x], b, r) for q, D in bends))
    return total
