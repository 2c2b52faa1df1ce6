"""The spectrum of the Markov operator: how fast, and along which functions, a noisy network forgets its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator, eigs

from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.markov import tensor_operator
from ctrnn_theory.stationary.markov.operator import Mesh
from ctrnn_theory.stationary.markov.tensor_mesh import Grid, Rows
from ctrnn_theory.stationary.markov.tensor_step import NetworkStep
from ctrnn_theory.support.arguments import float_array, positive_integer, positive_number
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import ComplexArray, FloatArray

ORDER = 32  # points in a panel of quadrature
DIRECT = 600  # nodes for which all eigenvalues are computed


@guarded
@dataclass(frozen=True, eq=False)
class Spectrum:
    """Leading eigenvalues and eigenfunctions of (P g)(h) = E g(h'), one step of the map."""

    eigenvalues: ComplexArray
    """λ (count,), largest modulus first; the first is 1, with the constant function."""
    errors: FloatArray
    """Estimated absolute errors of the eigenvalues (count,): their change when the mesh was last made finer."""
    functions: Callable[[ArrayLike], ComplexArray]
    """Eigenfunctions at states (M, N), (M, count), with E |g|² = 1."""
    law: StationaryLaw
    """The stationary law, by the exact method."""

    @property
    def relaxation_time(self) -> float:
        """Steps over which the slowest function of the state decays by e, -1 / ln |λ₁|.

        For two attractors it is 1 / (rate there + rate back) of the jumps between them.
        """
        return float(-1.0 / np.log(np.abs(self.eigenvalues[1])))


@dataclass(frozen=True, eq=False)
class _OnLine:
    """Functions of one neuron's state, by their values at the nodes of a mesh; they can be pickled."""

    mesh: Mesh
    vectors: ComplexArray

    def __call__(self, states: ArrayLike) -> ComplexArray:
        points = float_array("states", states).reshape(-1)
        return self.mesh.values(points, self.vectors.real) + 1j * self.mesh.values(points, self.vectors.imag)


@dataclass(frozen=True, eq=False)
class _InBox:
    """The same for several neurons, on a grid."""

    grid: Grid
    vectors: ComplexArray
    step: NetworkStep

    def __call__(self, states: ArrayLike) -> ComplexArray:
        h = float_array("states", states).reshape(-1, self.grid.n)
        # (P g)(h) = E G(T(h) + noise) of a function G before the noise
        at = self.grid.interpolation(self.step.target(h) if self.step.early else h)
        return at.apply(self.vectors.real) + 1j * at.apply(self.vectors.imag)


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
    """Leading eigenvalues of the Markov operator of one to three neurons.

    Averages relax as E[φ(h_t) | h_0] = π(φ) + Σ c_k λ_kᵗ g_k(h_0): the moduli of the λ_k say how fast, their angles
    with which frequency.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    count
        Number of eigenvalues, the first, 1, included; at least 2.
    tolerance
        Of the stationary law on whose mesh the eigenvalues are computed.

    Raises
    ------
    NotApplicable
        For more than three neurons, no noise, or attractors that noise connects too rarely for the exact method.

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
    if net.n > 3:
        raise NotApplicable(f"the spectrum is for up to three neurons; the network has {net.n}")
    if noise.is_zero:
        raise NotApplicable("without noise the network has no stationary law but its fixed point")
    if net.n == 1:
        return _one(net, noise, u, net.start_state(start), count, tolerance)
    return _few(net, noise, u, net.start_state(start), count, tolerance)


def _one(net: CTRNN, noise: Noise, u: ArrayLike | None, origin: FloatArray, count: int, tolerance: float) -> Spectrum:
    chain = exact.search_one(net, noise, u, origin, min(tolerance, 1e-10))
    if isinstance(chain, StationaryLaw):
        raise NotApplicable("the state does not move")
    law = exact.law_of(chain, tolerance)
    coarse, edges = chain.mesh, chain.mesh.edges
    fine = Mesh(np.sort(np.concatenate([edges, 0.5 * (edges[:-1] + edges[1:])])), coarse.jumps)
    found = [_leading(chain.step.matrix(mesh, ORDER), count)[:2] for mesh in (coarse, fine)]
    values, vectors = found[1]
    at_nodes = fine.values(coarse.nodes, vectors.real) + 1j * fine.values(coarse.nodes, vectors.imag)
    vectors = vectors / np.sqrt(np.abs(chain.weights @ np.abs(at_nodes) ** 2))

    return Spectrum(values, _changes(values, found[0][0]), _OnLine(fine, vectors), law)


def _few(net: CTRNN, noise: Noise, u: ArrayLike | None, origin: FloatArray, count: int, tolerance: float) -> Spectrum:
    chain = tensor_operator.solve_few(net, noise, net.drive(u), origin, tolerance)
    law = tensor_operator.law_of(chain, tolerance)
    step, fine = chain.step, chain.grid
    largest = tensor_operator.DENSE if net.n == 2 else 2 * tensor_operator.DENSE

    def on(grid: Grid) -> tuple[ComplexArray, ComplexArray]:
        rows = step.rows(grid, grid.points, step.order(grid))
        return _leading(rows.dense() if grid.size <= tensor_operator.DENSE else rows, count)

    others, _ = on(Grid(fine.low, fine.high, tuple(max(k - 8, 4 * k // 5) for k in fine.counts)))
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


def _leading(P: FloatArray | Rows, count: int) -> tuple[ComplexArray, ComplexArray]:
    """Eigenvalues of largest modulus of an operator on the nodes, with eigenfunctions (nodes, count).

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
        first = np.cos(np.arange(size))  # no matter which, but the same in every run
        values, vectors = eigs(operator, k=min(wanted + 2, size - 2), which="LM", v0=first, ncv=max(4 * count, 40))
    order = np.lexsort((-values.imag, -values.real.round(13), -np.abs(values).round(13)))[:wanted]
    values, vectors = values[order], vectors[:, order]
    vectors = vectors + np.mean(vectors, axis=0) / (values - 1.0)
    vectors = vectors / vectors[np.argmax(np.abs(vectors), axis=0), np.arange(len(order))]
    ones = np.ones((size, 1), dtype=np.complex128)
    return np.concatenate([[1.0 + 0j], values]), np.concatenate([ones, vectors], axis=1)


def _changes(values: ComplexArray, others: ComplexArray) -> FloatArray:
    """Distance of each eigenvalue to the nearest of another mesh, and rounding."""
    nearest: FloatArray = np.min(np.abs(values[:, None] - others), axis=1)
    return nearest + 1e-14
