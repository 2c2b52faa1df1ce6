"""The closure in each region: what it conserves, its limits, and networks that dwell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

import ctrnn_theory as ct
from ctrnn_theory.analysis.orbit.regional import divided
from ctrnn_theory.numerics.normal_points import normal_points, root

SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.integers(2, 4), st.integers(2, 5))
def test_mean_and_covariance_are_conserved_as_a_law_is_divided(seed, count, n):
    rng = np.random.default_rng(seed)
    mean, A, R, b = rng.normal(size=n), rng.normal(size=(n, n)), rng.normal(size=(count, n)), rng.normal(size=count)
    V = A @ A.T
    share, first, second = divided(mean, V, R, b, normal_points(count, 10))
    assert share.sum() == pytest.approx(1.0, abs=1e-12)
    # what 2¹⁰ quasi-random points leave of mean 0 and covariance 1 in the outputs
    np.testing.assert_allclose(first.sum(axis=0), mean, atol=0.02 * np.sqrt(np.trace(V)))
    np.testing.assert_allclose(second.sum(axis=0), V + np.outer(mean, mean), atol=0.05 * np.trace(second.sum(axis=0)))


@given(st.floats(-2.0, 2.0), st.floats(0.2, 3.0), st.floats(-0.9, 0.9))
def test_half_normal_laws_have_their_known_moments(mean, std, rho):
    """The first of two components is cut at zero: E[x; x > 0] = m Φ + s φ, E[x²; x > 0] = (m² + s²) Φ + m s φ."""
    V = np.array([[std**2, rho * std], [rho * std, 1.0]])
    R = np.array([[1.0, 0.0], [-1.0, 0.0]])
    share, first, second = divided(np.array([mean, 0.5]), V, R, np.zeros(2), normal_points(2, 14))
    at = mean / std
    above, density = ndtr(at), np.exp(-0.5 * at**2) / np.sqrt(2.0 * np.pi)
    tolerance = 5e-3 * max(1.0, mean**2 + std**2)  # of 2¹⁴ points along a direction
    assert share[0] == pytest.approx(above, abs=tolerance)
    assert first[0, 0] == pytest.approx(mean * above + std * density, abs=tolerance)
    assert second[0, 0, 0] == pytest.approx((mean**2 + std**2) * above + mean * std * density, abs=tolerance)
    # the other component follows by regression, E[y; x > 0] = 0.5 Φ + ρ φ
    assert first[0, 1] == pytest.approx(0.5 * above + rho * density, abs=tolerance)


def test_a_network_within_one_region_has_the_law_of_the_gaussian_closure():
    W = 0.8 * np.array([[0.3, -0.9], [0.9, 0.3]])
    net = ct.CTRNN(W, 0.2, "tanh", 0.5, W_out=np.eye(2), b_out=[100.0, 0.0])
    laws = ct.orbit(net, ct.Noise(inside=0.4, rho_inside=0.5), simulate=False, planes=[np.eye(2)]).laws
    one, other = laws["gaussian_closure"], laws["regional_closure"]
    np.testing.assert_allclose(other.occupancy, [1.0, 0.0])
    for name in ("mean", "covariance", "lagged", "rate", "angle"):
        value = getattr(one, name)
        np.testing.assert_allclose(getattr(other, name), value, atol=5e-3 * np.max(np.abs(value)))  # it stops at 2e-3
    assert other.transitions[0, 0] == 1.0
    assert np.isinf(other.dwell[0])


def exact_dwell(w, gamma, sigma, points=1201):
    """Mean stay of h' = (1-γ) h + γ (tanh(w h) + σ η) on a side of zero, by a matrix on a fine grid."""
    h = np.linspace(-1.0, 1.0, points) * (1.0 + 8.0 * sigma * np.sqrt(gamma))
    mean = (1.0 - gamma) * h + gamma * np.tanh(w * h)
    P = np.exp(-0.5 * ((h[None] - mean[:, None]) / (gamma * sigma)) ** 2)
    P /= P.sum(axis=1, keepdims=True)
    law = np.full(points, 1.0 / points)
    for _ in range(4000):
        law = law @ P
    up = h > 0.0
    stay = law[up] @ P[np.ix_(up, up)].sum(axis=1) / law[up].sum()
    return 1.0 / (1.0 - stay)


@pytest.mark.parametrize(("w", "gamma", "sigma"), [(1.5, 0.2, 1.0), (1.3, 0.5, 0.5), (2.0, 0.5, 0.8)])
def test_a_neuron_of_two_states_dwells_about_as_long_as_it_should(w, gamma, sigma):
    """To a factor of 1.6, where a single Gaussian law is wrong by one of two and more."""
    net = ct.CTRNN.single(w, 0.0, "tanh", gamma)
    laws = ct.orbit(net, ct.Noise(outside=sigma), [[1.0], [-1.0]], simulate=False).laws
    expected = exact_dwell(w, gamma, sigma, 601)
    assert np.all(np.abs(np.log(laws["regional_closure"].dwell / expected)) < np.log(1.6))
    assert np.all(laws["gaussian_closure"].dwell < 0.5 * expected)


def test_a_closure_that_grows_is_refused():
    net = ct.CTRNN([[2.0, 0.0], [0.0, 0.5]], 0.0, "relu", 1.0, W_out=np.eye(2))
    with pytest.raises(ct.NotApplicable, match=r"closure by region: .*grows without bound"):
        ct.orbit(net, ct.Noise(inside=1.0), simulate=False)


def test_points_are_those_of_the_normal_law():
    x = normal_points(3, 12)
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=2e-3)
    np.testing.assert_allclose(np.cov(x.T), np.eye(3), atol=1e-2)
    assert not x.flags.writeable
    V = np.array([[2.0, 1.0], [1.0, 0.5]])  # singular
    np.testing.assert_allclose(root(V) @ root(V).T, V, atol=1e-12)
