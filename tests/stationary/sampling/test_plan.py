"""The plan of a run: large networks end near their target, without a trace of the start and with honest errors."""

import numpy as np
import pytest

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.sampling import plan
from ctrnn_theory.stationary.simulation import solve

NOISE = Noise(inside=0.5)


def network(n, activation="tanh", radius=0.8, seed=0):
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n, n))
    W *= radius / np.abs(np.linalg.eigvals(W)).max()
    return CTRNN(W, 0.3 * rng.normal(size=n), activation, 0.1)


def test_relaxation_times_of_the_burn_in():
    assert plan.relaxation_times(127, None, 1.0) == 30.0
    assert plan.relaxation_times(127, 1e-2, 1.0) == 30.0
    assert plan.relaxation_times(128, None, 1.0) == 20.0  # the pilot run has another 10
    assert plan.relaxation_times(128, 1e-2, 1.0) == 12.0
    assert plan.relaxation_times(128, 1e-2, 0.0) == 12.0
    assert plan.relaxation_times(128, 1e-7, 1.0) == pytest.approx(np.log(1e10) - 10.0)
    assert plan.relaxation_times(128, 1e-4, 1e9) == 20.0


@pytest.mark.parametrize(("n", "trajectories"), [(plan.LARGE - 1, 512), (plan.LARGE, 128)])
def test_trajectories_by_default(n, trajectories):
    law = solve(network(n), NOISE, steps=10)
    assert law.details["trajectories"] == trajectories
    assert solve(network(n), NOISE, steps=10, trajectories=64).details["trajectories"] == 64


@pytest.mark.parametrize(("activation", "target"), [("tanh", 1e-4), ("tanh", 2e-5), ("relu", 1e-4), ("relu", 2e-5)])
def test_a_large_network_ends_near_its_target(activation, target):
    """At 1e-4 the least length of a run reaches 7e-5 already."""
    law = solve(network(128, activation), NOISE, target_se=target, rng=1)
    assert law.converged
    assert 0.5 * target < law.standard_error.max() <= target


def test_a_target_that_the_least_run_misses_by_little_costs_little_more():
    short = solve(network(128), NOISE, target_se=1e-3, rng=1)
    law = solve(network(128), NOISE, target_se=0.98 * short.standard_error.max(), rng=1)
    assert short.details["steps"] < law.details["steps"] <= 1.6 * short.details["steps"]
    assert law.converged


def from_far_away():
    """A run that begins in the slow direction of a linear network, without the control variates, which remove it."""
    net = CTRNN(np.full((128, 128), 0.8 / 128), 0.3, "identity", 0.1)
    law = solve(net, NOISE, start=np.full(128, 1e6), target_se=5e-3, control_variate=False, rng=2)
    return np.abs(law.mean - 1.5) / law.standard_error, law


def test_no_trace_of_a_start_far_away():
    deviation, law = from_far_away()
    assert np.all(deviation < 5)
    assert law.converged


def test_negative_control_a_burn_in_that_is_too_short_is_seen(monkeypatch):
    monkeypatch.setattr(plan, "relaxation_times", lambda *_: 1.0)
    deviation, law = from_far_away()
    assert np.all(deviation > 5)
    assert "drifted" in law.message


def test_standard_errors_of_short_runs_are_honest():
    """Over S seeds Σ z² about their mean is S - 1, with a standard deviation of √(2 (S - 1)) if neurons were alike."""
    seeds, net = 16, network(128)
    laws = [solve(net, NOISE, target_se=1e-4, rng=seed) for seed in range(seeds)]
    means, errors = (np.array([getattr(law, name) for law in laws]) for name in ("mean", "standard_error"))
    square = np.mean((means - means.mean(axis=0)) ** 2 / errors**2) * seeds / (seeds - 1)
    assert abs(square - 1.0) < 5 * np.sqrt(2 / (seeds - 1))
    assert square / 0.5**2 - 1.0 > 5 * np.sqrt(2 / (seeds - 1))  # negative control: errors of half the size
    plain = np.array([np.diag(law.details["plain_covariance"]) for law in laws])
    errors = np.array([law.details["variance_standard_error"] for law in laws])
    square = np.mean((plain - plain.mean(axis=0)) ** 2 / errors**2) * seeds / (seeds - 1)
    assert abs(square - 1.0) < 5 * np.sqrt(2 / (seeds - 1))


def test_threads_make_no_difference_to_a_large_network():
    one, two = (solve(network(130), NOISE, target_se=1e-4, rng=1, workers=w) for w in (1, 2))
    for name in ("mean", "covariance", "standard_error"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert np.array_equal(one.details["final_states"], two.details["final_states"])


def test_the_mean_of_a_large_linear_network():
    """The plain mean of a linear network is (I - W)⁻¹ b."""
    net = network(128, "identity")
    law = solve(net, Noise(outside=0.5), target_se=1e-3, rng=3, control_variate=False)
    exact = np.linalg.solve(np.eye(128) - net.W, net.b)
    assert np.all(np.abs(law.mean - exact) < 5 * law.standard_error)
    assert np.any(np.abs(law.mean - exact - 5e-3) > 5 * law.standard_error)  # negative control
