"""One dimension: the density of no flux, p ∝ exp(∫ 2A/B) / B, by quadrature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.equation import Equation

FloatArray = NDArray[np.float64]

POINTS = 16
NODES, WEIGHTS = legendre.leggauss(POINTS)
_VANDER = legendre.legvander(NODES, POINTS - 1)
TO_COEFFICIENTS = _VANDER.T * WEIGHTS * (np.arange(POINTS)[:, None] + 0.5)
"""Values at the nodes to Legendre coefficients."""
_PRIMITIVES = np.stack([legendre.legint(row, lbnd=-1) for row in np.eye(POINTS)])
CUMULATE = (legendre.legvander(NODES, POINTS) @ _PRIMITIVES.T) @ TO_COEFFICIENTS
"""Values at the nodes to integrals from the left end to each node."""

DEPTH = 60.0  # e-folds below the maximum at which the density ends: e^-60 = 1e-26
CLIFF = 1e12  # e-folds in a panel that are told apart: more would drown the rest in rounding
FIRST_PANELS = 64
MOST_PANELS = 4096
RESOLVED = 1e-13  # last coefficients of a panel that is resolved, relative to the largest density
NOISE = 1e-9  # last coefficients that may be rounding, of a diffusion that is a small difference, if
STALLED = 0.7  # they are not reduced by halving
SMALL = 1e-20  # density, relative to the largest, that needs no resolution


def line(problem: Equation, low: float, high: float, breaks: Sequence[float] = ()) -> tuple[Density, FloatArray]:
    """Stationary density on [low, high], and the estimated error of its mean and variance (2,).

    Panels are halved until each resolves the density; the error is what halving all of them once more changes. Of
    several wells those narrower than 1e-4 of the interval may be missed.

    Raises
    ------
    ValueError
        If the diffusion is not positive everywhere, or the density is too sharp to resolve.
    """
    low, high = _support(problem, low, high, breaks)
    inner = np.array([b for b in breaks if low < b < high])
    edges = np.union1d(np.linspace(low, high, FIRST_PANELS + 1), inner)
    parent = np.full(len(edges) - 1, np.inf)
    while True:
        x, p, tail = _panels(problem, edges)
        noisy = (tail < NOISE) & (tail > STALLED * parent)
        rough = (tail > RESOLVED) & ~noisy & (np.diff(edges) > 1e-12 * (high - low))
        if not rough.any():
            break
        if len(edges) > MOST_PANELS:
            place = edges[:-1][rough][0]
            raise ValueError(f"drift and diffusion must be resolved by {MOST_PANELS} panels; not so near {place:g}")
        parent = np.repeat(tail, 1 + rough)
        edges = np.union1d(edges, 0.5 * (edges[:-1] + edges[1:])[rough])
    density = _density(edges, x, p)
    finer = np.union1d(edges, 0.5 * (edges[:-1] + edges[1:]))
    check = _density(finer, *_panels(problem, finer)[:2])
    difference = (check.mean - density.mean)[0], (check.covariance - density.covariance)[0, 0]
    return check, np.abs(difference)


def _density(edges: FloatArray, x: FloatArray, p: FloatArray) -> Density:
    widths = (0.5 * np.diff(edges)[:, None] * WEIGHTS).ravel()
    values = p.ravel() / (widths @ p.ravel())
    return Density((x.ravel(),), (widths,), values, np.zeros((1, values.size)))


def _coefficients(problem: Equation, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """2A/B and ln B at points of any shape."""
    at = x.reshape(-1, 1)
    A, B = problem.drift(at, 0.0)[:, 0], problem.diffusion(at, 0.0).reshape(-1)
    if np.any(B <= 0.0):
        bad = int(np.argmin(B))
        raise ValueError(f"diffusion must be positive in one dimension; at {at[bad, 0]:.4g} it is {B[bad]:.3g}")
    with np.errstate(over="ignore"):
        rate = 2.0 * A / B
    return rate.reshape(x.shape), np.log(B).reshape(x.shape)


def _support(problem: Equation, low: float, high: float, breaks: Sequence[float]) -> tuple[float, float]:
    """Part of the interval outside of which the density is below e^-60 of its maximum."""
    while True:
        edges = np.union1d(np.linspace(low, high, FIRST_PANELS + 1), [b for b in breaks if low < b < high])
        _coefficients(problem, edges)  # a diffusion may vanish at an edge, and no node sees it
        x, height, _ = _heights(problem, edges)
        x, height = np.concatenate([[low], x.ravel(), [high]]), height.ravel()
        inside = 1 + np.flatnonzero(height >= height.max() - DEPTH)
        first, last = inside[0] - 1, inside[-1] + 1
        few = last - first < height.size // 8
        low, high = float(x[first]), float(x[last])
        if not few:
            return low, high
        if high - low <= 1e-13 * max(abs(low), abs(high)):
            raise ValueError(f"diffusion must spread the law; at {low:g} it is a point to rounding")


def _heights(problem: Equation, edges: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes (panels, 16), the logarithm of the density there, and 2A/B times half a panel's width."""
    half = 0.5 * np.diff(edges)[:, None]
    x = edges[:-1, None] + half * (1.0 + NODES)
    rate, log_diffusion = _coefficients(problem, x)
    with np.errstate(over="ignore"):
        rate = np.clip(half * rate, -CLIFF, CLIFF)
    rise = rate @ WEIGHTS
    top = int(np.argmax(np.cumsum(rise)))  # added up from there, or a cliff far below would cost digits
    start = np.concatenate([-np.cumsum(rise[:top][::-1])[::-1], [0.0], np.cumsum(rise[top:-1])])
    return x, start[:, None] + rate @ CUMULATE.T - log_diffusion, rate


def _panels(problem: Equation, edges: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes (panels, 16), density there relative to its maximum, and the last coefficients of each panel (panels,)."""
    x, height, rate = _heights(problem, edges)
    p = np.exp(height - height.max())
    top = p.max(axis=1)
    exponent = np.abs((rate @ TO_COEFFICIENTS.T)[:, -2:]).max(axis=1) * top
    last = np.abs((p @ TO_COEFFICIENTS.T)[:, -2:]).max(axis=1)
    return x, p, np.where(top > SMALL, np.maximum(last, exponent), 0.0)
