"""GMRES for many right sides at once."""

import numpy as np
import pytest

from ctrnn_theory.numerics.gmres import gmres, krylov


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    A = np.eye(30) + 0.5 * rng.standard_normal((30, 30)) / np.sqrt(30)
    return A, rng.standard_normal((4, 30))


def test_it_solves_each_right_side(problem):
    A, b = problem
    x = gmres(lambda v: v @ A.T, b, 1e-12, 30)
    np.testing.assert_allclose(x, np.linalg.solve(A, b.T).T, atol=1e-10)


def test_right_sides_do_not_depend_on_each_other(problem):
    A, b = problem
    together, alone = (gmres(lambda v: v @ A.T, part, 1e-12, 30) for part in (b, b[:1]))
    np.testing.assert_allclose(together[:1], alone, atol=1e-11)


def test_short_cycles_go_on_from_each_other(problem):
    A, b = problem
    calls = []

    def apply(v):
        calls.append(len(v))
        return v @ A.T

    x = gmres(apply, b, 1e-11, 6, cycles=30)
    np.testing.assert_allclose(x, np.linalg.solve(A, b.T).T, atol=1e-9)
    assert len(calls) > 12


def test_it_ends_where_rounding_allows_no_more(problem):
    """A tolerance that cannot be met costs a few cycles, not all of them."""
    A, b = problem
    calls = []

    def apply(v):
        calls.append(1)
        return v @ A.T

    gmres(apply, b, 1e-30, 30, cycles=100)
    assert len(calls) < 4 * 31


def test_an_exhausted_space_and_a_zero_right_side():
    b = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(gmres(lambda v: 2.0 * v, b, 1e-14, 3), 0.5 * b)


def test_ritz_values_of_a_full_space_are_the_eigenvalues():
    rng = np.random.default_rng(0)
    A, b = np.eye(4) + 0.3 * rng.normal(size=(5, 4, 4)), rng.normal(size=(5, 4))
    x, projected = krylov(lambda v: (A @ v[..., None])[..., 0], b, np.zeros(5), 4)
    np.testing.assert_allclose(x, np.linalg.solve(A, b[..., None])[..., 0], atol=1e-10)
    ritz, values = (np.sort_complex(np.linalg.eigvals(matrix)) for matrix in (projected, A))
    np.testing.assert_allclose(ritz, values, atol=1e-10)


def test_a_preconditioner_that_rounding_spoils_does_not_limit_the_residual(problem):
    A, b = problem
    rng = np.random.default_rng(1)
    inverse = np.linalg.inv(A)

    def precondition(v):
        return v @ inverse.T * (1.0 + 1e-6 * rng.standard_normal(v.shape))

    x = gmres(lambda v: v @ A.T, b, 1e-12, 30, 1, precondition)
    assert np.max(np.linalg.norm(b - x @ A.T, axis=1) / np.linalg.norm(b, axis=1)) < 2e-12
