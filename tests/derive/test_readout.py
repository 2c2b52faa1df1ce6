"""Formulas of a readout of noisy neurons, against quadrature and direct minimisation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.derive.readout import describe, readout_noise

NODES, WEIGHTS = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)]), np.array([1.0, 4.0, 1.0]) / 6.0
POSITIVE = st.floats(0.01, 2.0)


def value(quantity, **values):
    return float(describe(quantity).lambdified(*values)(*values.values()))


@settings(max_examples=20)
@given(st.tuples(*4 * [POSITIVE]), st.integers(0, 2**32 - 1))
def test_the_variance_is_that_of_two_neurons_by_quadrature(D, seed):
    """Gauss–Hermite quadrature of three nodes is exact here: the square of z has degree two in each variable."""
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=(2, 2))
    AU, AC, MU, MC = np.sqrt(2.0 * np.array(D))
    nodes = np.array(list(product(NODES, repeat=6)))
    probability = np.prod(list(product(WEIGHTS, repeat=6)), axis=1)
    y = x * (1 + MU * nodes[:, :2]) * (1 + MC * nodes[:, 2:3]) + AU * nodes[:, 3:5] + AC * nodes[:, 5:]
    z = y @ w
    assert probability @ z == pytest.approx(w @ x, rel=1e-9, abs=1e-12)
    expected = probability @ (z - w @ x) ** 2
    sums = {"W1": w.sum(), "W2": w @ w, "X1": w @ x, "X2": w**2 @ x**2}
    found = value("variance", **dict(zip(("D_AU", "D_AC", "D_MU", "D_MC"), D, strict=True)), **sums)
    assert found == pytest.approx(expected, rel=1e-9)


@settings(max_examples=20)
@given(POSITIVE, POSITIVE, st.integers(0, 2**32 - 1), st.booleans())
def test_the_loss_under_common_noise_is_that_of_the_minimum(D_train, D_test, seed, intercept):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(20, 3)) + rng.normal(size=3), rng.normal(size=20)
    design = np.hstack([x, np.ones((20, 1))]) if intercept else x
    second = x.T @ x / 20

    def solve(D):
        extra = np.zeros((design.shape[1],) * 2)
        extra[:3, :3] = 2 * D * second
        return np.linalg.solve(design.T @ design / 20 + extra, design.T @ y / 20)

    def loss(w, D):
        return np.mean((design @ w - y) ** 2) + 2 * D * w[:3] @ second @ w[:3]

    still, w, m = solve(0.0), solve(D_train), x.mean(axis=0)
    known = {"D_train": D_train, "D_test": D_test, "floor": loss(still, 0.0)}
    if intercept:
        beta = m @ np.linalg.solve(np.cov(x.T, ddof=0), m)
        known |= {"q": np.var(x @ still[:3]), "mu": still[:3] @ m, "beta": beta}
    else:
        known |= {"q": np.mean((x @ still) ** 2)}
        np.testing.assert_allclose(w, value("scale", D_train=D_train) * still, rtol=1e-8)
    found = value("loss_intercept" if intercept else "loss", **known)
    assert found == pytest.approx(loss(w, D_test), rel=1e-8)


def test_an_intercept_is_more_than_a_scale_unless_the_states_have_no_mean():
    values = {"D_train": 0.1, "D_test": 0.1, "floor": 0.2, "q": 1.0}
    without = value("loss", **values)
    assert value("loss_intercept", **values, mu=0.0, beta=3.0) == pytest.approx(without, rel=1e-12)
    assert value("loss_intercept", **values, mu=1.0, beta=3.0) > without * 1.01


def test_bad_quantities_are_refused():
    with pytest.raises(ValueError, match="quantity must be one of variance, scale, loss, loss_intercept; got 'mean'"):
        readout_noise("mean")
