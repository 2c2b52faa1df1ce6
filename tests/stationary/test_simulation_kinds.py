"""Simulations of every kind of noise and network: reference laws, limits, and steps that add up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctrnn_theory.integrators.ensemble import Ensemble, standard_error
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.simulation import solve
from tests.noise_cases import NOISE_CASES

CASES = pytest.mark.parametrize("case", NOISE_CASES, ids=lambda case: case.name)
BOUND = 5.0


def deviations(law, case):
    """Deviations from a reference law in standard errors, of the mean, the covariance, and the rates."""
    z = [(law.mean - case.mean) / np.hypot(law.standard_error, case.mean_error)]
    error = np.hypot(law.details["covariance_standard_error"], case.covariance_error)
    z.append((law.covariance - case.covariance) / error)
    if case.rates is not None:
        z.append((law.rates - case.rates) / np.hypot(law.details["rate_standard_error"], case.rates_error))
    return np.concatenate([np.ravel(part) for part in z])


@CASES
def test_reference_laws(case):
    law = solve(case.net, case.noise, rng=7)
    assert law.converged
    assert law.message == ""
    assert np.all(np.abs(deviations(law, case)) < BOUND)
    plain = (law.details["plain_mean"] - case.mean) / law.details["plain_standard_error"]
    assert np.all(np.abs(plain) < BOUND)
    assert np.all(law.details["variance_reduction"] > 10)  # 18 is the least that was measured: private and common gain
    assert (law.rates is None) == (case.net.form == "rate")


@CASES
def test_negative_control_a_noise_that_is_5_percent_stronger(case):
    law = solve(case.net, case.noise.scaled(1.05), rng=7)
    assert np.any(np.abs(deviations(law, case)) > BOUND)


@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_without_correlation_coloured_noise_is_white(form):
    """Its law at ρ = 1e-9 differs from that of white noise by less than the errors; at ρ = 0.3 by more."""
    net = CTRNN([[0.3, -0.6], [0.5, 0.3]], [0.4, 0.3], "tanh", 0.3, form=form)
    noise = Noise(0.5, [[0.3], [0.2]])
    white = solve(net, noise, rng=1, steps=10_000)
    for rho, same in ((1e-9, True), (0.3, False)):
        law = solve(net, replace(noise, rho_inside=rho, rho_outside=rho), rng=2, steps=10_000)
        z = (law.mean - white.mean) / np.hypot(law.standard_error, white.standard_error)
        errors = (each.details["covariance_standard_error"] for each in (law, white))
        z = np.append(z, (law.covariance - white.covariance) / np.hypot(*errors))
        assert np.all(np.abs(z) < BOUND) == same


def test_rates_of_a_voltage_network_are_those_of_the_rate_network():
    """Under noise inside alone, v = W h + b with the rate network h, so that E v = W E h + b."""
    W, b = np.array([[0.3, -0.6], [0.5, 0.3]]), np.array([0.4, 0.3])
    noise = Noise(0.5, rho_inside=0.6, gain_inside=0.0)
    rate, voltage = (
        solve(CTRNN(W, b, "softplus", 0.3, form=form), noise, rng=3, steps=10_000) for form in ("rate", "voltage")
    )
    error = np.hypot(voltage.standard_error, np.abs(W) @ rate.standard_error)
    assert np.all(np.abs(voltage.mean - W @ rate.mean - b) < BOUND * error)
    assert np.all(np.abs(voltage.mean - 1.001 * (W @ rate.mean + b)) > BOUND * error)  # negative control


def test_white_noise_outside_a_voltage_network_is_coloured_noise_inside():
    gamma, sigma, W, b = 0.3, 0.8, np.array([[0.8]]), np.array([0.2])
    voltage = solve(CTRNN(W, b, "tanh", gamma, form="voltage"), Noise(outside=sigma), rng=1, steps=10_000)
    inside = Noise(sigma * np.sqrt(gamma / (2.0 - gamma)), rho_inside=1.0 - gamma)
    rate = solve(CTRNN(W, b, "tanh", gamma), inside, rng=2, steps=10_000)
    error = np.hypot(voltage.standard_error, np.abs(W) @ rate.standard_error)
    assert np.all(np.abs(voltage.mean - W @ rate.mean - b) < BOUND * error)
    rates_error = np.hypot(voltage.details["rate_standard_error"], rate.standard_error)
    h, white = rate.mean, solve(CTRNN(W, b, "tanh", gamma), replace(inside, rho_inside=0.0), rng=2, steps=10_000).mean
    # E h = E f(v + x) with the noise of the next step; without noise inside, E f(v) is what v reads
    assert np.all(np.abs(voltage.rates - h) < BOUND * rates_error)
    assert np.all(np.abs(voltage.rates - white) > BOUND * rates_error)  # negative control


def test_dropout_and_its_gaussian_gain_agree_in_mean_of_a_linear_network():
    """Mean and covariance of a linear network depend on mean and variance of what multiplies alone."""
    net = CTRNN([[0.3, -0.6], [0.5, 0.3]], [0.4, 0.3], "identity", 0.3)
    noises = (Noise.dropout(0.7), Noise(gain_outside=(0.3 / 0.7) ** 0.5))
    found = [solve(net, noise, rng=i, steps=10_000) for i, noise in enumerate(noises)]
    mean = np.linalg.solve(np.eye(2) - net.W, net.b)
    for law in found:
        np.testing.assert_allclose(law.mean, mean, rtol=1e-9)
    errors = [law.details["covariance_standard_error"] for law in found]
    z = (found[0].covariance - found[1].covariance) / np.hypot(*errors)
    assert np.all(np.abs(z) < BOUND)


def test_standard_errors_are_honest():
    """Over 60 seeds: z² of the mean and of the covariance lie within the tails of 1e-6."""
    case = next(case for case in NOISE_CASES if case.name == "coloured inside")
    laws = [solve(case.net, case.noise, steps=300, rng=seed) for seed in range(60)]
    z = np.array([deviations(law, case) for law in laws])
    assert np.all(np.sum(z**2, axis=0) > 20)
    assert np.all(np.sum(z**2, axis=0) < 145)
    assert np.all(np.abs(z.mean(axis=0)) < BOUND / np.sqrt(60))


def test_without_a_fourth_moment_there_is_no_standard_error_of_the_covariance():
    net = CTRNN.single(0.9, 0.1, "relu", 0.5)
    heavy = solve(net, Noise(0.1, gain_outside=0.6), steps=500)
    assert "fourth moment of the state is infinite" in heavy.message
    assert np.all(np.isnan(heavy.details["covariance_standard_error"]))
    assert np.all(np.isfinite(heavy.standard_error))
    light = solve(net, Noise(0.1, gain_outside=0.1), steps=500)
    assert light.message == ""
    assert np.all(np.isfinite(light.details["covariance_standard_error"]))


def test_multiplicative_and_coloured_noise_inside_one_neuron():
    net, noise = CTRNN.single(-0.7, 0.3, "tanh", 0.3), Noise(0.6, gain_inside=0.5, rho_inside=0.7)
    law = solve(net, noise, steps=2000)
    assert law.message == ""
    assert np.all(law.details["variance_reduction"] > 5)
    deviation = law.mean - law.details["plain_mean"]
    assert np.all(np.abs(deviation) < BOUND * law.details["plain_standard_error"])
    V, plain = law.covariance, law.details["plain_covariance"]
    assert np.all(np.abs(np.diag(V - plain)) < BOUND * law.details["variance_standard_error"])
    assert not np.array_equal(V, plain)


def test_antithetic_pairs_of_every_kind():
    net = CTRNN([[0.3, -0.6], [0.5, 0.3]], [0.4, 0.3], ["tanh", "relu"], 0.3, form="voltage")
    noise = Noise(0.3, 0.2, 0.0, 0.2, rho_inside=0.5, rho_outside=0.5, keep=0.9)
    pairs, plain = (solve(net, noise, steps=2000, rng=4, antithetic=a) for a in (True, False))
    assert np.all(np.abs(pairs.mean - plain.mean) < BOUND * np.hypot(pairs.standard_error, plain.standard_error))
    loose = [solve(net, noise, steps=2000, rng=4, antithetic=a, control_variate=False) for a in (True, False)]
    assert np.all(loose[0].standard_error < 0.5 * loose[1].standard_error)


GAINS = st.one_of(st.just(0.0), st.floats(0.1, 0.6), st.lists(st.floats(0.0, 0.6), min_size=2, max_size=2))
RHOS = st.one_of(st.just(0.0), st.floats(0.1, 0.95), st.lists(st.floats(0.0, 0.95), min_size=2, max_size=2))


@st.composite
def models(draw):
    """A network of two neurons under noise of any kinds."""
    weights = st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=2)
    names = st.sampled_from(["relu", "tanh", "softplus", "erf"])
    net = CTRNN(
        [draw(weights), draw(weights)],
        draw(weights),
        draw(st.one_of(names, st.tuples(names, names).map(list))),
        draw(st.one_of(st.floats(0.1, 1.0), st.lists(st.floats(0.1, 1.0), min_size=2, max_size=2))),
        form=draw(st.sampled_from(["rate", "voltage"])),
    )
    noise = Noise(
        draw(st.one_of(GAINS, st.just([[0.5, 0.0], [0.0, 0.3]]))),
        draw(st.one_of(GAINS, st.just([[0.3, 0.1], [0.0, 0.4]]))),
        draw(st.one_of(GAINS, st.just([[0.3], [0.4]]))),
        draw(st.one_of(GAINS, st.just([[0.3], [0.2]]))),
        draw(RHOS),
        draw(RHOS),
        draw(st.sampled_from([0.0, 0.4])),
        draw(st.sampled_from([1.0, 0.7])),
    )
    return net, noise


def surprises(net, noise, table=None):
    """Means over a step of what it brings beyond its conditional mean and second moments, in standard errors."""
    made = Ensemble(net, noise, net.drive(), None, 128 * LANES, 1)
    made.tabulate(np.full(2, -2.0), np.full(2, 2.0), made.taken.separate)
    if table is not None:
        table(made)
    made.advance(10)
    before, after = (made.measure(1, 1, np.zeros(2)) for _ in range(2))
    scale = np.append(net.gammas, np.ones(made.taken.size - 2))
    first = after.first - before.first - scale * before.residual
    found = [first, (after.cross - before.ahead).reshape(len(after.cross), -1)] if before.ahead.size else [first]
    z = []
    for values in found:
        error, rounding = standard_error(values), 1e-9
        z.append(np.abs(values.mean(axis=0)) / np.maximum(error, rounding))
    return np.concatenate(z)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(models())
def test_a_step_has_the_mean_and_covariance_that_are_expected_of_it(model):
    assert np.all(surprises(*model) < BOUND)


def wrong_gain(made):
    made.taken.R = 4.0 * made.taken.R


def wrong_sharing(made):
    made.taken.whole = replace(made.taken.whole, shared=0.0 * made.taken.whole.shared)


def wrong_feeds(made):
    made.taken.dynamics = made.dynamics._replace(feeds=np.zeros((2, 0)))


@pytest.mark.parametrize(
    ("noise", "table"),
    [
        (Noise(0.3, 0.2, gain_outside=0.5), wrong_gain),
        (Noise(0.8, rho_inside=0.5), wrong_sharing),
        (Noise(0.8, rho_outside=0.5), wrong_feeds),
    ],
)
def test_negative_control_of_steps(noise, table):
    net = CTRNN([[0.3, -0.6], [0.5, 0.3]], [0.4, 0.3], "tanh", 0.5)
    assert np.any(surprises(net, replace(noise, outside=0.5), table) > BOUND)
    assert np.all(surprises(net, replace(noise, outside=0.5)) < BOUND)


def test_the_size_of_the_state():
    """Sources without effect are left out."""
    net = CTRNN(np.zeros((2, 2)), 0.0, "tanh", 0.5)
    noise = Noise([0.0, 0.5], 0.3, rho_inside=0.5, rho_outside=[0.0, 0.9])
    assert Ensemble(net, noise, net.drive()).taken.size == Augmented.of(net, noise).size == 4
