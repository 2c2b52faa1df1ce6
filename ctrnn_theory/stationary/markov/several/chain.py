"""The stationary law of two or three neurons on a Chebyshev grid, from the Poisson equation, and its error."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.moments import semidefinite
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.acceptance import check_accuracy
from ctrnn_theory.stationary.markov.one_step import OneStep, moments_after, slack
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid, Rows
from ctrnn_theory.stationary.markov.several.linear_system import System
from ctrnn_theory.stationary.markov.several.operator import EXTRA, NetworkStep
from ctrnn_theory.stationary.markov.several.state_box import Landscape, first_box, widen, with_breaks
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.memory import SHARE, free_memory
from ctrnn_theory.support.types import FloatArray

LADDER = (8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 128)
"""Numbers of nodes along an axis that are tried in turn."""
ROUNDS = 40  # rounds of widening the box or refining the grid, at most
WIDENINGS = 12  # rounds of widening after which the leak that is left is rounding
DENSE = 4608  # nodes for which the matrix may be written out
FACTORED = {2: DENSE, 3: 2000}  # nodes up to which it is factored, by the number of neurons
LARGEST = {2: DENSE, 3: 25_000}  # nodes of a grid
ITERATED = 1e-4  # part of the tolerance that an iteration may leave
PASSAGES = 1e-8  # largest tolerance of a law that may leave out other attractors


@dataclass(frozen=True, eq=False)
class SeveralChain:
    """The stationary law of the map of two or three neurons on a grid, and the parts of its estimated error."""

    step: NetworkStep
    """The map."""
    grid: ChebyshevGrid
    """Grid of M nodes; its states are those before the noise outside is added if the step is ``early``."""
    weights: FloatArray
    """Weights π with E φ = Σ π_j φ(point_j) for smooth φ, (M,)."""
    mean: FloatArray
    """Mean E h (N,)."""
    covariance: FloatArray
    """Covariance of h (N, N)."""
    memory: float
    """Largest range of the solution g of the Poisson equation for φ = h_i over that of h_i."""
    leak: FloatArray
    """Error of the mean by the probability that leaves each side of the box, in its largest half width, (N, 2)."""
    residual: FloatArray
    """Error of the mean and of the covariance by interpolation, (2,)."""
    shares: FloatArray
    """Share of each axis in that error, (N, 2)."""
    one_step: OneStep
    """Moments after one step from each node."""
    missed: FloatArray = field(default_factory=lambda: np.zeros(2))
    """Error of the mean and of the covariance by what the quadrature steps over, (2,)."""

    @property
    def error(self) -> FloatArray:
        """Estimated largest absolute error of the mean and of the covariance, (2,).

        It is three times the sum of its parts, since a finer grid stands for the whole residual and the leak is counted
        to first order.
        """
        half = 0.5 * float(np.max(self.grid.high - self.grid.low))
        leak = np.max(self.leak) * np.array([half, 4.0 * half**2])
        total: FloatArray = 3.0 * (self.residual + leak + self.missed)
        return total


def law_of_several(net: CTRNN, noise: Noise, u: ArrayLike | None, start: FloatArray, tolerance: float) -> StationaryLaw:
    """Return the stationary law of two or three neurons; see :func:`ctrnn_theory.stationary.exact.solve`."""
    return law_of(solve_several(net, noise, net.drive(u), start, tolerance), tolerance)


def solve_several(net: CTRNN, noise: Noise, drive: FloatArray, start: FloatArray, tolerance: float) -> SeveralChain:
    """Return the chain of two or three neurons that have noise and an input current `drive` (N,)."""
    n = net.n
    inside, outside = noise.covariance("inside", n), noise.covariance("outside", n)
    step = NetworkStep(net.activations[0], net.W, drive, float(net.gammas[0]), inside, outside)
    if n > 2 and not step.separable:
        raise NotApplicable("the exact method treats noise that neurons share for two neurons, not for three")
    return _search(*first_box(net, noise, start, step), tolerance)


def chain_on(
    step: NetworkStep, grid: ChebyshevGrid, coarse: System | None, tolerance: float = 0.0
) -> tuple[SeveralChain, System]:
    """Solve for π, and the Poisson equations, on one grid; also return the linear system.

    Where it is iterated, what the iteration leaves is some part of the tolerance, and counts in the residual.
    """
    require_memory(step, grid)
    finer = grid.finer()
    order = step.order(grid)
    wide = step.rows(finer, grid.points, order)
    restriction = grid.resampling(finer)
    rows = wide.after(restriction.factors, [np.zeros((c, 2)) for c in finer.counts])
    system = System(rows, grid, coarse, ITERATED * tolerance)
    weights = system.law()
    z = grid.reference(grid.points)
    center = weights @ z
    phi = _moments(z, center)
    expected = weights @ phi
    g = system.poisson(phi - expected)
    memory = 0.5 * float(np.max(np.ptp(g[:, : grid.n], axis=0)))
    half = 0.5 * (grid.high - grid.low)
    i, j = np.triu_indices(grid.n)
    scale = np.concatenate([half, half[i] * half[j]])
    leak = np.abs(np.einsum("m,mis->is", weights, wide.over)) * _steepness(grid, half, g)[:, None]
    residual = _residual(step, grid, finer, center, expected, g)
    after = wide.adjoint(weights)  # E r = E (P r), and P r is smooth, so that the weights at the nodes average it well
    parts = [residual, *(finer.unresolved(axis, grid.counts[axis], residual) for axis in range(grid.n))]
    errors = np.abs(after @ np.concatenate(parts, axis=1)).reshape(grid.n + 1, -1) * scale
    shares = np.stack([errors[:, : grid.n].max(axis=1), errors[:, grid.n :].max(axis=1)], axis=1)
    covariance = np.zeros((grid.n, grid.n))
    covariance[i, j] = covariance[j, i] = (expected * scale)[grid.n :]
    if step.early:
        covariance = covariance + step.gamma**2 * step.outside
    mean = 0.5 * (grid.low + grid.high) + half * center
    moments = _one_step(system.rows, phi, center, g)
    return SeveralChain(step, grid, weights, mean, covariance, memory, leak, shares[0], shares[1:], moments), system


def _steepness(grid: ChebyshevGrid, half: FloatArray, g: FloatArray) -> FloatArray:
    """Return how much the sum of later states changes with a state along each axis, (N,).

    The state changes by half widths of its own axis, the sum in units of the largest half width.
    """
    tensor = g[:, : grid.n].reshape(*grid.counts, grid.n) * (half / np.max(half))
    return np.array([0.5 * np.max(np.ptp(tensor, axis=axis)) for axis in range(grid.n)])


def _residual(
    step: NetworkStep,
    grid: ChebyshevGrid,
    finer: ChebyshevGrid,
    center: FloatArray,
    expected: FloatArray,
    g: FloatArray,
) -> FloatArray:
    """Return the residual of the Poisson equations on a finer grid, by a finer quadrature, (nodes, functions)."""
    rows = step.rows(grid, finer.points, step.order(grid) + 4, 2 * EXTRA)
    residual = _moments(grid.reference(finer.points), center) - expected + rows.apply(g)
    return residual - grid.resampling(finer).apply(g)


def _one_step(rows: Rows, phi: FloatArray, center: FloatArray, g: FloatArray) -> OneStep:
    """Return what the operator says of one step, from the functions φ and the solutions g of their equations."""
    n = len(center)
    i, j = np.triu_indices(n)
    own = np.concatenate([np.arange(n), n + np.flatnonzero(i == j)])
    below, above = rows.over[:, :, 0], rows.over[:, :, 1]  # distances by which points were moved to the ends of the box
    after = rows.apply(phi[:, own]) + np.concatenate(
        [above - below, 2.0 * ((1.0 - center) * above + (1.0 + center) * below)], axis=1
    )
    return OneStep(after, below + above, np.array([np.max(np.ptp(part, axis=0)) for part in (g[:, :n], g[:, n:])]))


def with_missed(chain: SeveralChain) -> SeveralChain:
    """Return the chain with the error by what its quadrature has missed."""
    step, grid = chain.step, chain.grid
    none = np.zeros_like(step.W)
    late, early = (none, step.gamma**2 * step.outside) if step.early else (step.outside, None)
    mean, variance = moments_after(step.f, step.W, step.drive, step.gamma, step.inside, late, grid.points, early)
    half = 0.5 * (grid.high - grid.low)
    away = (mean - chain.mean) / half
    true = np.concatenate([grid.reference(mean), away**2 + variance / half**2], axis=1)
    allowed = slack(mean, grid.points, chain.mean, half, chain.one_step.over)
    return replace(chain, missed=chain.one_step.missed(chain.weights, true, allowed, np.max(half)))


def require_memory(step: NetworkStep, grid: ChebyshevGrid) -> None:
    """Raise NotApplicable if a grid needs more memory than there is."""
    dense = 3 * min(grid.size, FACTORED[grid.n]) ** 2  # the rows, the system, and its factors
    pairs = 0 if step.separable else 4 * grid.size * grid.finer().size  # rows to and from a finer grid
    needed, free = 8.0 * (dense + pairs), free_memory()
    if needed > SHARE * free:
        raise NotApplicable(
            f"the exact method needs about {needed / 1e9:.2g} GB for {grid.size} nodes; {free / 1e9:.2g} GB are free"
        )


def _moments(z: FloatArray, center: FloatArray) -> FloatArray:
    """Return the functions φ of states z (M, N) whose Poisson equations are solved: z, and products of z - center."""
    i, j = np.triu_indices(z.shape[1])
    return np.concatenate([z, (z - center)[:, i] * (z - center)[:, j]], axis=1)


def _search(
    step: NetworkStep, landscape: Landscape, low: FloatArray, high: FloatArray, tolerance: float
) -> SeveralChain:
    """Widen the box and refine the grid until the error is below the tolerance, or no longer falls."""
    n = len(low)
    step, levels = with_breaks(step, low, high), np.full(n, 2 if n == 2 else 1)
    coarse: System | None = None
    before, stalled, widenings = np.inf, 0, 0
    for _ in range(ROUNDS):
        grid = ChebyshevGrid(low, high, tuple(LADDER[level] for level in levels))
        factored = grid.size <= FACTORED[n]
        if not factored and coarse is None:  # the box is new
            coarse = _factored(step, grid)
        chain, system = chain_on(step, grid, None if factored else coarse, tolerance)
        coarse = system if factored else coarse
        alone = landscape.held(low, high) == len(landscape.points)
        goal, tolerable = _goals(chain, tolerance if alone else min(tolerance, PASSAGES))
        excess = float(np.max(3.0 * chain.residual / goal))
        half = 0.5 * float(np.max(high - low))
        blur = 3.0 * max(chain.residual[0] / half, chain.residual[1] / half**2)
        leaking = chain.leak > max(tolerable, blur)
        if leaking.any() and widenings < WIDENINGS:
            wide = widen(step, landscape, low, high, np.where(leaking, chain.leak, 0.0))
            if np.any(wide[1] - wide[0] > 1.001 * (high - low)):
                (low, high), widenings, before, coarse = wide, widenings + 1, np.inf, None
                step = with_breaks(step, low, high)
                continue
        stalled = 0 if excess < 0.5 * before else stalled + 1
        before = min(excess, before)
        finer = _refined(levels, np.max(3.0 * chain.shares / goal, axis=1), DENSE if not step.separable else LARGEST[n])
        if np.all(chain.error <= 2.0 * goal) or stalled == 3 or np.all(finer == levels):
            break
        levels = finer
    return with_missed(chain)


def _factored(step: NetworkStep, grid: ChebyshevGrid) -> System:
    """Return the linear system on a coarser grid of the same box, whose matrix is factored."""
    counts = list(grid.counts)
    while np.prod(counts) > FACTORED[grid.n]:
        longest = int(np.argmax(counts))
        counts[longest] = LADDER[LADDER.index(counts[longest]) - 1]
    coarse = ChebyshevGrid(grid.low, grid.high, tuple(counts))
    return System(step.rows(coarse, coarse.points, step.order(coarse)), coarse, None)


def _goals(chain: SeveralChain, tolerance: float) -> tuple[FloatArray, float]:
    """Return the error of mean and covariance to aim for, (2,), and the leak that may go with it."""
    half = 0.5 * float(np.max(chain.grid.high - chain.grid.low))
    std = float(np.sqrt(max(np.max(np.diag(chain.covariance)), 0.0)))
    width = max(std, 1e-3 * half)
    most = float(np.max(np.abs([chain.grid.low, chain.grid.high])))  # a step rounds states of this size
    rounding = np.finfo(float).eps * chain.memory * max(20.0 * half, 4.0 * most)  # no grid undoes it
    size = max(1.0, float(np.max(np.abs(chain.mean))))
    wanted = np.minimum([width, 10.0 * width**2], [0.5 * size, 0.5 * size**2])
    goal = np.maximum(tolerance * wanted, rounding * np.array([1.0, half]))
    return goal, 0.1 * min(goal[0], goal[1] / (4.0 * half)) / half


def _refined(levels: NDArray[np.int64], rough: FloatArray, largest: int) -> NDArray[np.int64]:
    """Return the levels (N,) of the next grid, of at most `largest` nodes, by how rough functions are on each axis."""
    finer = np.where(rough > 0.5 / len(levels), levels + 1 + (rough > 1e3), levels)
    finer = np.minimum(levels + 1 if np.all(finer == levels) else finer, len(LADDER) - 1)
    while np.prod([LADDER[level] for level in finer]) > largest and np.any(finer > levels):
        finer = np.where((finer > levels) & (finer == np.max(finer[finer > levels])), finer - 1, finer)
    return finer


def law_of(chain: SeveralChain, tolerance: float) -> StationaryLaw:
    """Return the law of the chain, in the form that all methods share."""
    std = np.sqrt(np.maximum(np.diag(chain.covariance), 0.0))
    converged, message = check_accuracy(chain.error, tolerance, chain.mean, std, chain.memory, chain.step.gamma)
    details: dict[str, Any] = {
        "error": chain.error,
        "domain": np.stack([chain.grid.low, chain.grid.high], axis=1),
        "nodes": chain.grid.size,
        "memory": chain.memory,
    }
    details["points"], details["weights"] = after_noise(chain)
    return StationaryLaw(chain.mean, semidefinite(chain.covariance), "exact", converged, message, details=details)


def after_noise(chain: SeveralChain) -> tuple[FloatArray, FloatArray]:
    """Return points and weights for functions of the state itself, whatever states the grid is of."""
    step, grid = chain.step, chain.grid
    if not step.early:
        return grid.points, chain.weights
    kick = step.reach * step.gamma * np.sqrt(np.diag(step.outside))
    wide = ChebyshevGrid(grid.low - kick, grid.high + kick, grid.counts)
    return wide.points, step.diffuse(wide, grid, step.order(grid)).adjoint(chain.weights)
