"""Stability and covariance by doubling: against eigenvalues and the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.dynamics.doubling import discrete_lyapunov, powers_vanish
from ctrnn_theory.dynamics.linear_response import LARGE, is_stable, jacobian, linear_covariance, spectral_radius

EPS = np.finfo(float).eps


def random_step(n, radius, gamma, seed, low_rank=False):
    """A = (1-γ) I + γ B with B random, of the given spectral radius."""
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((n, n)) if not low_rank else rng.standard_normal((n, 2)) @ rng.standard_normal((2, n))
    return (1.0 - gamma) * np.eye(n) + gamma * radius * B / spectral_radius(B)


steps = st.builds(
    random_step,
    n=st.integers(1, 12),
    radius=st.floats(0.0, 0.95),
    gamma=st.sampled_from([1e-3, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 10**6),
    low_rank=st.booleans(),
)


@given(A=steps, seed=st.integers(0, 10**6))
def test_solves_the_equation(A, seed):
    root = np.random.default_rng(seed).standard_normal(A.shape)
    X = discrete_lyapunov(A, root @ root.T)
    if X is None:  # too slow, which is left to another solver
        assert not powers_vanish(A) or np.linalg.norm(A) > 1e3
        return
    n, size = len(A), np.linalg.norm(X)
    np.testing.assert_array_equal(X, X.T)
    # rounding of some twenty products, each of relative size n eps, between matrices as large as A and its resolvent
    slack = 50 * n * EPS * size * (1.0 + np.linalg.norm(A)) ** 2
    assert np.linalg.norm(X - A @ X @ A.T - root @ root.T) <= slack
    assert np.linalg.eigvalsh(X)[0] >= -slack


@given(seed=st.integers(0, 10**6), n=st.integers(1, 10), size=st.floats(0.1, 1.5), shift=st.floats(-1.5, 1.5))
def test_what_is_called_stable_is(seed, n, size, shift):
    A = size * np.random.default_rng(seed).standard_normal((n, n)) / np.sqrt(n) + shift * np.eye(n)
    if powers_vanish(A):
        assert spectral_radius(A) < 1.0
    else:
        assert spectral_radius(A) > 0.9


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-7, -1e-7, -1e-2])
@pytest.mark.parametrize("gamma", [1e-4, 0.1, 1.0])
def test_near_the_border_of_stability(gap, gamma):
    A = random_step(LARGE, 0.5, gamma, seed=1)
    A *= (1.0 - gap) / spectral_radius(A)
    assert is_stable(A) == (gap > 0.0)


def test_what_is_no_stable_step():
    eye = np.eye(3)
    assert discrete_lyapunov(1.5 * eye, eye) is None
    assert discrete_lyapunov(eye, eye) is None
    assert discrete_lyapunov(np.full((3, 3), np.nan), eye) is None
    assert not powers_vanish(eye)
    assert not powers_vanish(np.full((3, 3), np.inf))
    np.testing.assert_allclose(discrete_lyapunov(0.0 * eye, eye), eye)
    np.testing.assert_allclose(discrete_lyapunov(-0.5 * eye, eye), eye / 0.75, rtol=1e-14)


@pytest.mark.parametrize("n", [LARGE, 100])
@pytest.mark.parametrize("gamma", [0.01, 0.1, 1.0])
def test_covariance_of_a_large_network_satisfies_its_equation(n, gamma):
    rng = np.random.default_rng(n)
    W, slope, root = rng.standard_normal((n, n)) / np.sqrt(n), rng.uniform(0.0, 0.9, n), rng.standard_normal((n, n))
    V = linear_covariance(W, slope, gamma, root @ root.T)
    A = jacobian(W, slope, gamma)
    assert np.max(np.abs(A @ V @ A.T + gamma**2 * root @ root.T - V)) <= 1e-13 * np.max(np.abs(V))
    assert linear_covariance(3.0 * W, np.ones(n), gamma, root @ root.T) is None
