"""Mean and covariance in time for every kind of network and noise."""

import numpy as np
import pytest

from ctrnn_theory.analysis.evolution.evolve import evolve
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import gaussian_closure
from ctrnn_theory.support.errors import NotApplicable

STEPS = 20
U = np.sin(np.arange(float(STEPS)))[:, None]
EVERY = Noise(
    inside=0.3,
    outside=0.2,
    rho_inside=0.7,
    rho_outside=[0.0, 0.5, 0.9],
    gain_inside=0.2,
    gain_outside=0.3,
    common_gain_outside=0.1,
    keep=0.9,
)
FORMS = ["rate", "voltage"]


def network(form, activation="identity", n=3):
    rng = np.random.default_rng(0)
    W, b, gamma = 0.3 * rng.normal(size=(n, n)), rng.normal(size=n), [0.1, 0.2, 0.4][:n]
    return CTRNN(
        W, b, activation, gamma, form=form, W_in=np.ones((n, 1)), W_out=rng.normal(size=(2, n)), b_out=[0.1, 0.2]
    )


def linear_moments(net, noise, start):
    """Mean (T, N) and covariance (T, N, N) of a linear network, by second moments of the state with its sources."""
    n = net.n
    R, R_in = noise.gain_covariance("outside", n), noise.gain_covariance("inside", n)
    whole = Augmented.of(net, noise, U[0])
    mean, V = np.concatenate([start, np.zeros(whole.size - n)]), whole.rest
    means, covariances = [mean[:n]], [V[:n, :n]]
    for u in U:
        whole = Augmented.of(net, noise, u)
        T, E, H, alpha = (
            whole.transition,
            whole.write,
            whole.read,
            np.hstack([whole.wiring.read, np.zeros(whole.shared[:, n:].shape)]),
        )
        F, cross = H @ mean + whole.wiring.c, T @ V @ H.T + whole.shared.T
        C = H @ V @ H.T + whole.inner + R_in * (alpha @ V @ alpha.T + np.outer(F, F))
        V = T @ V @ T.T + E @ (C + R * (C + np.outer(F, F))) @ E.T + whole.outer + cross @ E.T + E @ cross.T
        mean = T @ mean + E @ F + whole.offset
        means.append(mean[:n])
        covariances.append(V[:n, :n])
    return np.array(means), np.array(covariances)


@pytest.mark.parametrize("form", FORMS)
def test_the_closure_of_a_linear_network_is_exact(form):
    net, start = network(form), np.array([0.5, -0.2, 0.1])
    law = evolve(net, EVERY, U, STEPS, start=start)
    mean, V = linear_moments(net, EVERY, start)
    np.testing.assert_allclose(law.mean, mean, rtol=0.0, atol=1e-13 * np.max(np.abs(mean)))
    np.testing.assert_allclose(law.covariance, V, rtol=0.0, atol=1e-11 * np.max(V))
    np.testing.assert_allclose(law.time, 0.1 * np.arange(STEPS + 1.0))


@pytest.mark.parametrize("form", FORMS)
def test_simulation_agrees_with_a_linear_network(form):
    """Within five standard errors at every time; the control is a law with gains left out."""
    net = network(form)
    law = evolve(net, EVERY, U, STEPS, "simulation", record_every=5, trajectories=20_000)
    exact = evolve(net, EVERY, U, STEPS, record_every=5)
    assert np.all(np.abs(law.mean - exact.mean)[1:] <= 5.0 * law.standard_error[1:])

    def apart(other):
        gap = np.diagonal(law.covariance - other.covariance, axis1=1, axis2=2)
        return np.max(np.abs(gap[1:] / law.details["variance_standard_error"][1:]))

    assert apart(exact) <= 5.0
    plain = Noise(inside=0.3, outside=0.2, rho_inside=0.7, rho_outside=[0.0, 0.5, 0.9])
    assert apart(evolve(net, plain, U, STEPS, record_every=5)) > 5.0


@pytest.mark.parametrize("form", FORMS)
def test_its_end_is_the_stationary_law(form):
    net = network(form, ["tanh", "relu", "softplus"])
    noise = Noise(inside=0.3, outside=0.2, rho_inside=0.7, rho_outside=0.5, gain_outside=0.3)
    path, law = evolve(net, noise, [0.5], 600, record_every=600), gaussian_closure.solve(net, noise, [0.5])
    np.testing.assert_allclose(path.mean[-1], law.mean, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(path.covariance[-1], law.covariance, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(path.rate[-1], law.rate, rtol=0.0, atol=1e-10)


def test_rates_and_output_of_a_voltage_network():
    """The output of f = identity is that of the states, and of f = exp, normal v make a log-normal rate."""
    linear = evolve(network("voltage"), EVERY, U, STEPS, record_every=10)
    W_out, V = linear.network.W_out, linear.covariance
    np.testing.assert_allclose(linear.rate, linear.mean, rtol=1e-13)
    np.testing.assert_allclose(linear.output_covariance, W_out @ V @ W_out.T, rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(linear.output_mean, linear.mean @ W_out.T + linear.network.b_out, rtol=1e-13)
    net = network("voltage", "exp(x)", 1)
    law = evolve(net, Noise(0.1, 0.2), U[:4], 4)
    v, variance = law.mean[:, 0], law.covariance[:, 0, 0]
    np.testing.assert_allclose(law.rates[:, 0], np.exp(v + variance / 2.0), rtol=1e-10)
    found = law.output_covariance[:, 0, 0] / net.W_out[0, 0] ** 2
    np.testing.assert_allclose(found, np.exp(2.0 * v + variance) * np.expm1(variance), rtol=1e-8, atol=1e-15)
    assert "rates" in law.to_dict()
    assert "rates" not in evolve(network("rate"), EVERY, U, STEPS).to_dict()


@pytest.mark.parametrize("method", ["cumulant_closure", "fokker_planck"])
def test_methods_that_do_not_take_a_kind_say_so(method):
    with pytest.raises(NotApplicable, match="coloured"):
        evolve(CTRNN.single(0.5, 0.1), Noise(0.3, rho_inside=0.5), None, 5, method)
