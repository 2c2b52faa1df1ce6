"""Covariances of unlike activations at correlated inputs, against one-dimensional quadrature over one of the inputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.activations import ActivationGroup, activation
from ctrnn_theory.activations.gaussian.covariance import covariance, covariance_matrices, covariance_matrix
from ctrnn_theory.activations.gaussian.group_covariance import group_matrices

NAMES = (
    "relu",
    "tanh",
    "probit",
    "sin",
    "smoothed(relu, 0.5)",
    "step",
    "gelu",
    "1.5*relu(x - 0.3) + 0.1",
    "erf",
    "elu",
)
seeds = st.integers(0, 2**32 - 1)


def group(names):
    return ActivationGroup(tuple(activation(name) for name in names))


def conditioned(f, g, m, s, r):
    """E[(f(x) - F) G(x)] with G(x) = E[g(y) | x], on panels that are broken where f or G bends."""
    q = np.sqrt(max((1.0 - r) * (1.0 + r), 0.0))
    bends = [(np.array(f.breakpoints) - m[0]) / s[0], np.sign(r) * (np.array(g.breakpoints) - m[1]) / s[1]]
    fine = [u + sign * 2.0 ** -np.arange(30.0) for u in bends[1] for sign in (-1.0, 1.0)]
    edges = np.unique(np.clip(np.concatenate([np.linspace(-9.5, 9.5, 120), *bends, *fine]), -9.5, 9.5))
    x, w = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2.0
    u, weight = edges[:-1, None] + half * (1.0 + x), half * w
    weight = weight * np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi)
    first = f(m[0] + s[0] * u) - f.smoothed(m[0], s[0])
    return np.sum(weight * first * (g.smoothed(m[1] + r * s[1] * u, s[1] * q) - g.smoothed(m[1], s[1])))


@given(seeds, st.sampled_from([0.0, 1e-3, 0.3, 1.0]))
@settings(max_examples=15)
def test_against_quadrature(seed, own):
    """Also for singular S, whose correlations come near ±1, where the series gives way to formulas and quadrature."""
    rng = np.random.default_rng(seed)
    names = rng.choice(NAMES, size=4)
    L, m, fs = rng.normal(size=(4, 2)), 0.5 * rng.normal(size=4), group(names)
    S = 0.5 * L @ L.T + own * np.eye(4)
    C, s = covariance_matrix(fs, m, S), np.sqrt(np.diag(S))
    np.testing.assert_array_equal(C, C.T)
    for i in range(4):
        assert C[i, i] == pytest.approx(fs.members[i].smoothed_variance(m[i], s[i]), rel=1e-13, abs=1e-14)
        for j in range(i):
            pair, r = [i, j], S[i, j] / s[i] / s[j]
            expected = conditioned(fs.members[i], fs.members[j], m[pair], s[pair], r)
            # a dozen terms of rounding of f, which is of order one, and of the correlation's 1 - |r|
            assert C[i, j] == pytest.approx(expected, abs=1e-11)


@given(seeds, st.integers(2, 24), st.sampled_from(NAMES))
@settings(max_examples=15)
def test_a_group_of_one_activation_is_that_activation(seed, n, name):
    rng = np.random.default_rng(seed)
    L, m = rng.normal(size=(2, n, n)) / np.sqrt(n), rng.normal(size=(2, n))
    S = L @ np.swapaxes(L, 1, 2)
    C = group_matrices(group([name] * n), m, S, covariance)
    np.testing.assert_allclose(C, covariance_matrices(activation(name), m, S), rtol=0.0, atol=3e-12)


@given(seeds)
@settings(max_examples=10)
def test_order_of_the_neurons_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    names, L, m = rng.choice(NAMES, size=20), rng.normal(size=(20, 20)) / 5.0, rng.normal(size=20)
    order, S = rng.permutation(20), L @ L.T
    C = covariance_matrix(group(names), m, S)
    there = covariance_matrix(group(names[order]), m[order], S[np.ix_(order, order)])
    np.testing.assert_allclose(there, C[np.ix_(order, order)], rtol=0.0, atol=1e-13)


def test_inputs_without_variance_have_no_covariance():
    C = covariance_matrix(group(["relu", "tanh", "probit"]), [0.1, 0.2, 0.3], np.diag([0.0, 1.0, 0.0]))
    assert np.count_nonzero(C) == 1


def test_other_covariances_are_told_apart():
    """The negative control: a change of one correlation by 1e-6 is seen."""
    S = np.array([[1.0, 0.4], [0.4, 1.0]])
    fs, m = group(["relu", "tanh"]), np.array([0.3, -0.2])
    C = covariance_matrix(fs, m, S + 1e-6 * np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert abs(C[0, 1] - conditioned(*fs.members, m, np.ones(2), 0.4)) > 1e-7
