"""Every method of the registry on the same networks, against the exact one: a new method is here by itself.

To leading order in the noise all methods agree: the mean up to the order of the bias itself, and the covariance, where
a method has one, up to a relative error of the order of the step γ and of the noise.
"""

from functools import cache

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

import ctrnn_theory as ct

GAMMA, SIGMA = 0.1, 0.05
NOISES = {
    "inside": ct.Noise(inside=SIGMA),
    "outside": ct.Noise(outside=SIGMA),
    "both": ct.Noise(inside=0.6 * SIGMA, outside=0.8 * SIGMA),
}
QUICK = {"simulation": {"steps": 2000, "rng": 1}, "latent": {"tolerance": 1e-3}}
OPTIONS = {
    "small_noise": [{"order": 2}, {"order": 4}],
    "gaussian_closure": [{"tolerance": 1e-9}],
    "cumulant_closure": [{"tolerance": 1e-9, "max_iterations": 100}],
    "fokker_planck": [{"tolerance": 1e-2}],
    "exact": [{"tolerance": 1e-7}],
    "simulation": [{"control_variate": False}, {"antithetic": True}, {"trajectories": 64, "workers": 1}],
}
"""Options that a method is tried with, beside its defaults."""


@cache
def network(n, activation):
    rng = np.random.default_rng(n)
    W = rng.normal(size=(n, n)) * 0.6 / np.sqrt(n)
    return ct.CTRNN(W, rng.normal(size=n), activation, GAMMA)


@cache
def exact(n, activation, site):
    return ct.predict(network(n, activation), NOISES[site], method="exact")


def check(law, wanted):
    error = 0.0 if law.standard_error is None else law.standard_error
    assert law.converged, law.message
    assert np.all(np.abs(law.mean - wanted.mean) <= 0.5 * SIGMA**2 + 5.0 * error)
    if np.any(law.covariance):
        size = np.max(np.abs(wanted.covariance))
        assert np.max(np.abs(law.covariance - wanted.covariance)) <= (GAMMA + SIGMA) * size


@pytest.mark.parametrize("method", ct.METHODS)
@pytest.mark.parametrize("activation", ["tanh", "softplus", "gelu"])
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("site", NOISES)
def test_every_method_agrees_with_the_exact_one_in_little_noise(method, activation, n, site):
    law = ct.predict(network(n, activation), NOISES[site], method=method, **QUICK.get(method, {}))
    check(law, exact(n, activation, site))


@pytest.mark.parametrize(
    ("method", "options"), [(method, options) for method in ct.METHODS for options in OPTIONS.get(method, [{}])]
)
@pytest.mark.parametrize("site", NOISES)
def test_options_change_no_more_than_the_error(method, options, site):
    law = ct.predict(network(1, "softplus"), NOISES[site], method=method, **(QUICK.get(method, {}) | options))
    check(law, exact(1, "softplus", site))


@pytest.mark.parametrize("method", ct.METHODS)
@pytest.mark.parametrize("n", [1, 3])
def test_without_noise_every_method_gives_the_fixed_point(method, n):
    net = network(n, "tanh")
    law = ct.predict(net, ct.Noise(), method=method, **QUICK.get(method, {}))
    fixed_point = ct.predict(net, ct.Noise(), method="deterministic").details["fixed_point"]
    np.testing.assert_allclose(law.mean, fixed_point, rtol=0, atol=1e-10)
    np.testing.assert_allclose(law.covariance, 0.0, atol=1e-20)


@pytest.mark.parametrize("method", ct.METHODS)
@pytest.mark.parametrize("site", NOISES)
def test_a_linear_network_has_the_covariance_of_the_lyapunov_equation(method, site):
    net, noise = network(2, "identity"), NOISES[site]
    law = ct.predict(net, noise, method=method, **QUICK.get(method, {}))
    A = (1.0 - GAMMA) * np.eye(2) + GAMMA * net.W
    V = solve_discrete_lyapunov(A, GAMMA**2 * (noise.covariance("inside", 2) + noise.covariance("outside", 2)))
    check(law, ct.StationaryLaw(np.linalg.solve(np.eye(2) - net.W, net.b), V))
