"""The spectrum of the Markov operator: how fast, and along which functions, a noisy network forgets its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator, eigs

from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact, latent
from ctrnn_theory.stationary.existence import check_moments
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov.joint import chain as together
from ctrnn_theory.stationary.markov.latent.solver import solve_chain
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.stationary.markov.operator import ChebyshevPanels
from ctrnn_theory.stationary.markov.several import chain as several
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid, Rows
from ctrnn_theory.stationary.markov.several.operator import NetworkStep
from ctrnn_theory.support.arguments import float_array, positive_integer, positive_number
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import ComplexArray, FloatArray

ORDER = 32  # points in a quadrature panel
DIRECT = 600  # nodes up to which all eigenvalues are computed


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Drawn, picture="spectrum"):
    """Leading eigenvalues and eigenfunctions of (P g)(h) = E g(h'), one step of the map."""

    eigenvalues: ComplexArray
    """Eigenvalues λ (count,), largest modulus first; the first is 1, with the constant function."""
    errors: FloatArray
    """Estimated absolute errors of the eigenvalues (count,): their change when panels or grid were last refined."""
    functions: Callable[[ArrayLike], ComplexArray]
    """Function of states (M, N) that returns the eigenfunctions there, (M, count), scaled to E |g|² = 1."""
    law: StationaryLaw
    """The stationary law, by the exact method, or by that of latent variables."""

    @property
    def relaxation_time(self) -> float:
        """Number of steps in which the slowest function of the state decays by a factor e, -1 / ln |λ₁|.

        For two attractors it is one over the sum of the rates of the jumps from either to the other.
        """
        return float(-1.0 / np.log(np.abs(self.eigenvalues[1])))

    def _headline(self) -> str:
        return f"{len(self.eigenvalues)} eigenvalues, relaxation time {self.relaxation_time:.6g} steps"

    def _parts(self, few: int) -> Iterator[Table]:
        rows = [
            [str(k), f"{value.real:.8g}", f"{value.imag:.8g}", f"{abs(value):.8g}", f"{error:.0e}"]
            for k, (value, error) in enumerate(zip(self.eigenvalues, self.errors, strict=True))
        ]
        yield Table(("eigenvalue", "real", "imaginary", "modulus", "error"), rows)

    def _arrays(self) -> Arrays:
        return Arrays({name: ("eigenvalue", getattr(self, name)) for name in ("eigenvalues", "errors")}, {})


@dataclass(frozen=True, eq=False)
class _OnLine:
    """Functions of one neuron's state, by their values at the nodes of panels; they can be pickled."""

    panels: ChebyshevPanels
    vectors: ComplexArray

    def __call__(self, states: ArrayLike) -> ComplexArray:
        points = float_array("states", states).reshape(-1)
        return self.panels.values(points, self.vectors.real) + 1j * self.panels.values(points, self.vectors.imag)


@dataclass(frozen=True, eq=False)
class _InBox:
    """Functions of the state of several neurons, by their values on a grid; they can be pickled."""

    grid: ChebyshevGrid
    vectors: ComplexArray
    step: NetworkStep | None

    def __call__(self, states: ArrayLike) -> ComplexArray:
        h = float_array("states", states).reshape(-1, self.grid.n)
        # (P g)(h) = E G(T(h) + noise) of a function G before the noise
        at = self.grid.interpolation(self.step.target(h) if self.step is not None and self.step.early else h)
        return at.apply(self.vectors.real) + 1j * at.apply(self.vectors.imag)


@dataclass(frozen=True, eq=False)
class _OfLatent:
    """Functions of the state of a network of low rank, by those of its latent variables; they can be pickled."""

    functions: _InBox
    D: FloatArray

    def __call__(self, states: ArrayLike) -> ComplexArray:
        return self.functions(float_array("states", states).reshape(-1, len(self.D)) @ self.D)


@guarded
@limited
def spectrum(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    count: int = 6,
    *,
    tolerance: float = 1e-8,
) -> Spectrum:
    """Compute the leading eigenvalues of the Markov operator of a few neurons, or of a network's latent variables.

    Averages relax as E[φ(h_t) | h_0] = π(φ) + Σ c_k λ_kᵗ g_k(h_0): the moduli of the λ_k say how fast, their angles
    with which frequency. For more than three neurons, the operator is that of the latent variables of a network of low
    rank (see :mod:`ctrnn_theory.stationary.latent`), and the law is by that method.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    count
        Number of eigenvalues, the first, 1, included; at least 2.
    tolerance
        Tolerance of the stationary law, on whose panels or grid the eigenvalues are computed.

    Raises
    ------
    NotApplicable
        For more than three neurons whose weights have a rank above three, coloured noise, no noise, no variance of the
        law, or attractors that noise connects too rarely.

    Examples
    --------
    >>> linear = CTRNN.single(w=0.5, activation="identity", gamma=0.2)       # λ_k = (1 - γ + γ w)ᵏ
    >>> found = spectrum(linear, Noise(inside=1.0), count=4)
    >>> print(found.eigenvalues.real.round(8), round(found.relaxation_time, 4))
    [1.    0.9   0.81  0.729] 9.4912
    """
    check_model(net, noise, u, start)
    count, tolerance = positive_integer("count", count), positive_number("tolerance", tolerance)
    if count < 2:
        raise ValueError(f"count must be at least 2; got {count}")
    if not noise.is_white:
        raise NotApplicable("under coloured noise the network's state by itself is no Markov chain with a spectrum")
    if noise.is_zero:
        raise NotApplicable("without noise the network has no stationary law but its fixed point")
    check_moments(net, noise, u)
    if net.n > exact.MOST_NEURONS:
        return _low_rank(net, noise, u, net.start_state(start), count)
    if net.n == 1:
        return _one(net, noise, u, net.start_state(start), count, tolerance)
    if exact.joint(net, noise):
        return _joint(net, noise, u, net.start_state(start), count, tolerance)
    return _few(net, noise, u, net.start_state(start), count, tolerance)


def _one(net: CTRNN, noise: Noise, u: ArrayLike | None, origin: FloatArray, count: int, tolerance: float) -> Spectrum:
    chain = exact.search_one(net, noise, u, origin, min(tolerance, 1e-10))
    if isinstance(chain, StationaryLaw):
        raise NotApplicable("the state does not move, so that the operator has no other eigenvalue")
    law = exact.law_of(chain, tolerance)
    coarse, edges = chain.panels, chain.panels.edges
    fine = ChebyshevPanels(np.sort(np.concatenate([edges, 0.5 * (edges[:-1] + edges[1:])])), coarse.jumps)
    found = [_leading(chain.step.matrix(panels, ORDER), count)[:2] for panels in (coarse, fine)]
    values, vectors = found[1]
    at_nodes = fine.values(coarse.nodes, vectors.real) + 1j * fine.values(coarse.nodes, vectors.imag)
    vectors = vectors / np.sqrt(np.abs(chain.weights @ np.abs(at_nodes) ** 2))

    return Spectrum(values, _changes(values, found[0][0]), _OnLine(fine, vectors), law)


def _few(net: CTRNN, noise: Noise, u: ArrayLike | None, origin: FloatArray, count: int, tolerance: float) -> Spectrum:
    chain = several.solve_several(net, noise, net.drive(u), origin, tolerance)
    law = several.law_of(chain, tolerance)
    step, fine = chain.step, chain.grid
    largest = several.DENSE if net.n == 2 else 2 * several.DENSE

    def on(grid: ChebyshevGrid) -> tuple[ComplexArray, ComplexArray]:
        rows = step.rows(grid, grid.points, step.order(grid))
        return _leading(rows.dense() if grid.size <= several.DENSE else rows, count)

    others, _ = on(ChebyshevGrid(fine.low, fine.high, tuple(max(k - 8, 4 * k // 5) for k in fine.counts)))
    values, vectors = on(fine)
    errors = _changes(values, others)
    while np.max(errors) > tolerance and fine.finer().size <= largest:
        others, fine = values, fine.finer()
        values, vectors = on(fine)
        errors = _changes(values, others)
    at_nodes = fine.interpolation(chain.grid.points)
    squares = np.abs(at_nodes.apply(vectors.real) + 1j * at_nodes.apply(vectors.imag)) ** 2
    vectors = vectors / np.sqrt(np.abs(chain.weights @ squares))

    return Spectrum(values, errors, _InBox(fine, vectors, step), law)


def _joint(net: CTRNN, noise: Noise, u: ArrayLike | None, origin: FloatArray, count: int, tolerance: float) -> Spectrum:
    chain, error = exact.search_joint(net, noise, u, origin, tolerance)
    grid = chain.grid
    coarse = together.chain_on(chain.step, ChebyshevGrid(grid.low, grid.high, tuple(3 * k // 4 for k in grid.counts)))
    others, _ = _leading(coarse.found.matrix, count)
    values, vectors = _leading(chain.found.matrix, count)
    vectors = vectors / np.sqrt(np.abs(chain.weights @ np.abs(vectors) ** 2))
    law = together.law_of(chain, error, tolerance)
    return Spectrum(values, _changes(values, others), _InBox(grid, vectors, None), law)


def _low_rank(net: CTRNN, noise: Noise, u: ArrayLike | None, origin: FloatArray, count: int) -> Spectrum:
    step = LatentStep.of(net, noise, u)
    if not step.rank:
        raise NotApplicable("neurons without weights have no latent variables, and so no spectrum of theirs")
    tolerance = latent.TOLERANCES[step.rank]
    chain, error = solve_chain(step, origin @ step.D, tolerance)
    others, _ = _leading(chain.on(tuple(3 * k // 4 for k in chain.grid.counts)).matrix, count)
    values, vectors = _leading(chain.matrix, count)
    vectors = vectors / np.sqrt(np.abs(chain.weights @ np.abs(vectors) ** 2))
    law = latent.law_of(chain, error, tolerance)
    return Spectrum(values, _changes(values, others), _OfLatent(_InBox(chain.grid, vectors, None), step.D), law)


def _leading(P: FloatArray | Rows, count: int) -> tuple[ComplexArray, ComplexArray]:
    """Return the eigenvalues of largest modulus of an operator on the nodes, and their eigenfunctions (nodes, count).

    P 1 = 1 is taken out: P - 1 uᵀ, u·1 = 1, has the eigenvalue 0 there, and all others of P. Its eigenvectors v are
    those of P up to a constant: P (v + c) = λ (v + c) for c = u·v / (λ - 1).
    """
    size = len(P) if isinstance(P, np.ndarray) else P.over.shape[0]
    wanted = count - 1

    def deflated(v: FloatArray) -> FloatArray:
        image: FloatArray = np.ravel(P @ v if isinstance(P, np.ndarray) else P.apply(v.reshape(-1, 1)))
        return image - np.mean(v)

    if size <= DIRECT and isinstance(P, np.ndarray):
        values, vectors = np.linalg.eig(P - 1.0 / size)
    else:
        operator = LinearOperator((size, size), matvec=deflated, dtype=np.float64)
        first = np.cos(np.arange(size))  # any vector will do that is the same in every run
        values, vectors = eigs(operator, k=min(wanted + 2, size - 2), which="LM", v0=first, ncv=max(4 * count, 40))
    order = np.lexsort((-values.imag, -values.real.round(13), -np.abs(values).round(13)))[:wanted]
    values, vectors = values[order], vectors[:, order]
    vectors = vectors + np.mean(vectors, axis=0) / (values - 1.0)
    vectors = vectors / vectors[np.argmax(np.abs(vectors), axis=0), np.arange(len(order))]
    ones = np.ones((size, 1), dtype=np.complex128)
    return np.concatenate([[1.0 + 0j], values]), np.concatenate([ones, vectors], axis=1)


def _changes(values: ComplexArray, others: ComplexArray) -> FloatArray:
    """Return the distance of each eigenvalue to the nearest of coarser nodes, plus rounding."""
    nearest: FloatArray = np.min(np.abs(values[:, None] - others), axis=1)
    return nearest + 1e-14
