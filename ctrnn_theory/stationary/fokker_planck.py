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
from ctrnn_theory.fokker_planck.still_points import still_points
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.stationary import gaussian_closure
from ctrnn_theory.stationary.closure.moments import semidefinite
from ctrnn_theory.stationary.deterministic import solve as deterministic
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.latent.diffusion_law import low_rank_step, solve_diffusion, too_long
from ctrnn_theory.stationary.markov.state_range import require_bounded
from ctrnn_theory.support.arguments import LARGEST, positive_number
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.types import FloatArray

MOST_NEURONS = 3
TOLERANCES = {1: 1e-8, 2: 1e-3, 3: 3e-2}  # default tolerance, by the number of neurons
COLOURED_TOLERANCE = 5e-2  # the same with coloured noise: where a diffusion vanishes, the scheme is of first order
FIRST_CELLS = {2: 64, 3: 40}  # cells along an axis of the first grid
MOST_CELLS = {2: 256, 3: 56}  # cells along an axis of the finest grid
COARSEN = 2  # ratio of the cells of the first grid to those of the grid on which the domain is widened
MORE_CELLS = 16  # cells along an axis that a finer grid of three neurons adds; for two they are doubled
WIDTHS = 6.5  # standard deviations of the closure on either side of its mean, in the first box
FLAT = 1e-9  # relative width of a box below which a neuron does not fluctuate
BEYOND = 10.0  # roots of the largest diffusion, added where the drift of one neuron leads back
FIRST_DISTANCE, LAST_DISTANCE, DISTANCE_STEP = -12.0, 18.0, 0.125  # powers of ten at which that drift is evaluated
MORE = 0.3  # share of the width that the second domain of one neuron adds at either end
MORE_OF_A_TAIL = 3.0  # the same where the tail may be a power: the variance beyond the first domain is then seen
LAYER = (-8.0, -4.0, 0.0, 4.0, 8.0)  # edges of panels about a kink, in units of the noise inside
LINE_BORDER = 1e-16  # largest probability at the ends of one neuron's domain, where an empty interval costs nothing
CLOSURE_TOLERANCE, CLOSURE_STEPS = 1e-3, 300  # the closure only places the box: a rough average is enough
BORDER = 1e-9  # largest probability in the outermost cells
WIDENED = 0.3  # share of the width by which a side with more than that is moved
MOST_WIDENINGS = 20
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
    the map for γ → 0. :func:`ctrnn_theory.fokker_planck.of_network.network_equation` has them for every kind of network
    and noise; coloured sources, which one neuron alone may have, are further coordinates. The estimated error is that
    of solving this equation. It does not contain the difference between the equation and the map, which is of relative
    order γ in the variance and of order γ² in the mean; ``message`` says if a step of the map overshoots.

    For one neuron, the density without flux is integrated by quadrature on an interval outside of which the drift
    leads back; the diffusion may vanish where there is no probability. For two and three neurons, the equation is
    solved by finite volumes (see :func:`ctrnn_theory.fokker_planck.solve`) on a box of 6.5 standard deviations of the
    Gaussian closure on either side of every stable fixed point, which is widened until less than 1e-9 of the
    probability lies in the outermost cells. The law is that of all wells together, wherever the network starts. If
    rounding does not allow the shares of two wells to be found, the error is as large as their distance, and
    ``converged`` is False.

    For more neurons whose weights have a rank of one or two, the equation of their latent variables is solved, and
    mean and covariance of all neurons follow, see :mod:`ctrnn_theory.stationary.markov.latent.diffusion_law`.

    The error is estimated from a second solution, on other panels and a larger interval or on coarser grids, and from
    two identities of any stationary law, E A = 0 and E[A (h - m)ᵀ + (h - m) Aᵀ + B] = 0.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    tolerance
        Largest estimated error of the mean, in units of the standard deviation, and of the covariance, in units of the
        variance; by default 1e-8, 1e-3 and 3e-2 for one, two and three neurons, and 5e-2 with coloured noise. Grids are
        refined to reach it, with up to 256 cells along an axis in two dimensions and 56 in three.
    cells
        Cells along each axis of a single grid, instead of the refinement.

    Returns
    -------
    StationaryLaw
        ``details``: "density" (a :class:`~ctrnn_theory.fokker_planck.Density`), "error" (estimated, of mean and
        covariance, (2,)), "domain" (corners, (N, 2)), "cells", "order" (of convergence, as observed), "border"
        (largest probability in the outermost cells along an axis), "negative" (probability below zero, which cells
        may have for correlated noise). For latent variables: "latent_density", "latent_mean" and "latent_covariance",
        and no "density" and "negative".

    Raises
    ------
    NotApplicable
        For more than three neurons whose weights have a rank above two, for coloured noise of more than one, for a
        neuron that does not fluctuate, or if the law is a point up to rounding.
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
    if net.n > MOST_NEURONS and not noise.is_zero and (step := low_rank_step(net, noise, u)):
        if cells is not None:
            raise ValueError(f"cells must be None for more than {MOST_NEURONS} neurons; got {cells}")
        return solve_diffusion(step, None if tolerance is None else positive_number("tolerance", tolerance))
    require_few(net)
    require_kinds(net, noise)
    dimensions = net.n + sources(noise, net.n)
    usual = TOLERANCES[dimensions] if dimensions == net.n else COLOURED_TOLERANCE
    tolerance = positive_number("tolerance", usual if tolerance is None else tolerance)
    if cells is not None:
        cell_counts(cells, dimensions)
    if noise.is_zero:
        law = deterministic(net, noise, u, start)
        return StationaryLaw(law.mean, law.covariance, "fokker_planck", law.converged, law.message)
    if net.n == 1:
        require_bounded(net, float(net.drive(u)[0]))
    if dimensions == 1:
        solution, low, high = _line(net, noise, u)
    else:
        low, high = _widened(net, noise, u, *_box(net, noise, u, start))
        for counts in _refinements(dimensions, cells):
            solution = stationary(network_equation(net, noise, u, (low, high)), low, high, counts)
            if np.all(_relative(solution, net.n) <= tolerance):
                break
    return _law(net, solution, low, high, tolerance, _overshoot(net, noise, u, solution))


def sources(noise: Noise, n: int) -> int:
    """Return the number of coloured sources, each of which is a dimension."""
    return sum(len(noise.coloured(site, n)[1]) for site in SITES)


def _overshoot(net: CTRNN, noise: Noise, u: ArrayLike | None, solution: Solution) -> str:
    """Return a message if a step of the map is so long that its law differs from that of the diffusion.

    The rates λ are those of (1 - B D U)/τ, see :func:`too_long`.
    """
    wiring, n = Wiring.of(net, u), net.n
    mean, covariance = solution.mean[:n], solution.covariance[:n, :n]
    a, inside = wiring.preactivation(mean), np.diag(noise.covariance("inside", n))
    state = np.diag(wiring.read @ semidefinite(covariance) @ wiring.read.T)
    s = np.sqrt(np.maximum(inside + state + np.diag(noise.gain_covariance("inside", n)) * (a**2 + state), 0.0))
    rate = float(np.abs(np.linalg.eigvals(np.eye(n) - wiring.jacobian(net.activation.smoothed(a, s, 1)))).max())
    return too_long(rate)


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
    low, high = open_box((mean - width).min(axis=0), (mean + width).max(axis=0))
    reach = np.full(sources(noise, net.n), WIDTHS)  # coloured sources have unit variance
    return np.append(low, -reach), np.append(high, reach)


def require_few(net: CTRNN) -> None:
    """Raise NotApplicable for more than three neurons."""
    if net.n > MOST_NEURONS:
        raise NotApplicable(f"Fokker–Planck is for one to three neurons; the network has {net.n}")


def require_kinds(net: CTRNN, noise: Noise) -> None:
    """Raise NotApplicable for coloured noise of several neurons, or of more sources than there may be dimensions."""
    if count := sources(noise, net.n):
        if net.n > 1:
            raise NotApplicable(f"Fokker–Planck takes coloured noise of one neuron alone; the network has {net.n}")
        if count >= MOST_NEURONS:
            raise NotApplicable(f"Fokker–Planck takes {MOST_NEURONS - 1} coloured sources at most; there are {count}")


def open_box(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a box, or raise NotApplicable if one of its sides has no length."""
    still = high - low <= FLAT * (np.maximum(np.abs(low), np.abs(high)) + 1e-300)
    if still.any():
        raise NotApplicable(f"Fokker–Planck is for neurons that fluctuate; neuron {int(np.argmax(still))} does not")
    return low, high


def _line(net: CTRNN, noise: Noise, u: ArrayLike | None) -> tuple[Solution, FloatArray, FloatArray]:
    """Solve for one neuron, on an interval that is widened until the density at its ends is negligible.

    An end at which the diffusion vanishes stays where it is.
    """
    problem, breaks, walls = network_equation(net, noise, u), _bends(net, noise, u), still_points(net, noise, u)
    free, more = np.isinf(walls), MORE_OF_A_TAIL if noise.has_gains else MORE
    try:
        low, high = _interval(problem)
        for _ in range(MOST_WIDENINGS):
            low, high = np.maximum(low, walls[:1]), np.minimum(high, walls[1:])
            solution = stationary(problem, low, high, (), breaks, more * free)
            part = float((high - low)[0]) ** 2 / float(solution.covariance[0, 0]) if noise.has_gains else 1.0
            leaking = (solution.border[0] * part > LINE_BORDER) & free  # or its part of the variance, for a power tail
            if not leaking.any():
                break
            width = high - low
            low, high = low - np.where(leaking[0], width, 0.0), high + np.where(leaking[1], width, 0.0)
    except ValueError as error:
        raise NotApplicable(str(error)) from None
    return solution, low, high


def _bends(net: CTRNN, noise: Noise, u: ArrayLike | None) -> FloatArray:
    """Return the states about which drift and diffusion of one neuron bend, as edges of panels."""
    wiring, f = Wiring.of(net, u), net.activations[0]
    w, drive = float(wiring.read[0, 0]), float(wiring.c[0])
    if w == 0.0:
        return np.zeros(0)
    layer = np.array(LAYER)[:, None]
    std, gain = float(noise.std("inside", 1)[0]), float(np.sqrt(noise.gain_covariance("inside", 1)[0, 0]))
    kinks, places = np.array(f.breakpoints), np.array(f.nonlinearities)
    at = [kinks + np.hypot(std, gain * kinks) * layer, places + np.hypot(np.hypot(std, gain * places), 1.0) * layer]
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
        grid = CellGrid(low, high, (FIRST_CELLS[len(low)] // COARSEN,) * len(low))
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


def _relative(solution: Solution, n: int) -> FloatArray:
    """Return the errors of mean and covariance, in units of the neurons' largest deviation and variance, (2,)."""
    size = float(np.max(np.diag(solution.covariance)[:n]))
    return solution.error / np.array([np.sqrt(size), size])


def _law(
    net: CTRNN, solution: Solution, low: FloatArray, high: FloatArray, tolerance: float, remark: str
) -> StationaryLaw:
    """Return the law of a solution, with a message if it has not converged, or else the remark."""
    message, border, n = "", float(solution.border.max()), net.n
    if border > BORDER:
        message = f"the domain cuts the law off: {border:.1e} of the probability lies at one of its ends"
    elif not np.all(_relative(solution, n) <= tolerance):
        message = (
            f"the estimated error of the mean is {solution.error[0]:.1e}, of the covariance {solution.error[1]:.1e}"
        )
    elif solution.negative > BELOW:
        message = (
            f"{solution.negative:.1e} of the probability is below zero: cells are too wide for noise so correlated"
        )
    density = solution.density if solution.density.n == n else solution.density.marginal(range(n))
    details = {
        "density": density,
        "error": solution.error,
        "domain": np.stack([low, high], axis=1),
        "cells": solution.cells,
        "order": solution.order,
        "border": border,
        "negative": solution.negative,
    }
    return StationaryLaw(
        solution.mean[:n],
        semidefinite(solution.covariance[:n, :n]),
        "fokker_planck",
        not message,
        message or remark,
        details=details,
        rates=density.expectation(net.rate) if net.form == "voltage" else None,
    )
