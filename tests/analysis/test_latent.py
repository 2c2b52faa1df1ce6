"""The field of latent variables."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

import ctrnn_theory as ct
from tests.low_rank import bistable, made, ring

NOISE = ct.Noise(inside=1.0)


def test_drift_is_that_of_the_smoothed_network():
    net, E, D = bistable(40)
    field = ct.latent(net, NOISE, factors=(E, D))
    x = np.linspace(-1.2, 1.2, 7)[:, None]
    f = net.activations[0]
    for level in (0.0, 0.7, 1.0):
        expected = f.smoothed(x @ E.T + net.b, level) @ D - x
        assert np.allclose(field.drift(x, level), expected, atol=1e-12)
    assert np.allclose(field.noise_induced(x), field.drift(x) - field.drift(x, 0.0))
    variance = f.smoothed_variance(x @ E.T + net.b, 1.0)
    assert np.allclose(field.diffusion(x)[:, 0, 0], net.gamma * variance @ D[:, 0] ** 2)


def test_fixed_points_with_noise_are_where_it_was_trained_and_others_without():
    net, E, D = bistable(256)
    field = ct.latent(net, NOISE, factors=(E, D))
    (_, trained), (_, without) = field.points
    assert [point.stable for point in trained] == [point.stable for point in without] == [True, False, True]
    assert np.allclose([point.latent[0] for point in trained], [-1.0, 0.0, 1.0], atol=0.05)
    assert without[2].latent[0] > 1.2
    for level, points in field.points:
        assert np.allclose([field.drift(point.latent, level) for point in points], 0.0, atol=1e-9)


def test_a_stable_point_of_two_variables():
    net, E, D = made(200, 2, lambda x: -0.5 * (x - np.array([0.3, -0.4])))
    (point,) = ct.latent(net, NOISE, factors=(E, D)).fixed_points()
    assert point.stable
    assert np.allclose(point.latent, [0.3, -0.4], atol=0.05)


def test_refusals():
    net, E, D = bistable(24)
    with pytest.raises(ValueError, match=r"factors must be E and D with W = E Dᵀ; got shapes \(24, 1\) and \(24, 1\)"):
        ct.latent(net, NOISE, factors=(E, 2.0 * D))
    with pytest.raises(ValueError, match=r"latent must have shape \(\.\.\., 1\); got \(3,\)"):
        ct.latent(net, NOISE).drift([0.0, 1.0, 2.0])
    with pytest.raises(ct.NotApplicable, match="the weights are zero, so that there are no latent variables"):
        ct.latent(ct.CTRNN(np.zeros((5, 5)), 0.0, "tanh"), NOISE)


def test_pictures():
    for network in (bistable, ring):
        field = ct.latent(network(32)[0], NOISE)
        ax = field.plot()
        assert ax.get_legend().get_texts()
        plt.close(ax.figure)
    with pytest.raises(ct.NotApplicable, match="for one or two latent variables; the network has 3"):
        ct.latent(made(40, 3, lambda x: -0.5 * x)[0], NOISE).plot()


def test_spectrum_of_latent_variables():
    """A linear network of rank one forgets its latent variable by 1 - γ + γ w in each step."""
    rng = np.random.default_rng(0)
    e, d = rng.standard_normal(20), rng.standard_normal(20)
    net = ct.CTRNN(np.outer(e, d) * 0.6 / (e @ d), rng.standard_normal(20), "identity", 0.2)
    found = ct.spectrum(net, ct.Noise(inside=0.5), count=4)
    assert np.allclose(found.eigenvalues, (1.0 - 0.2 + 0.2 * 0.6) ** np.arange(4), atol=1e-8)
    h = found.law.mean + 0.1 * rng.standard_normal((5, 20))
    values = found.functions(h)[:, 1].real
    away = (h - found.law.mean) @ d
    assert np.allclose(values / away, values[0] / away[0])


@pytest.mark.parametrize("rank", [1, 2])
def test_densities_of_linear_networks_are_known(rank):
    """The diffusion approximation solves (1 - Dᵀ E) V + V (1 - Dᵀ E)ᵀ = B."""
    rng, n = np.random.default_rng(0), 12
    E, D = rng.standard_normal((n, rank)), 0.5 / n * rng.standard_normal((n, rank))
    net, noise = ct.CTRNN(E @ D.T, rng.standard_normal(n), "identity", 0.1), ct.Noise(inside=0.5, outside=0.3)
    found = ct.latent(net, noise, factors=(E, D)).density()
    pull, B = np.eye(rank) - D.T @ E, 0.1 * 0.34 * D.T @ D
    V = solve_continuous_lyapunov(pull, B)
    tolerance = 1e-9 if rank == 1 else 1e-3 * np.max(V)  # quadrature, and extrapolated cells
    np.testing.assert_allclose(found.mean, np.linalg.solve(pull, D.T @ net.b), atol=1e-6)
    np.testing.assert_allclose(found.covariance, V, atol=tolerance)


def test_densities_are_those_of_the_chain_for_small_steps():
    """What they neglect is of the order of γ in the variance."""
    W, off = made(24, 1, lambda x: -0.5 * x + 0.4)[0], []
    for gamma in (0.1, 0.05):
        net, noise = ct.CTRNN(W.W, W.b, "tanh", gamma), ct.Noise(inside=1.0)
        law = ct.predict(net, noise, method="latent")
        density = ct.latent(net, noise).density()
        off.append(1.0 - density.covariance[0, 0] / law.details["latent_covariance"][0, 0])
        assert density.mean[0] == pytest.approx(law.details["latent_mean"][0], abs=gamma * law.std.max() / 10)
    assert off[0] / off[1] == pytest.approx(2.0, abs=0.1)


def test_densities_need_noise():
    with pytest.raises(ValueError, match=r"level must be a positive number; got 0"):
        ct.latent(made(24, 1, lambda x: -0.5 * x)[0], ct.Noise(inside=1.0)).density(0.0)


def test_slow_manifolds_of_two_memories_without_connections_are_straight():
    """Each remembers ±x: saddles are where one of them is undecided, and the other stays at what it remembers."""
    one = 2.0 * np.outer(np.linspace(0.5, 1.5, 8), np.linspace(0.5, 1.5, 8)) / 8
    E, D = np.zeros((16, 2)), np.zeros((16, 2))
    for k in range(2):
        E[8 * k : 8 * k + 8, k], D[8 * k : 8 * k + 8, k] = np.linspace(0.5, 1.5, 8), np.linspace(0.5, 1.5, 8) / 4
    net = ct.CTRNN(np.block([[one, np.zeros((8, 8))], [np.zeros((8, 8)), one]]), 0.0, "tanh", 0.1)
    field = ct.latent(net, ct.Noise(inside=0.5), factors=(E, D))
    x = max(point.latent[0] for point in field.fixed_points())
    curves = field.slow_manifold()
    assert len(curves) == 4
    for curve in curves:
        undecided = int(np.argmax(np.ptp(curve.latent, axis=0)))
        assert curve.ends == (True, True)
        np.testing.assert_allclose(np.abs(curve.latent[:, 1 - undecided]), x, atol=1e-7)
        np.testing.assert_allclose(np.sort(curve.latent[[0, -1], undecided]), [-x, x], atol=1e-9)
        assert np.all(np.diff(curve.latent[:, undecided]) > 0.0) or np.all(np.diff(curve.latent[:, undecided]) < 0.0)


def test_slow_manifolds_of_a_ring_go_around_it():
    """A ring of 300 neurons holds some states better than others, and the drift along it is slow."""
    rng, n = np.random.default_rng(3), 300
    angle = 2.0 * np.pi * (np.arange(n) + 0.3 * rng.standard_normal(n)) / n
    E = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    D = 5.0 * E / n
    field = ct.latent(ct.CTRNN(E @ D.T, 0.0, "tanh", 0.1), ct.Noise(inside=0.5), factors=(E, D))
    curves = field.slow_manifold()
    assert curves
    radius = np.concatenate([np.linalg.norm(curve.latent, axis=1) for curve in curves])
    assert np.ptp(radius) < 0.1 * radius.mean()
    along = np.concatenate([np.linalg.norm(field.drift(curve.latent), axis=1) for curve in curves])
    across = np.linalg.norm(field.drift(np.array([[0.7 * radius.mean(), 0.0]])))
    assert along.max() < 0.1 * across
    assert sum(np.sum(np.linalg.norm(np.diff(c.latent, axis=0), axis=1)) for c in curves) > 5.0 * radius.mean()


def test_a_state_has_its_latent_variables():
    """It is the mean rate, where a fixed point is; elsewhere the nearest state that has them."""
    net, E, D = made(60, 2, lambda x: -0.5 * (x - np.array([0.3, -0.4])))
    field = ct.latent(net, NOISE, factors=(E, D))
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (3, 4, 2))
    for level in (0.0, 1.0):
        states = field.state(x, level)
        assert states.shape == (3, 4, 60)
        assert np.allclose(states @ D, x, atol=1e-12)
        rates = net.activations[0].smoothed(x @ E.T + net.b, level)
        away = states - rates
        assert np.allclose(away, away @ D @ np.linalg.solve(D.T @ D, D.T), atol=1e-12)  # within the span of D
    (point,) = field.fixed_points()
    rates = net.activations[0].smoothed(point.latent @ E.T + net.b, 1.0)
    assert np.allclose(field.state(point.latent), rates, atol=1e-9)


def test_fixed_points_that_are_neither_stable_nor_not():
    """A slope of zero, which makes a step of Newton's method singular."""
    net = ct.CTRNN([[0.0, 1.0], [0.0, 1.0]], 0.0, "tanh")
    field = ct.latent(net, ct.Noise(inside=0.1))
    assert [point.stable for point in field.fixed_points()] == [True]
    assert not any(point.stable for point in field.fixed_points(level=0.0))
