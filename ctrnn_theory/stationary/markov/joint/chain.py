"""The stationary law of neurons and their coloured sources on a Chebyshev grid, with its error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from ctrnn_theory.stationary.closure.moments import semidefinite
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.acceptance import check_accuracy
from ctrnn_theory.stationary.markov.joint.moments import moments_after
from ctrnn_theory.stationary.markov.joint.operator import JointRows, order_of, rows
from ctrnn_theory.stationary.markov.joint.pilot import pilot
from ctrnn_theory.stationary.markov.joint.step import JointStep
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.memory import SHARE, free_memory
from ctrnn_theory.support.types import FloatArray

MOST_COMPONENTS = 3
MOST_SHARED = 2  # variates that neurons share
LADDER = (8, 12, 16, 24, 32, 40, 48, 56, 64)
"""Numbers of nodes along an axis that are tried in turn."""
FIRST = {2: 2, 3: 0}  # index of the first of them, by the number of axes
LARGEST = {2: 3600, 3: 4608}  # nodes of a grid
INVERTIBLE = 1e6  # condition number of weights that are inverted
ROUNDING = 1e-13  # error of moments of one step, relative to the state
WIDENINGS = 8
WIDER = 0.25  # part of its width by which a box grows at a side that leaks


@dataclass(frozen=True, eq=False)
class JointChain:
    """The stationary law on one grid of Q nodes."""

    step: JointStep
    """The map."""
    grid: ChebyshevGrid
    """Grid of states (h, x)."""
    found: JointRows
    """The operator at the nodes."""

    @cached_property
    def factors(self) -> Any:
        """LU factors of I - P + 1 uᵀ, u·1 = 1."""
        size = self.grid.size
        return lu_factor(np.eye(size) - self.found.matrix + 1.0 / size, overwrite_a=True, check_finite=False)

    @cached_property
    def weights(self) -> FloatArray:
        """Weights π with E φ = Σ π_j φ(point_j) for smooth φ, (Q,)."""
        size = self.grid.size
        return lu_solve(self.factors, np.full(size, 1.0 / size), trans=1, check_finite=False)

    @cached_property
    def states(self) -> FloatArray:
        """States of the neurons at the nodes, (Q, N)."""
        return self.grid.points[:, : self.step.n]

    @cached_property
    def mean(self) -> FloatArray:
        """Mean E h (N,)."""
        middle = 0.5 * (self.grid.low + self.grid.high)[: self.step.n]
        mean: FloatArray = middle + self.weights @ (self.states - middle)
        return mean

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of h (N, N)."""
        away = self.states - self.mean
        V: FloatArray = (away * self.weights[:, None]).T @ away
        return V

    @cached_property
    def memory(self) -> float:
        """Largest range of the solution g of g - P g = h_i - E h_i over that of h_i."""
        g = lu_solve(self.factors, self.states - self.mean, check_finite=False)
        return float(np.max(np.ptp(g, axis=0) / (self.grid.high - self.grid.low)[: self.step.n]))

    @cached_property
    def leak(self) -> FloatArray:
        """Error of the mean by the probability that leaves the box, in its half widths, (M, 2)."""
        leak: FloatArray = np.abs(np.einsum("m,mis->is", self.weights, self.found.over)) * self.memory
        return leak

    @cached_property
    def rates(self) -> FloatArray | None:
        """Mean rates E f(v) (N,) of a network in voltage form.

        Without noise inside, f(v) is what reaches the states, E v = B E f(v) + d, where B can be inverted. Otherwise it
        is averaged over one step from the law, in which noise smooths it.
        """
        w = self.step.wiring
        if w.U is not None:
            return None
        if self.step.quiet_inside and np.linalg.cond(w.write) < INVERTIBLE:
            return np.asarray(np.linalg.solve(w.write, self.mean - w.d))
        return np.asarray(self.weights @ self.found.rate)

    @cached_property
    def missed(self) -> FloatArray:
        """Error of the mean and of the covariance by what the quadrature steps over, (2,).

        It is the difference of the moments after one step from what the smoothing of f gives, felt for as long as the
        state remembers.
        """
        points, half = self.grid.points, 0.5 * (self.grid.high - self.grid.low)
        mean, variance = moments_after(self.step, points)
        slack = ROUNDING * (1.0 + np.max(np.abs(points), axis=0) / half)
        off = [
            np.maximum(np.abs(self.found.mean - mean) / half - slack, 0.0),
            np.maximum(np.abs(self.found.variance - variance) / half**2 - slack**2 / ROUNDING, 0.0),
        ]
        missed = [float(np.max(np.abs(self.weights) @ np.nan_to_num(one))) for one in off]
        wide = float(np.max(half[: self.step.n]))
        return self.memory * np.array([missed[0] * wide, sum(missed) * wide**2])


def solve_joint(step: JointStep, start: FloatArray, tolerance: float) -> tuple[JointChain, FloatArray]:
    """Return the law of neurons from the state `start` (N,), and the error (2,) of its mean and its covariance.

    The error is the change from the grid before, the leak of the box, and what the quadrature has missed.
    """
    low, high = pilot(step, start)
    n, levels = step.n, np.full(step.size, FIRST[step.size])
    chain, before, widenings = _on(step, low, high, levels), None, 0
    while True:
        half = 0.5 * float(np.max((high - low)[:n]))
        std = max(float(np.sqrt(max(np.max(np.diag(chain.covariance)), 0.0))), 1e-3 * half)
        goal = tolerance * np.array([min(std, 1.0), min(std, 1.0) ** 2])
        change = np.full(2, np.inf) if before is None else _change(chain, before)
        tolerable = 0.1 * min(goal[0] / half, goal[1] / (4.0 * half**2))
        leaking = chain.leak > max(tolerable, change[0] / half)
        if leaking.any() and widenings < WIDENINGS:
            grow = WIDER * np.where(leaking, 1.0, 0.0) * (high - low)[:, None]
            low, high, widenings = low - grow[:, 0], high + grow[:, 1], widenings + 1
            levels = np.maximum(levels - 1, FIRST[step.size])
            chain, before = _on(step, low, high, levels), None
            continue
        error = change + np.max(chain.leak) * np.array([half, 4.0 * half**2])
        finer = _finer(levels, step.size)
        if np.all(error <= goal) or finer is None:
            return chain, error + chain.missed
        levels, before = finer, chain
        chain = _on(step, low, high, levels)


def chain_on(step: JointStep, grid: ChebyshevGrid) -> JointChain:
    """Return the law on a grid."""
    needed, free = 24.0 * grid.size**2, free_memory()  # the operator, the system, and its factors
    if needed > SHARE * free:
        raise NotApplicable(
            f"the exact method needs about {needed / 1e9:.2g} GB for {grid.size} nodes; {free / 1e9:.2g} GB are free"
        )
    step = step.with_breaks(grid.low, grid.high)
    return JointChain(step, grid, rows(step, grid, grid.points, order_of(grid)))


def _on(step: JointStep, low: FloatArray, high: FloatArray, levels: Any) -> JointChain:
    """Return the law on the grid of some levels."""
    return chain_on(step, ChebyshevGrid(low, high, tuple(LADDER[level] for level in levels)))


def _change(chain: JointChain, before: JointChain) -> FloatArray:
    """Return the largest differences of means and of covariances, (2,)."""
    return np.array([np.max(np.abs(chain.mean - before.mean)), np.max(np.abs(chain.covariance - before.covariance))])


def _finer(levels: Any, axes: int) -> Any | None:
    """Return the next levels, or None if their grid would be too large."""
    finer = levels + 1
    if np.max(finer) >= len(LADDER) or np.prod([LADDER[level] for level in finer]) > LARGEST[axes]:
        return None
    return finer


def law_of(chain: JointChain, error: FloatArray, tolerance: float) -> StationaryLaw:
    """Return the law of a chain in the form that all methods share."""
    n, V = chain.step.n, semidefinite(chain.covariance)
    slowest = float(np.min(chain.step.wiring.gamma))
    converged, message = check_accuracy(error, tolerance, chain.mean, np.sqrt(np.diag(V)), chain.memory, slowest)
    domain: Any = np.stack([chain.grid.low, chain.grid.high], axis=1)[:n]
    details = {
        "error": error,
        "domain": tuple(map(float, domain[0])) if n == 1 else domain,
        "nodes": chain.grid.size,
        "memory": chain.memory,
        "points": chain.states[:, 0] if n == 1 else chain.states,
        "weights": chain.weights,
    }
    return StationaryLaw(chain.mean, V, "exact", converged, message, details=details, rates=chain.rates)
