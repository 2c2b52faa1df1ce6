"""The shifted Lyapunov solver of large networks, and its proof of stability."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from ctrnn_theory.stationary.closure.lyapunov import LEFT_OUT, Shifted, proven_stable, spectral_norm


def random_matrix(n, radius, seed=0):
    B = np.random.default_rng(seed).normal(size=(n, n))
    return B * radius / np.max(np.abs(np.linalg.eigvals(B)))


@pytest.mark.parametrize("gamma", [1.0, 0.3, 0.05, 1e-4])
@pytest.mark.parametrize("radius", [0.2, 0.8, 0.95])
def test_solution_is_good_to_a_digit_and_iterates_to_rounding(gamma, radius):
    """As a correction of the residual; at γ = 1e-4 the solution itself is some thousands of times Q."""
    B = random_matrix(60, radius)
    A = (1.0 - gamma) * np.eye(60) + gamma * B
    factor = np.random.default_rng(1).normal(size=(60, 60))
    Q = factor @ factor.T
    shifted, expected = Shifted.of(B, gamma), solve_discrete_lyapunov(A, Q)
    size = np.max(np.abs(expected))
    X = shifted.solve(Q).astype(np.float64)
    np.testing.assert_array_equal(X, X.T)
    assert np.linalg.norm(X - expected, 2) <= 3.0 * LEFT_OUT**2 * np.linalg.norm(expected, 2)
    for _ in range(20):
        X = X + shifted.solve(Q - X + A @ X @ A.T)
    np.testing.assert_allclose(X, expected, rtol=0.0, atol=1e-13 / min(gamma * (1.0 - radius), 1.0) * size)


@pytest.mark.parametrize("gamma", [1.0, 0.1, 1e-3])
def test_proof_of_stability(gamma):
    """Stable responses are proven so unless they are nearly unstable, and unstable ones never are."""
    for radius in (0.0, 0.5, 0.9, 0.97):
        assert proven_stable(random_matrix(50, 1.0) * radius, gamma)
    for edge in (1.0001, 1.2, 3.0):  # a real eigenvalue beyond 1, and a complex pair of this real part
        B = random_matrix(50, 0.5)
        B[0, 1:], B[0, 0] = 0.0, edge
        assert not proven_stable(B, gamma)
        assert Shifted.of(B, gamma) is None
        B = random_matrix(50, 0.5)
        B[:2, 2:], B[:2, :2] = 0.0, [[edge, -2.0], [2.0, edge]]
        assert not proven_stable(B, gamma)


def test_a_transient_that_grows_is_stable_all_the_same():
    """A chain of 40 neurons in which each excites the next twice as strongly; its eigenvalues are zero."""
    B = np.diag(np.full(39, 2.0), -1)
    assert proven_stable(B * 0.5, 0.1)
    assert np.max(np.abs(np.linalg.matrix_power(0.9 * np.eye(40) + 0.1 * B, 30))) > 3.0
    if proven_stable(B, 0.1):  # powers may exceed what single precision holds, and then nothing is proven
        assert Shifted.of(B, 0.1) is not None


def test_nothing_and_too_much():
    shifted = Shifted.of(random_matrix(40, 0.5), 0.1)
    assert not shifted.solve(np.zeros((40, 40))).any()
    assert spectral_norm(np.zeros((3, 3), dtype=np.float32)) == 0.0
    assert spectral_norm(np.full((3, 3), np.nan, dtype=np.float32)) == np.inf
