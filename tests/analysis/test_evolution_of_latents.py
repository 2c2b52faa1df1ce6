"""The law in time by the chain of latent variables: closed forms, averages from the end back, and simulation."""

import numpy as np
import pytest

import ctrnn_theory as ct
from tests.analysis.test_evolution import backward_moments, linear_moments
from tests.low_rank import made

RNG = np.random.default_rng(2)
VARYING = np.repeat(RNG.standard_normal((4, 1)), 5, axis=0)  # four values for five steps each


@pytest.mark.parametrize("rank", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("outside", [0.3, "correlated"])
def test_linear_networks_are_solved_in_closed_form(rank, outside):
    n = 6
    W = 0.7 / n * RNG.standard_normal((n, rank)) @ RNG.standard_normal((rank, n))
    net = ct.CTRNN(W, RNG.standard_normal(n), "identity", 0.2, W_in=RNG.standard_normal((n, 1)))
    noise = ct.Noise(inside=0.5, outside=0.2 * RNG.standard_normal((n, n)) if outside == "correlated" else outside)
    A = 0.3 * RNG.standard_normal((n, n))
    begin = ct.StationaryLaw(RNG.standard_normal(n), A @ A.T, "given")
    for start, V in ((begin, begin.covariance), (begin.mean, np.zeros((n, n)))):
        found = ct.evolve(net, noise, VARYING, 20, "latent", 4, start, tolerance=1e-2)
        mean, covariance = linear_moments(net, noise, VARYING, begin.mean, V)
        np.testing.assert_allclose(found.mean, mean[::4], atol=1e-7)
        np.testing.assert_allclose(found.covariance, covariance[::4], atol=1e-7)
        assert found.converged, found.message


def test_one_neuron_against_averages_from_the_end_back():
    """A step under noise outside is normal, so that nothing is neglected; under noise inside it is nearly."""
    net = ct.CTRNN([[0.8]], 0.1, "tanh", 0.3, W_in=[[1.0]])
    for noise, atol in ((ct.Noise(outside=0.5), 1e-7), (ct.Noise(inside=0.3, outside=0.4), 2e-4)):
        found = ct.evolve(net, noise, None, 6, "latent", 6, start=[0.4])
        mean, variance = backward_moments(net, noise, np.zeros((6, 1)), 0.4)
        assert found.mean[-1, 0] == pytest.approx(mean, abs=atol)
        assert found.covariance[-1, 0, 0] == pytest.approx(variance, abs=atol)


NOISE = ct.Noise(inside=1.0, outside=0.2)


@pytest.fixture(scope="module")
def network():
    return made(24, 1, lambda x: -0.5 * x + 0.4)[0]


def test_simulation_from_a_state_outside_of_the_span(network):
    start = 0.5 * np.random.default_rng(1).standard_normal(24)
    sim = ct.evolve(network, NOISE, None, 40, "simulation", 20, start, trajectories=20_000, workers=1)
    off = {}
    for level in (1.0, 1.1):
        found = ct.evolve(network, NOISE.scaled(level), None, 40, "latent", 20, start)
        assert np.array_equal(found.time, sim.time)
        variance = np.diagonal(found.covariance - sim.covariance, axis1=1, axis2=2)[1:]
        off[level] = max(
            np.max(np.abs(found.mean - sim.mean)[1:] / sim.standard_error[1:]),
            np.max(np.abs(variance) / sim.details["variance_standard_error"][1:]),
        )
    assert off[1.0] < 5.0 < off[1.1]


def test_it_ends_in_the_stationary_law_and_its_densities_have_its_moments(network):
    found, law = ct.evolve(network, NOISE, None, 300, "latent", 150), ct.predict(network, NOISE, method="latent")
    np.testing.assert_allclose(found.mean[-1], law.mean, atol=1e-6)
    np.testing.assert_allclose(found.covariance[-1], law.covariance, atol=1e-6)
    D, details = found.details["decoders"], found.details
    np.testing.assert_allclose(found.mean @ D, details["latent_mean"], atol=1e-9)
    np.testing.assert_allclose(D.T @ found.covariance @ D, details["latent_covariance"], atol=1e-6)
    assert len(details["densities"]) == 3
    for density, mean, variance in zip(
        details["densities"][1:], details["latent_mean"][1:], details["latent_covariance"][1:], strict=True
    ):
        assert density.mass == pytest.approx(1.0, abs=1e-9)
        np.testing.assert_allclose(density.mean, mean, atol=1e-8)
        np.testing.assert_allclose(density.covariance, variance, rtol=1e-6)
    assert details["densities"][0].mass == pytest.approx(1.0)
    assert np.max(details["error"]) < 1e-6
    assert 0.0 < np.max(details["cumulant_error"]) < 1e-3


@pytest.mark.slow
def test_two_latent_variables_against_simulation():
    net = made(48, 2, lambda x: -0.5 * x + 0.4)[0]
    found = ct.evolve(net, NOISE, None, 20, "latent", 10, tolerance=1e-2)
    sim = ct.evolve(net, NOISE, None, 20, "simulation", 10, trajectories=20_000, workers=1)
    assert np.all(np.abs(found.mean - sim.mean) <= 5.0 * sim.standard_error + 1e-12)
    density = found.details["densities"][-1]
    np.testing.assert_allclose(density.mean, found.details["latent_mean"][-1], atol=1e-4)


def test_refusals(network):
    wide = ct.CTRNN(network.W, 0.0, "tanh", 0.1, W_in=np.ones((24, 1)))
    with pytest.raises(ct.NotApplicable, match="at most 200 different values; there are 201"):
        ct.evolve(wide, NOISE, np.arange(201.0)[:, None], 201, "latent")
    with pytest.raises(ct.NotApplicable, match="without noise it is a point"):
        ct.evolve(network, ct.Noise(), None, 2, "latent")
    with pytest.raises(ct.NotApplicable, match="no latent variables"):
        ct.evolve(ct.CTRNN(np.zeros((4, 4)), 0.0, "tanh", 0.1), NOISE, None, 2, "latent")
    with pytest.raises(ValueError, match="tolerance must be a positive number; got 0"):
        ct.evolve(network, NOISE, None, 2, "latent", tolerance=0.0)
