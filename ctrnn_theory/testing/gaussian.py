"""Gaussian averages of an activation by quadrature, and a check of a formula for its smoothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre
from ctrnn_theory.numerics.panels import double_until_steady
from ctrnn_theory.support.arguments import positive_number, real_array, real_number
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

NODES, WEIGHTS = gauss_legendre(20)
REACH = 12.0  # standard deviations; φ(12) = 2e-32


def gaussian_rule(f: Activation, a: FloatArray, s: float, panels: int = 96) -> tuple[FloatArray, FloatArray]:
    """Return nodes x = a + s ξ and weights, both (len(a), nodes), for averages over ξ.

    The nodes are those of Gauss–Legendre panels, which end at the breakpoints of f.
    """
    if s == 0.0:
        return a[:, None], np.ones((len(a), 1))
    grid = np.broadcast_to(np.linspace(-REACH, REACH, panels + 1), (len(a), panels + 1))
    breaks = (np.array(f.breakpoints) - a[:, None]) / s
    edges = np.sort(np.concatenate([grid, np.clip(breaks, -REACH, REACH)], axis=1), axis=1)
    half = 0.5 * np.diff(edges, axis=1)[:, :, None]
    xi = (0.5 * (edges[:, 1:] + edges[:, :-1])[:, :, None] + half * NODES).reshape(len(a), -1)
    weight = (half * WEIGHTS).reshape(len(a), -1) * np.exp(-0.5 * xi * xi) / math.sqrt(2.0 * math.pi)
    return a[:, None] + s * xi, weight


@guarded
@limited
def assert_smoothing(
    f: Activation | str,
    F: Callable[[float, float], ArrayLike],
    *,
    points: Sequence[tuple[float, float]] | None = None,
    tolerance: float = 1e-10,
) -> float:
    """Assert that F(a, s) is the Gaussian smoothing E f(a + s ξ) of an activation, ξ standard normal.

    Three properties are tested, in this order: the values, against quadrature of f itself on panels that end at its
    kinks and are halved until the results agree; the limit s → 0, where F tends to f (at a jump, to the mean of both
    sides); and the heat equation ∂F/∂(s²) = F''/2 in its integrated form E F(a + t ξ; s) = F(a; √(s² + t²)), which
    involves F alone. The check does not use ``f.smoothed``.

    Parameters
    ----------
    f
        The activation, or its expression.
    F
        Function that is called as F(a, s) with two numbers, s > 0.
    points
        Pairs (a, s) at which F is tested. None stands for the kinks of f and points near and far from them, with s
        from 0.05 to 2.
    tolerance
        Largest allowed error, relative to 1 + E|f|.

    Returns
    -------
    float
        Largest error that was found.

    Raises
    ------
    AssertionError
        If an error exceeds the tolerance; the message holds the point, the value of F and the correct value.

    Examples
    --------
    >>> from scipy.special import erf
    >>> assert_smoothing("erf", lambda a, s: erf(a / (1 + 2 * s**2) ** 0.5)) < 1e-14
    True
    >>> assert_smoothing("erf", lambda a, s: erf(a / (1 + s**2) ** 0.5))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: F(-3, 2) is -0.942..., and quadrature of erf gives -0.842...
    """
    f, tolerance = activation(f), positive_number("tolerance", tolerance)
    centres = sorted({*f.nonlinearities, 0.0, 1.0})
    some = [(a, s) for s in (2.0, 1.0, 0.3, 0.05) for a in (-3.0, -0.4, 2.2, *centres, *(k + s for k in centres))]
    pairs = some if points is None else [(a, s) for a, s in real_array("points", points, (None, 2)).tolist()]
    if any(s <= 0.0 for _, s in pairs):
        raise ValueError(f"points must hold pairs (a, s) with s above 0; got {min(s for _, s in pairs):g}")
    worst = 0.0
    for a, s in pairs:
        worst = max(worst, _same(F, a, s, _smoothing(f, a, s), f"quadrature of {f.name} gives", tolerance))
    for a in sorted({a for a, _ in pairs}):
        for s in (1e-4, 1e-8):
            worst = max(
                worst, _same(F, a, s, _smoothing(f, a, s), f"as s → 0, where f is {f(a):.10g}, it is", tolerance)
            )
    for a, s in pairs:
        if s >= 0.3:
            h = 0.4  # trapezoidal rule: e^(-2π²/(h² (1 + t²/s²))) = 4e-27 for t = s
            xi = h * np.arange(-30, 31)
            inner = np.array([real_number("value of F", F(a + s * x, s)) for x in xi])
            twice = h / math.sqrt(2.0 * math.pi) * np.exp(-0.5 * xi**2)
            value = float(twice @ inner), 1.0 + float(twice @ np.abs(inner))
            worst = max(
                worst, _same(F, a, math.sqrt(2.0) * s, value, "by the heat equation from s/√2 it is", tolerance)
            )
    return worst


def _same(
    F: Callable[[float, float], ArrayLike], a: float, s: float, true: tuple[float, float], source: str, tolerance: float
) -> float:
    """Return the relative error of F(a, s), after asserting the tolerance; `true` holds the value and its scale."""
    value = real_number("value of F", F(a, s))
    error = abs(value - true[0]) / true[1]
    if not error <= tolerance:
        raise AssertionError(f"F({a:.10g}, {s:.10g}) is {value:.12g}, and {source} {true[0]:.12g}")
    return error


def _smoothing(f: Activation, a: float, s: float) -> tuple[float, float]:
    """Return E f(a + s ξ) and 1 + E |f(a + s ξ)| by quadrature, with panels halved until two results agree."""

    def with_panels(panels: int) -> tuple[float, float]:
        x, weight = gaussian_rule(f, np.array([a]), s, panels)
        values = f(x)
        return float(np.sum(weight * values)), 1.0 + float(np.sum(weight * np.abs(values)))

    return double_until_steady(with_panels, lambda before, now: abs(now[0] - before[0]) <= 1e-14 * now[1], 24, 6144)[0]
