"""Mehler's expansion in tiles and for lists of pairs, against sums by NumPy and the exact covariances of pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian.covariance import covariance, covariance_matrices
from ctrnn_theory.activations.gaussian.hermite_series import hermite_table
from ctrnn_theory.activations.gaussian.mehler import (
    HermiteTable,
    largest_correlation,
    matrix_covariances,
    orders_for,
    pair_covariances,
)


def random_correlations(rng, n, common):
    """A correlation matrix in which a common factor adds to private noise, with both signs."""
    factor = np.append(rng.normal(size=(n, n)) / np.sqrt(n), common * rng.choice([-1.0, 1.0], size=(n, 1)), axis=1)
    S = factor @ factor.T + 0.5 * np.eye(n)
    return S / np.sqrt(np.outer(np.diag(S), np.diag(S)))


@pytest.mark.parametrize("n", [1, 5, 64, 70, 130])
def test_tiles_and_pairs_are_the_plain_sum(n):
    """Three matrices of sizes that fill tiles, exceed them by a little, or are much smaller than one."""
    rng = np.random.default_rng(n)
    c = rng.normal(size=(30, 3 * n)) * 0.5 ** np.arange(30)[:, None]
    table = HermiteTable(c, np.minimum(2.0 * 0.5 ** np.arange(30)[:, None], 1.0) * np.ones(3 * n))
    R = np.array([random_correlations(rng, n, 0.3) for _ in range(3)])
    S = R * np.outer(*(np.arange(1.0, n + 1),) * 2)
    C, missed = matrix_covariances(table, S, np.tile(1.0 / np.arange(1.0, n + 1), 3))
    own = c.reshape(30, 3, n)
    powers = R ** np.arange(1, 31)[:, None, None, None]
    expected = np.einsum("kbij,kbi,kbj->bij", powers, own, own) * ~np.eye(n, dtype=bool)
    scale = np.sqrt(np.sum(own**2, axis=0))
    assert missed == 0
    # the remainder, and rounding of 30 terms
    assert np.all(np.abs(C - expected) <= 2e-15 * scale[:, :, None] * scale[:, None, :])
    i, j = np.triu_indices(n, 1)
    total, reached = pair_covariances(table, n + i, n + j, R[1][i, j])
    assert reached.all()
    assert np.all(np.abs(total - C[1][i, j]) <= 2e-15 * scale[1, i] * scale[1, j])
    assert largest_correlation(S, np.tile(1.0 / np.arange(1.0, n + 1), 3)) == pytest.approx(
        np.max(np.abs(R - np.eye(n)), initial=0.0), abs=1e-15
    )


@pytest.mark.parametrize("name", ["relu", "hardtanh", "step", "erf", "smoothed(relu, 0.4)", "sin"])
@pytest.mark.parametrize("common", [0.1, 1.0, 20.0])
def test_large_matrices_against_the_exact_pairs(name, common):
    """N = 66, correlations up to 0.999 of both signs, and a neuron without noise."""
    f, rng, n = activation(name), np.random.default_rng(3), 66
    mean, std = rng.normal(size=n), np.exp(0.5 * rng.normal(size=n))
    std[5] = 0.0
    R = random_correlations(rng, n, common)
    C = covariance_matrices(f, mean, R * np.outer(std, std))
    i, j = np.triu_indices(n, 1)
    exact = covariance(f, mean[i], mean[j], std[i], std[j], np.clip(R[i, j], -1.0, 1.0))
    deviation = np.sqrt(f.smoothed_variance(mean, std))
    # at |r| = 0.9999, near which none is reached here, an ulp of r moves a step's covariance by a hundred ulps
    assert np.all(np.abs(C[i, j] - exact) <= 5e-14 * deviation[i] * deviation[j])
    np.testing.assert_array_equal(C, C.T)
    np.testing.assert_array_equal(np.diag(C), f.smoothed_variance(mean, std))


@pytest.mark.parametrize("name", ["tanh", "softplus", "silu", "gelu", "retanh", "elu"])
def test_large_matrices_of_curved_functions(name):
    """Neurons in tiles against those in pairs, which are solved by another kernel to another number of orders."""
    f, rng, n = activation(name), np.random.default_rng(4), 40
    mean, std = rng.normal(size=n), np.exp(0.5 * rng.normal(size=n))
    S = random_correlations(rng, n, 0.5) * np.outer(std, std)
    C = covariance_matrices(f, mean, S)
    for k in (3, 21):
        pair = [[k, k + 9]] * 2
        two = covariance_matrices(f, mean[pair[0]], S[tuple(np.array(pair).T), tuple(pair)])
        deviation = np.sqrt(np.diag(C)[pair[0]])
        assert abs(C[k, k + 9] - two[0, 1]) <= 5e-15 * deviation[0] * deviation[1]


@given(st.floats(-3.0, 3.0), st.floats(0.05, 3.0), st.sampled_from(["tanh", "softplus", "retanh", "relu", "elu"]))
def test_tails_bound_what_is_left(m, s, name):
    """√(Σ_{k>n} c_k² / Var f), with the variance computed by another rule."""
    f = activation(name)
    table = hermite_table(f, np.array([m]), np.array([s]), 0.999)
    variance = float(f.smoothed_variance(m, s))
    left = variance - np.cumsum(table.coefficients[:, 0] ** 2)
    assert np.all(left <= (table.tails[:, 0] ** 2 + 1e-12) * variance)
    assert np.all(np.diff(table.tails[:, 0]) <= 1e-15) or name == "relu"


def test_pairs_out_of_reach_are_counted_and_left():
    table = hermite_table(activation("relu"), np.zeros(3), np.ones(3), 0.5)
    S = np.array([[1.0, 0.4, 0.8], [0.4, 1.0, -0.9], [0.8, -0.9, 1.0]])
    C, missed = matrix_covariances(table, S[None], np.ones(3))
    assert missed == 2
    assert C[0, 0, 2] == C[0, 1, 2] == 0.0
    assert C[0, 0, 1] == pytest.approx(float(covariance(activation("relu"), 0.0, 0.0, 1.0, 1.0, 0.4)), rel=1e-14)
    _, reached = pair_covariances(table, np.array([0, 0]), np.array([1, 2]), np.array([0.4, 0.8]))
    assert reached.tolist() == [True, False]


def test_numbers_of_orders():
    assert orders_for(0.0, 400) == 1
    assert orders_for(0.5, 400) == 50  # 2^-50 = 9e-16
    assert orders_for(1.0, 400) == orders_for(0.99, 400) == 400


def test_a_constant_has_an_empty_table():
    """f' = 0: no energy, and nothing is left out at any correlation."""
    table = HermiteTable.of(np.zeros((20, 2)), np.zeros(2))
    assert not table.tails.any()
    assert np.all(table.reach == np.inf)
