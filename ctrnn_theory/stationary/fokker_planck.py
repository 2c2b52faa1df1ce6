"""The Fokker–Planck equation of the diffusion approximation, for the density of up to three neurons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.fixed_points import fixed_points
from ctrnn_theory.fokker_planck.cell_grid import CellGrid
from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.fokker_planck.generator import generator
from ctrnn_theory.fokker_planck.null_vector import null_vector
from ctrnn_theory.fokker_planck.of_network import network_equation
from ctrnn_theory.fokker_planck.solution import Solution, cell_counts, stationary
from ctrnn_theory.model.kinds import require
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import gaussian_closure
from ctrnn_theory.stationary.closure.moments import semidefinite
from ctrnn_theory.stationary.deterministic import solve as deterministic
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.state_range import require_bounded
from ctrnn_theory.support.arguments import LARGEST, positive_number
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.types import FloatArray

MOST_NEURONS = 3
TOLERANCES = {1: 1e-8, 2: 1e-3, 3: 3e-2}  # default tolerance, by the number of neurons
FIRST_CELLS = {2: 64, 3: 40}  # cells along an axis of the first grid
MOST_CELLS = {2: 256, 3: 56}  # cells along an axis of the finest grid
COARSEN = 2  # ratio of the cells of the first grid to those of the grid on which the domain is widened
MORE_CELLS = 16  # cells along an axis that a finer grid of three neurons adds; for two they are doubled
WIDTHS = 6.5  # standard deviations of the closure on either side of its mean, in the first box
FLAT = 1e-9  # relative width of a box below which a neuron does not fluctuate
BEYOND = 10.0  # roots of the largest diffusion, added where the drift of one neuron leads back
FIRST_DISTANCE, LAST_DISTANCE, DISTANCE_STEP = -12.0, 18.0, 0.125  # powers of ten at which that drift is evaluated
MORE = 0.3  # share of the width that the second domain of one neuron adds at either end
LAYER = (-8.0, -4.0, 0.0, 4.0, 8.0)  # edges of panels about a kink, in units of the noise inside
LINE_BORDER = 1e-16  # largest probability at the ends of one neuron's domain, where an empty interval costs nothing
CLOSURE_TOLERANCE, CLOSURE_STEPS = 1e-3, 300  # the closure only places the box: a rough average is enough
BORDER = 1e-9  # largest probability in the outermost cells
WIDENED = 0.3  # share of the width by which a side with more than that is moved
MOST_WIDENINGS = 20
LONG_STEP = 1.0  # γ times the fastest rate, from which the map has at least twice the variance of the diffusion
BELOW = 1e-6  # probability below zero, above which the message reports it


def solve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    tolerance: float | None = None,
    cells: int | Sequence[int] | None = None,
) -> StationaryLaw:
    """Return the stationary law of the diffusion approximation, with its density, for one to three neurons.

    The drift is A = F(W h + W_in u + b; σ_in) - h and the diffusion B = γ (Cov f + Σ_out), in units of τ: the limit of
    the map for γ → 0. The estimated error is that of solving this equation. It does not contain the difference between
    the equation and the map, which is of relative order γ in the variance and of order γ² in the mean; ``message``
    says if a step of the map overshoots.

    For one neuron, the density without flux is integrated by quadrature on an interval outside of which the drift
    leads back; the diffusion may vanish where there is no probability. For two and three neurons, the equation is
    solved by finite volumes (see :func:`ctrnn_theory.fokker_planck.solve`) on a box of 6.5 standard deviations of the
    Gaussian closure on either side of every stable fixed point, which is widened until less than 1e-9 of the
    probability lies in the outermost cells. The law is that of all wells together, wherever the network starts. If
    rounding does not allow the shares of two wells to be found, the error is as large as their distance, and
    ``converged`` is False.

    The error is estimated from a second solution, on other panels and a larger interval or on coarser grids, and from
    two identities of any stationary law, E A = 0 and E[A (h - m)ᵀ + (h - m) Aᵀ + B] = 0.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    tolerance
        Largest estimated error of the mean, in units of the standard deviation, and of the covariance, in units of the
        variance; by default 1e-8, 1e-3 and 3e-2 for one, two and three neurons. Grids are refined to reach it, with
        up to 256 cells along an axis for two neurons and 56 for three.
    cells
        Cells along each axis of a single grid, instead of the refinement.

    Returns
    -------
    StationaryLaw
        ``details``: "density" (a :class:`~ctrnn_theory.fokker_planck.Density`), "error" (estimated, of mean and
        covariance, (2,)), "domain" (corners, (N, 2)), "cells", "order" (of convergence, as observed), "border"
        (largest probability in the outermost cells along an axis), "negative" (probability below zero, which cells
        may have for correlated noise).

    Raises
    ------
    NotApplicable
        For more than three neurons, for a neuron that does not fluctuate, or if the law is a point up to rounding.
    Divergence
        If the state grows without bound.
    ValueError
        If the grid is too large for memory.

    Examples
    --------
    >>> law = solve(CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1), Noise(inside=0.5))
    >>> print(law.mean.round(5), law.std.round(5))      # the map itself: 0.37704 and 0.10889
    [0.37699] [0.10697]
    """
    require_few(net)
    require("fokker_planck", net, noise)
    tolerance = positive_number("tolerance", TOLERANCES[net.n] if tolerance is None else tolerance)
    if cells is not None:
        cell_counts(cells, net.n)
    if noise.is_zero:
        law = deterministic(net, noise, u, start)
        return StationaryLaw(law.mean, law.covariance, "fokker_planck", law.converged, law.message)
    if net.n == 1:
        require_bounded(net, float(net.drive(u)[0]))
        solution, low, high = _line(net, noise, u)
    else:
        low, high = _widened(net, noise, u, *_box(net, noise, u, start))
        for counts in _refinements(net.n, cells):
            solution = stationary(network_equation(net, noise, u, (low, high)), low, high, counts)
            if np.all(_relative(solution) <= tolerance):
                break
    return _law(solution, low, high, tolerance, _overshoot(net, noise, u, solution))


def _overshoot(net: CTRNN, noise: Noise, u: ArrayLike | None, solution: Solution) -> str:
    """Return a message if a step of the map is so long that its law differs from that of the diffusion.

    One step takes deviations in a direction of rate λ of I - D W by the factor 1 - γ λ: the variance of the map is that
    of the diffusion times 2 / (2 - γ λ), and there is none for γ λ > 2.
    """
    a = net.W @ solution.mean + net.drive(u)
    S = noise.covariance("inside", net.n) + net.W @ semidefinite(solution.covariance) @ net.W.T
    slope = net.activation.smoothed(a, np.sqrt(np.maximum(np.diag(S), 0.0)), 1)
    rate = net.gamma * float(np.abs(np.linalg.eigvals(np.eye(net.n) - slope[:, None] * net.W)).max())
    if rate <= LONG_STEP:
        return ""
    return (
        f"a step of the map is too long for the diffusion approximation: it moves the state by {rate:.2g} times its "
        "distance from where the drift vanishes"
    )


def _box(net: CTRNN, noise: Noise, u: ArrayLike | None, start: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Return a box that holds the Gaussian closure's laws about every stable fixed point, or else from the start."""
    starts: list[Any] = [point.state for point in fixed_points(net, u) if point.stable] or [start]
    if (farthest := max((float(np.max(np.abs(at))) for at in starts if at is not None), default=0.0)) > LARGEST:
        raise NotApplicable(f"Fokker–Planck is for states of up to {LARGEST:g} in size; a fixed point has {farthest:g}")
    laws = []
    for begin in starts:
        try:
            laws.append(
                gaussian_closure.solve(net, noise, u, begin, tolerance=CLOSURE_TOLERANCE, max_iterations=CLOSURE_STEPS)
            )
        except Divergence:
            if len(starts) == 1:
                raise
    if not laws:
        raise Divergence("W must keep the state bounded; under noise it grows from every fixed point of the network")
    width = WIDTHS * np.array([law.std for law in laws])
    mean = np.array([law.mean for law in laws])
    return open_box((mean - width).min(axis=0), (mean + width).max(axis=0))


def require_few(net: CTRNN) -> None:
    """Raise NotApplicable for more than three neurons."""
    if net.n > MOST_NEURONS:
        raise NotApplicable(f"Fokker–Planck is for one to three neurons; the network has {net.n}")


def open_box(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a box, or raise NotApplicable if one of its sides has no length."""
    still = high - low <= FLAT * (np.maximum(np.abs(low), np.abs(high)) + 1e-300)
    if still.any():
        raise NotApplicable(f"Fokker–Planck is for neurons that fluctuate; neuron {int(np.argmax(still))} does not")
    return low, high


def _line(net: CTRNN, noise: Noise, u: ArrayLike | None) -> tuple[Solution, FloatArray, FloatArray]:
    """Solve for one neuron, on an interval that is widened until the density at its ends is negligible."""
    problem, breaks = network_equation(net, noise, u), _bends(net, noise, u)
    try:
        low, high = _interval(problem)
        for _ in range(MOST_WIDENINGS):
            solution = stationary(problem, low, high, (), breaks, MORE)
            leaking = solution.border[0] > LINE_BORDER
            if not leaking.any():
                break
            width = high - low
            low, high = low - np.where(leaking[0], width, 0.0), high + np.where(leaking[1], width, 0.0)
    except ValueError as error:
        raise NotApplicable(str(error)) from None
    return solution, low, high


def _bends(net: CTRNN, noise: Noise, u: ArrayLike | None) -> FloatArray:
    """Return the states about which drift and diffusion of one neuron bend, as edges of panels."""
    w, drive, f = float(net.W[0, 0]), float(net.drive(u)[0]), net.activation
    if w == 0.0:
        return np.zeros(0)
    layer = np.array(LAYER)[:, None]
    scale = float(noise.std("inside", 1)[0])
    at = [np.array(f.breakpoints) + scale * layer, np.array(f.nonlinearities) + np.hypot(scale, 1.0) * layer]
    with np.errstate(over="ignore"):  # states are infinitely far away for a weight next to zero
        states: FloatArray = np.unique((np.concatenate([a.ravel() for a in at]) - drive) / w)
    return states


def _interval(problem: Equation) -> tuple[FloatArray, FloatArray]:
    """Return an interval (1,), (1,) outside of which the drift of one neuron leads back, with a margin for the noise.

    The drift is evaluated on both sides of zero, at distances from 1e-12 to 1e18: the law may extend to wherever it
    leads outwards.
    """
    distance = 10.0 ** np.arange(FIRST_DISTANCE, LAST_DISTANCE, DISTANCE_STEP)
    ends = []
    for side in (-1.0, 1.0):
        drift = side * problem.drift(side * distance[:, None], 0.0)[:, 0]
        last = np.flatnonzero(drift >= 0.0)[-1:]
        ends.append(distance[: int(last[0]) + 2 if last.size else 1])
    seen = np.concatenate([-ends[0], ends[1]])
    margin = BEYOND * np.sqrt(float(problem.diffusion(seen[:, None], 0.0).max()))
    return open_box(np.array([seen.min() - margin]), np.array([seen.max() + margin]))


def _widened(
    net: CTRNN, noise: Noise, u: ArrayLike | None, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return a box that is widened until little probability lies in the outermost cells of a coarse grid."""
    for _ in range(MOST_WIDENINGS):
        grid = CellGrid(low, high, (FIRST_CELLS[net.n] // COARSEN,) * net.n)
        mass, _ = null_vector(generator(network_equation(net, noise, u, (low, high)), grid))
        leaking = grid.border(mass) > BORDER
        if not leaking.any():
            break
        grow = WIDENED * (high - low)
        low, high = np.where(leaking[:, 0], low - grow, low), np.where(leaking[:, 1], high + grow, high)
    return low, high


def _refinements(n: int, cells: int | Sequence[int] | None) -> Iterator[tuple[int, ...]]:
    """Yield the cells of the grids to try, one after the other."""
    if cells is not None:
        yield cell_counts(cells, n)
        return
    count = FIRST_CELLS[n]
    while count <= MOST_CELLS[n]:
        yield (count,) * n
        count = 2 * count if n == 2 else count + MORE_CELLS


def _relative(solution: Solution) -> FloatArray:
    """Return the errors of mean and covariance, in units of the largest standard deviation and variance, (2,)."""
    size = float(np.max(np.diag(solution.covariance)))
    return solution.error / np.array([np.sqrt(size), size])


def _law(solution: Solution, low: FloatArray, high: FloatArray, tolerance: float, remark: str) -> StationaryLaw:
    """Return the law of a solution, with a message if it has not converged, or else the remark."""
    message, border = "", float(solution.border.max())
    if border > BORDER:
        message = f"the domain cuts the law off: {border:.1e} of the probability lies at one of its ends"
    elif not np.all(_relative(solution) <= tolerance):
        message = (
            f"the estimated error of the mean is {solution.error[0]:.1e}, of the covariance {solution.error[1]:.1e}"
        )
    elif solution.negative > BELOW:
        message = (
            f"{solution.negative:.1e} of the probability is below zero: cells are too wide for noise so correlated"
        )
    details = {
        "density": solution.density,
        "error": solution.error,
        "domain": np.stack([low, high], axis=1),
        "cells": solution.cells,
        "order": solution.order,
        "border": border,
        "negative": solution.negative,
    }
    covariance = semidefinite(solution.covariance)
    return StationaryLaw(solution.mean, covariance, "fokker_planck", not message, message or remark, details=details)
