"""Factors of weights are found where the rank is low, and only there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.model.low_rank import LEAST, SHARE, low_rank


def product(n, rank, seed=0, scales=None):
    """Return W = A diag(scales) Bᵀ of a rank."""
    rng = np.random.default_rng(seed)
    A, B = rng.standard_normal((2, n, rank))
    return (A * (np.ones(rank) if scales is None else scales)) @ B.T


@given(st.integers(LEAST, 80), st.integers(0, 20), st.integers(0, 9), st.floats(-200.0, 200.0))
def test_rank_and_product_are_those_of_the_matrix(n, rank, seed, exponent):
    W = product(n, rank, seed) * 10.0**exponent
    found = low_rank(W)
    if rank > n // SHARE:
        assert found is None
        return
    assert found.E.shape == found.D.shape == (n, rank)
    largest = np.max(np.abs(W), initial=0.0)
    np.testing.assert_allclose(found.E @ found.D.T, W, rtol=0.0, atol=1e-13 * n * largest)
    np.testing.assert_allclose(found.D.T @ found.D, np.eye(rank), rtol=0.0, atol=1e-13)


def test_factors_are_the_same_each_time():
    first, second = low_rank(product(100, 5)), low_rank(product(100, 5))
    assert np.array_equal(first.E, second.E)
    assert np.array_equal(first.D, second.D)


@pytest.mark.parametrize("size", [1e-3, 1e-8, 1e-12])
def test_what_is_above_rounding_counts(size):
    """A matrix that is of low rank but for a part of any size above rounding keeps its full rank."""
    n = 64
    W = product(n, 3)
    W = W / np.linalg.norm(W, 2)
    assert low_rank(W + size * np.random.default_rng(1).standard_normal((n, n)) / np.sqrt(n)) is None
    assert low_rank(W + 1e-17 * np.random.default_rng(1).standard_normal((n, n))).E.shape[1] == 3


def test_small_singular_values_are_kept():
    W = product(80, 4, scales=[1.0, 1e-4, 1e-8, 1e-11])
    found = low_rank(W)
    assert found.E.shape[1] == 4
    assert np.linalg.norm(W - found.E @ found.D.T, 2) <= 80 * 2.3e-16 * 9 * np.linalg.norm(W, 2)


def test_small_networks_are_left_alone_unless_asked():
    W = product(LEAST - 1, 1)
    assert low_rank(W) is None
    assert low_rank(W, 2).E.shape[1] == 1
    assert low_rank(product(64, 3), 2) is None
    assert low_rank(np.zeros((64, 64))).E.shape == (64, 0)


def test_a_rank_of_many_blocks_of_probes():
    assert low_rank(product(200, 40)).E.shape[1] == 40
    assert low_rank(product(200, 51)) is None
