"""The linear system of a chain: factored, iterated with a coarser one, and the neurons that do not see each other."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from ctrnn_theory.activations import activation
from ctrnn_theory.stationary.markov.several import chain as chain_module
from ctrnn_theory.stationary.markov.several.chain import _factored
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid, Product, transformed
from ctrnn_theory.stationary.markov.several.linear_system import System, Uncoupled
from ctrnn_theory.stationary.markov.several.operator import NetworkStep
from ctrnn_theory.stationary.markov.several.state_box import with_breaks

W = np.array([[0.5, -0.6, 0.2], [0.5, 0.3, -0.3], [0.1, 0.4, -0.5]])


def step_of(W: np.ndarray, gamma: float) -> NetworkStep:
    inside = np.diag([0.25, 0.09, 0.16])
    step = NetworkStep(activation("tanh"), W, np.array([0.1, 0.2, 0.3]), gamma, inside, np.zeros((3, 3)))
    return with_breaks(step, np.full(3, -1.0), np.full(3, 1.0))


def grid_of(step: NetworkStep, count: int) -> ChebyshevGrid:
    return ChebyshevGrid(np.full(3, -1.0), np.full(3, 1.0), (count,) * 3)


@dataclass(frozen=True, eq=False)
class Counted(Product):
    """Rows that note when they are applied."""

    calls: list[str] = field(default_factory=list)

    def apply(self, g):
        self.calls.append("functions")
        return super().apply(g)

    def adjoint(self, weights):
        self.calls.append("weights")
        return super().adjoint(weights)


@pytest.mark.parametrize("gamma", [1.0, 0.2, 0.001])
def test_iterated_and_factored_solutions_agree(gamma):
    step = step_of(W, gamma)
    grid = grid_of(step, 10)
    rows = step.rows(grid, grid.points, step.order(grid))
    coarse = grid_of(step, 8)
    iterated = System(rows, grid, System(step.rows(coarse, coarse.points, step.order(coarse)), coarse, None))
    factored = System(rows, grid, None)
    law = factored.law()
    slack = 10.0 * factored.accuracy  # a relative residual, which solutions may magnify by the memory
    np.testing.assert_allclose(iterated.law(), law, atol=slack * np.linalg.norm(law) / gamma)
    phi = grid.reference(grid.points)
    phi = phi - law @ phi
    g = factored.poisson(phi)
    np.testing.assert_allclose(iterated.poisson(phi), g, atol=slack * np.linalg.norm(g) / gamma)


def test_a_tolerance_spares_iterations_and_is_met():
    step = step_of(W, 0.05)
    grid, small = grid_of(step, 14), grid_of(step, 8)
    rows, coarse = step.rows(grid, grid.points, 24), System(step.rows(small, small.points, 24), small, None)
    phi = np.cos(9.0 * grid.reference(grid.points))  # the coarse grid does not resolve it
    counts, laws, solutions = [], [], []
    for tolerance in (0.0, 1e-8):
        counted = Counted(rows.factors, rows.over)
        system = System(counted, grid, coarse, tolerance)
        laws.append(system.law())
        solutions.append(system.poisson(phi - laws[0] @ phi))
        counts.append(len(counted.calls))
    assert counts[1] < 0.8 * counts[0]
    assert 0.0 < np.max(np.abs((laws[1] - laws[0]) @ phi)) < 1e-8
    assert np.max(np.abs(np.mean(solutions[1], axis=0))) < 1e-8  # 1ᵀg/n is the average of what is left


def test_uncoupled_neurons_are_solved_at_once():
    """Without recurrent weights P is the product, so that its resolvent is found exactly, for functions and weights."""
    step = step_of(np.zeros((3, 3)), 0.1)
    grid = grid_of(step, 8)
    rows = step.rows(grid, grid.points, step.order(grid))
    law = System(rows, grid, None).law()
    inverse, P = Uncoupled.of(rows, grid, law), rows.dense()
    A = np.eye(grid.size) - P + np.outer(np.ones(grid.size), law)  # the eigenvalue 1 of P is moved to 0
    phi = np.random.default_rng(0).standard_normal((grid.size, 3))
    np.testing.assert_allclose(A @ inverse.solve(phi), phi, atol=1e-8)
    np.testing.assert_allclose(A.T @ inverse.solve_adjoint(phi[:, 0]), phi[:, 0], atol=1e-8)


def test_transformed_is_a_tensor_product():
    rng = np.random.default_rng(1)
    A, B, x = rng.standard_normal((2, 2)), rng.standard_normal((3, 3)), rng.standard_normal((2, 3, 4))
    expected = np.kron(A, B) @ x.reshape(6, 4)
    np.testing.assert_allclose(transformed([A, B], x).reshape(6, 4), expected, atol=1e-14)


def test_a_large_grid_on_a_new_box_has_a_coarse_system_of_bounded_size():
    step = step_of(W, 0.2)
    system = _factored(step, ChebyshevGrid(np.full(3, -1.0), np.full(3, 1.0), (24, 16, 32)))
    assert system.grid.size <= chain_module.FACTORED[3]
    assert all(count in chain_module.LADDER for count in system.grid.counts)
