"""Escape from the slowest modes of the Markov operator of a step: that of few neurons, or of latent variables.

The operator has an eigenvalue next to 1 for each attractor but one, with eigenfunctions that are nearly constant in a
basin. The rates are those of the chain Ψ Λ Ψ⁻¹ - I, with the values Ψ of the eigenfunctions at the attractors.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse.linalg import LinearOperator, eigs

from ctrnn_theory.dynamics.fixed_points import FixedPoint, FixedPoints
from ctrnn_theory.escape.by_simulation import smoothed_centres
from ctrnn_theory.escape.result import EscapeTimes, of_rates
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.latent import TOLERANCES
from ctrnn_theory.stationary.markov.latent.chain import LatentChain
from ctrnn_theory.stationary.markov.latent.fixed_points import NEWTON_STEPS, STARTS, domain, drift, fixed_points, slopes
from ctrnn_theory.stationary.markov.latent.solver import solve_chain
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.stationary.markov.spectrum import spectrum
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import ComplexArray, FloatArray

SEPARATED = 5.0  # ratio of escape to relaxation times above which basins are metastable
LARGEST_CONDITION = 1e12  # condition number of the eigenfunctions at the attractors, above which no chain is computed
BELOW = 1e-3  # size of a negative rate, in units of the largest rate, above which no chain describes the motion
MORE = 4  # modes nearest to 1 beyond those of the basins, among which is the slowest one
UNRESOLVED = 0.2  # the same by the grid, above which the operator has no modes that are slow enough
CLIMB = 30.0  # height of a barrier, in units of the noise, whose passage takes some 1e15 steps
TOO_RARE = "it is passed too rarely for double precision"
ROUNDINGS = 20.0  # of a step, which add up over the memory
WAY, FEW = 200, 17  # places between two attractors at which drift, and diffusion, are evaluated
UNCERTAIN = 0.05  # estimated relative error of a time, above which a message gives it


class Modes(NamedTuple):
    """The slowest modes of an operator."""

    eigenvalues: ComplexArray
    """Eigenvalues (K,), largest modulus first; the first is 1."""
    values: ComplexArray
    """Eigenfunctions at the B attractors, (B, K)."""


def exact(net: CTRNN, noise: Noise, u: ArrayLike | None, basins: tuple[FixedPoint, ...]) -> EscapeTimes:
    """Return the rates that the spectrum of one to three neurons gives."""
    found = spectrum(net, noise, u, count=len(basins) + 1)
    points = np.array([point.state for point in basins])
    centres, merged = smoothed_centres(net, noise, net.drive(u), points)
    remark = "noise inside smooths the activation so much that basins merge: the rates are rough" if merged else ""
    return _result(net, basins, "exact", Modes(found.eigenvalues, found.functions(centres)), remark)


def attractors(net: CTRNN, noise: Noise, u: ArrayLike | None) -> FixedPoints:
    """Return the states at which the mean of a step of latent variables stays under noise.

    A network that was made under noise may have other fixed points without it, or none.
    """
    step = _step(net, noise, u)
    found = fixed_points(step, domain(step))
    points = []
    for point in found:
        at = point.latent[None]
        of_latent = 1.0 + step.gamma * np.linalg.eigvals(slopes(step, at)[0])
        others = np.full(net.n - step.rank, 1.0 - step.gamma)
        values = np.concatenate([of_latent, others]).astype(np.complex128)
        values = values[np.argsort(-np.abs(values), kind="stable")]
        points.append(FixedPoint(step.mean_rate(at)[0], step.preactivation(at)[0], values, point.stable))
    count = STARTS[step.rank] ** step.rank
    points = sorted(points, key=lambda point: tuple(point.state.round(9)))  # equal numbers differ by rounding
    return FixedPoints(points, f"{NEWTON_STEPS} steps of Newton's method were taken from {count} latent states")


def latent(
    net: CTRNN, noise: Noise, u: ArrayLike | None, basins: tuple[FixedPoint, ...], edgeworth: bool = True
) -> EscapeTimes:
    """Return the rates that the operator of the latent variables gives.

    Its slowest modes are those of the inverse of 1 - P + 1 uᵀ, which is factored, so that the time of a switch costs
    nothing. The estimated error of the times is their change on a coarser grid, and by the next term of Edgeworth's
    expansion, and that of rounding.
    """
    step = _step(net, noise, u)
    places = np.array([point.state for point in basins]) @ step.D
    if step.rank == 1 and (climb := _climb(step, places)) > CLIMB:
        raise NotApplicable(f"a barrier is {climb:.0f} times the noise: {TOO_RARE}")
    chain, _ = solve_chain(step, places, TOLERANCES[step.rank], edgeworth)
    coarse = chain.on(tuple(3 * k // 4 for k in chain.grid.counts))
    operators = ((chain, chain.matrix), (coarse, coarse.matrix), (chain, chain.matrix + chain.neglected))
    modes = [_slowest(on, P, places) for on, P in operators]
    sharp = "" if chain.table.resolved else "there is too little noise inside: the smoothed activation is not resolved"
    found, *others = (_result(net, basins, "latent", each, sharp) for each in modes)
    by_grid, by_cumulants = (np.abs(other.time - found.time) for other in others)
    if not np.all(by_grid[np.isfinite(found.time)] <= UNRESOLVED * found.time[np.isfinite(found.time)]):
        raise NotApplicable(f"{chain.grid.size} nodes do not resolve the way out of a basin, or {TOO_RARE}")
    uncertain = []
    for error, what in ((by_grid, "the grid"), (by_cumulants, "fourth cumulants")):
        if not np.all(error <= UNCERTAIN * found.time):
            uncertain.append(f"times change by {np.max(error / found.time):.1%} with {what}")
    message = "; ".join(part for part in (found.message, *uncertain) if part)
    rounding = ROUNDINGS * np.finfo(float).eps * chain.memory * found.time
    return replace(found, error=by_grid + by_cumulants + rounding, converged=not message, message=message)


def _step(net: CTRNN, noise: Noise, u: ArrayLike | None) -> LatentStep:
    step = LatentStep.of(net, noise, u)
    if not step.rank:
        raise NotApplicable("neurons without weights have no latent variables, and so no attractors of theirs")
    return step


def _climb(step: LatentStep, places: FloatArray) -> float:
    """Return the height of the highest barrier between two attractors (B, 1), in units of the noise, from the lower.

    It is ∫ 2A/B, with drift A and diffusion B, whose exponential is the time of a passage but for a factor.
    """
    ends = np.sort(places[:, 0])
    heights = []
    for low, high in itertools.pairwise(ends):
        x, few = (np.linspace(low, high, count)[:, None] for count in (WAY, FEW))
        diffusion = np.interp(x[:, 0], few[:, 0], step.covariance(step.variance(few))[:, 0, 0])
        force = 2.0 * step.gamma * drift(step, x)[:, 0] / diffusion
        potential = -np.append(0.0, np.cumsum(0.5 * (force[1:] + force[:-1]) * np.diff(x[:, 0])))
        heights.append(potential.max() - max(potential[0], potential[-1]))
    return float(max(heights))


def _slowest(chain: LatentChain, P: FloatArray, places: FloatArray) -> Modes:
    """Return the slowest modes of an operator (Q, Q) on the grid of a chain, at latent variables (B, R)."""
    size, count = len(P), len(places)
    factors = lu_factor(np.eye(size) - P + 1.0 / size, overwrite_a=True, check_finite=False)
    weights = lu_solve(factors, np.full(size, 1.0 / size), trans=1, check_finite=False)
    inverse = LinearOperator((size, size), lambda v: lu_solve(factors, v, check_finite=False), dtype=np.float64)
    first = np.cos(np.arange(size))  # any vector will do that is the same in every run
    found, vectors = eigs(inverse, k=count + MORE, which="LM", v0=first, ncv=max(4 * count, 40))
    eigenvalues = 1.0 - 1.0 / found
    order = np.argsort(-np.abs(eigenvalues), kind="stable")[:count]
    vectors = vectors[:, order] - weights @ vectors[:, order]  # the average of a mode vanishes
    at = chain.grid.interpolation(places)
    values = at.apply(vectors.real) + 1j * at.apply(vectors.imag)
    one = np.ones((count, 1), np.complex128)
    return Modes(np.append(1.0 + 0j, eigenvalues[order]), np.concatenate([one, values / np.abs(values).max(axis=0)], 1))


def coarse_rates(eigenvalues: NDArray[np.complex128], values: NDArray[np.complex128]) -> FloatArray:
    """Return the rates per step (B, B), Ψ (Λ - I) Ψ⁻¹, of the chain with eigenvalues (B,) and eigenfunctions (B, B).

    Row a of `values` holds the eigenfunctions at attractor a.

    Examples
    --------
    >>> coarse_rates(np.array([1.0, 0.97]), np.array([[1.0, 2.0], [1.0, -1.0]])).round(6) + 0.0
    array([[-0.02,  0.02],
           [ 0.01, -0.01]])
    """
    rates: FloatArray = np.real(np.linalg.solve(values.T, ((eigenvalues - 1.0) * values).T).T)
    return rates


def _result(net: CTRNN, basins: tuple[FixedPoint, ...], method: str, modes: Modes, remark: str) -> EscapeTimes:
    """Return the rates that belong to modes, with a message if there are none, or else with the remark."""
    count, size = len(basins), np.abs(modes.eigenvalues)
    values = modes.values[:, :count]
    with np.errstate(divide="ignore"):
        separation = float(np.log(size[count]) / np.log(size[count - 1])) if len(size) > count else math.inf
    rates = np.zeros((count, count))
    message = ""
    if np.linalg.cond(values) < LARGEST_CONDITION:
        rates = coarse_rates(modes.eigenvalues[:count], values)
        np.fill_diagonal(rates, 0.0)
    if np.min(rates) < -BELOW * np.max(rates) or not np.any(rates):
        rates = np.full((count, count), np.nan)
        message = "the slowest motion of the state is not between the basins: no chain describes it"
    elif remark:
        message = remark
    elif separation < SEPARATED:
        message = (
            f"noise leaves the basins only {separation:.2g} times more slowly than the state relaxes within them:"
            " the rates are rough"
        )
    more: dict[str, Any] = {"separation": separation, "converged": not message, "message": message}
    return of_rates(net, basins, method, np.maximum(rates, 0.0), **more)
