"""Where the density of one dimension may have a peak: a first look at drift and diffusion."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.fokker_planck.panels import Panels, last_coefficients, panels_between

FloatArray = NDArray[np.float64]

SEEN = 1e-3  # last coefficients of the drift, relative to its size, of a panel on which its zeros are seen
FOLDS = 0.1  # those of the logarithm of the diffusion
NARROWEST = 1e-8  # of the interval: here kinks and jumps are left to the panels that carry mass
MOST = 512  # panels
BISECTIONS = 80
STEEP = 1.0  # e-folds between neighbouring nodes on both sides of a peak that the nodes do not resolve


def first_edges(
    problem: Equation, low: float, high: float, marks: Iterable[float] = (), count: int = 64
) -> FloatArray:
    """Edges of the first panels of [low, high].

    Panels are halved until drift and diffusion are seen on each. Every zero of the drift, where ∫ 2A/B has a peak or
    a trough, becomes an edge, so that no peak is so narrow that it lies between nodes; and so does every node at which
    the density is higher than at its neighbours by more than an e-fold. What leaves no trace at the first 16 `count`
    nodes, nor at the `marks`, is not seen.
    """
    edges = np.union1d(np.linspace(low, high, count + 1), [mark for mark in marks if low < mark < high])
    problem.drift(edges[:, None], 0.0)  # what is not finite, or negative, at an end is reported, though no node sees it
    problem.diffusion(edges[:, None], 0.0)
    panels = panels_between(problem, edges)
    while len(panels.left) < MOST:
        size = np.abs(panels.drift).max(axis=1)
        rough = last_coefficients(panels.drift) > SEEN * size
        rough |= last_coefficients(panels.log_diffusion) > FOLDS
        rough &= panels.divisible & (panels.width > NARROWEST * (high - low))
        if not rough.any():
            break
        panels = panels.cut(problem, rough, np.full(len(panels.left), np.inf))
    found = np.concatenate([panels.left, [high], _zeros(problem, panels), _peaks(panels)])
    return distinct(found, low, high)


def distinct(edges: FloatArray, low: float, high: float) -> FloatArray:
    """Sorted edges from low to high, those dropped that lie closer to the one before than panels can be wide."""
    edges = np.unique(np.clip(edges, low, high))
    gap = np.diff(edges) > 16.0 * np.finfo(float).eps * np.abs(edges[1:])
    kept = edges[np.concatenate([[True], gap])]
    kept[-1] = high
    return kept


def _zeros(problem: Equation, panels: Panels) -> FloatArray:
    """Zeros of the drift between nodes where its sign changes, by bisection."""
    x, sign = panels.x.ravel(), np.sign(panels.drift.ravel())
    changes = np.flatnonzero(sign[:-1] * sign[1:] < 0.0)
    low, high, left = x[changes], x[changes + 1], sign[changes]
    for _ in range(BISECTIONS if len(changes) else 0):
        middle = 0.5 * (low + high)
        same = np.sign(problem.drift(middle[:, None], 0.0)[:, 0]) == left
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    alone = (sign[1:-1] == 0.0) & (sign[:-2] != 0.0) & (sign[2:] != 0.0)
    return np.concatenate([0.5 * (low + high), x[1:-1][alone]])


def _peaks(panels: Panels) -> FloatArray:
    """Nodes between which the density rises and falls too steeply to be seen."""
    x, log_b = panels.x.ravel(), panels.log_diffusion.ravel()
    with np.errstate(all="ignore"):
        slope = (panels.rate / (0.5 * panels.width[:, None])).ravel()
        rise = 0.5 * (slope[:-1] + slope[1:]) * np.diff(x) - np.diff(log_b)
    return x[1:-1][(rise[:-1] > STEEP) & (rise[1:] < -STEEP)]
