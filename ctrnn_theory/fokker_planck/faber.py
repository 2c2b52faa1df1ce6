"""Faber polynomials on an ellipse around the numerical range of a generator, which integrate its equation in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.fokker_planck.generator import Generator
from ctrnn_theory.support.types import FloatArray

SIDE = (0.0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.1)
ANGLES = np.array([*SIDE, 0.5 * np.pi, *(np.pi - angle for angle in SIDE[::-1])])
"""Directions in which the numerical range is bounded; they are dense near the real axis, where it may have corners."""
MARGIN = 2.0  # distance of the ellipse to both ends of the numerical range, relative to 1/Δ; rounding grows by e²
GROWTH = 4.0  # largest growth of the norm in a step, as an exponent
STIFFEST = 2e4  # longest step relative to the fastest time
ROUNDING = 1e-16  # rounding error of a coefficient, relative to the step


@dataclass(frozen=True, eq=False)
class Series:
    """A Faber series Σ c[k] F_k(z) of a function on an ellipse.

    With s = (z - centre)/scale, F_0 = 1, F_1 = s, F_2 = s² - 2 ratio and F_{k+1} = s F_k - ratio F_{k-1}.
    """

    centre: float
    """Centre of the ellipse, on the real axis."""
    scale: float
    """Half the sum of the semi-axes."""
    ratio: float
    """The semi-axis along the real axis less the other, relative to their sum."""
    coefficients: FloatArray
    """The coefficients c, (K,), at least two."""


def bounds(scheme: Generator) -> FloatArray:
    """Return bounds of Re(e^{-iθ} z) at the angles θ for all z = p* L p with |p| = 1.

    They are Gershgorin's for the Hermitian part of e^{-iθ} L (C. R. Johnson, Proc. Amer. Math. Soc. 41, 1973).
    """
    even, odd, leaving = 0.5 * (scheme.out + scheme.back), 0.5 * (scheme.out - scheme.back), scheme.leaving
    ends = []
    for angle in ANGLES:
        radius = np.hypot(np.cos(angle) * even, np.sin(angle) * odd)
        ends.append(np.max(scheme.sums(radius, radius) - np.cos(angle) * leaving))
    return np.array(ends)


def longest(support: FloatArray) -> float:
    """Return the longest step, from bounds: rounding errors grow little in it, and its series is short."""
    return float(1.0 / max(support[0] / GROWTH, support.max() / STIFFEST))


def integral_series(support: FloatArray, step: float, tolerance: float) -> Series:
    """Return the series of ∫₀^Δ exp(t z) dt on an ellipse that holds the numerical range, from its bounds.

    The map w -> centre + scale (w + ratio/w) takes the unit circle to the ellipse, so that c[k] are the Fourier
    coefficients of the function along it (P. Novati, Numer. Linear Algebra Appl. 10, 2003). The norm of what is cut
    off, times the generator, is below the tolerance, up to a factor 1 + √2 (M. Crouzeix and C. Palencia, SIAM J. Matrix
    Anal. Appl. 38, 2017).
    """
    right, left = support[0] + MARGIN / step, support[-1] + MARGIN / step
    centre, along = 0.5 * (right - left), 0.5 * (right + left)
    # the corners of the polygon that bounds the numerical range, x + iy, lie within the ellipse
    cos, sin = np.cos(ANGLES), np.sin(ANGLES)
    turn = np.sin(np.diff(ANGLES))
    x = (support[:-1] * sin[1:] - support[1:] * sin[:-1]) / turn - centre
    y = (support[1:] * cos[:-1] - support[:-1] * cos[1:]) / turn
    across = float(np.max(np.abs(y) / np.sqrt(1.0 - (x / along) ** 2)))
    scale, ratio = 0.5 * (along + across), (along - across) / (along + across)
    count = 2 ** int(np.ceil(np.log2(4.0 * scale * step + 128.0)))
    w = np.exp(2j * np.pi * np.arange(count) / count)
    z = step * (centre + scale * (w + ratio / w))
    near = np.abs(z) < 1e-9
    values = np.where(near, 1.0, np.expm1(z) / np.where(near, 1.0, z))
    c = step * np.fft.fft(values).real[: count // 2] / count
    c[np.abs(c) < ROUNDING * step] = 0.0
    left_out = 4.0 * along * np.cumsum(np.abs(c[::-1]))[::-1]  # |z| is at most twice the semi-axis, |F_k| at most 2
    enough = np.flatnonzero(left_out < tolerance)
    return Series(centre, scale, ratio, c[: max(2, *enough[:1])])
