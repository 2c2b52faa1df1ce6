"""The first panels of an interval, fine enough to show every peak of the density."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.fokker_planck.panels import LEAST, Panels, last_coefficients, panels_between
from ctrnn_theory.support.types import FloatArray

SEEN = 1e-3  # largest last coefficients of the drift, relative to its size, on a panel that shows its zeros
FOLDS = 0.1  # largest last coefficients of the logarithm of the diffusion on such a panel
NARROWEST_SEEN = 1e-8  # width relative to the interval: narrower panels are halved later, if they carry mass
MOST = 512  # panels
BISECTIONS = 80  # for a zero of the drift, to rounding
GOLDEN = 0.5 * (5.0**0.5 - 1.0)  # multiples of it, modulo 1, fill the interval evenly
LOOKS = 200_000  # places at which an equation of unknown scales is sampled
STEEP = 1.0  # e-folds between neighbouring nodes on both sides of a peak that the nodes do not resolve


def first_panels(problem: Equation, low: float, high: float, marks: Iterable[float], count: int) -> Panels:
    """Return the first panels of [low, high], on which every peak of the density shows.

    Panels are halved until each shows drift and diffusion roughly. Every zero of the drift, where ∫ 2A/B has a peak or
    a trough, becomes an edge, so that no peak can lie between nodes; and so does every node at which the density is
    higher than at its neighbours by more than an e-fold. Features that have no effect at the first 16 `count` nodes,
    nor at the `marks`, are missed.
    """
    edges = np.linspace(low, high, count + 1)
    problem.drift(edges[:, None], 0.0)  # raises an error for a bad value at an end, where no node lies
    problem.diffusion(edges[:, None], 0.0)
    panels = panels_between(problem, np.union1d(edges, [mark for mark in marks if low < mark < high]))
    while len(panels.left) < MOST:  # a limit that only stops it, unlike that of `halve_until_resolved`
        size = np.abs(panels.drift).max(axis=1)
        rough = last_coefficients(panels.drift) > SEEN * size
        rough |= last_coefficients(panels.log_diffusion) > FOLDS
        rough &= panels.divisible & (panels.width > NARROWEST_SEEN * (high - low))
        if not rough.any():
            break
        panels = panels.cut(problem, rough, np.full(len(panels.left), np.inf))
    return panels.cut_at(problem, np.concatenate([_zeros(problem, panels), _peaks(panels)]))


def narrow_marks(problem: Equation, low: float, high: float) -> FloatArray:
    """Return places about which drift or diffusion vary within 1/200 000 of the interval.

    They are the neighbours of every change of sign of the drift, and of every dip of the diffusion.
    """
    x = low + (high - low) * np.sort(np.modf(np.arange(1, LOOKS + 1) * GOLDEN)[0])
    sign = np.sign(problem.drift(x[:, None], 0.0)[:, 0])
    folds = np.diff(np.log(np.maximum(problem.diffusion(x[:, None], 0.0).reshape(-1), LEAST)))
    changes = np.flatnonzero(sign[:-1] * sign[1:] < 0.0)
    dips = 1 + np.flatnonzero((folds[:-1] < -FOLDS) & (folds[1:] > FOLDS))
    return np.concatenate([x[changes], x[changes + 1], x[dips - 1], x[dips], x[dips + 1]])


def _zeros(problem: Equation, panels: Panels) -> FloatArray:
    """Return the zeros of the drift between nodes where its sign changes, by bisection."""
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
    """Return the nodes about which the density rises and falls too steeply to be resolved."""
    x, log_b = panels.x.ravel(), panels.log_diffusion.ravel()
    with np.errstate(all="ignore"):
        slope = (panels.rate / (0.5 * panels.width[:, None])).ravel()
        rise = 0.5 * (slope[:-1] + slope[1:]) * np.diff(x) - np.diff(log_b)
    return x[1:-1][(rise[:-1] > STEEP) & (rise[1:] < -STEEP)]
