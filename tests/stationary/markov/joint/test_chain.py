"""Neurons together with their sources: linear networks in closed form, and equivalences to other operators."""

from dataclasses import replace

import numpy as np
import pytest

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import exact
from ctrnn_theory.stationary.markov.joint.chain import law_of, solve_joint
from ctrnn_theory.stationary.markov.joint.moments import moments_after
from ctrnn_theory.stationary.markov.joint.operator import rows
from ctrnn_theory.stationary.markov.joint.pilot import advance
from ctrnn_theory.stationary.markov.joint.step import JointStep
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.support.errors import NotApplicable
from tests.linear_noise import linear_moments

W = np.array([[0.3, -0.6], [0.5, 0.3]])
FORMS = ("rate", "voltage")
ONE = [
    Noise(inside=0.5, rho_inside=0.6),
    Noise(outside=0.5, rho_outside=0.6, keep=0.7),
    Noise(inside=[[0.3, 0.4]], rho_inside=[0.7, 0.0], gain_inside=0.2, outside=0.2),
]
TWO = [
    Noise(inside=[0.3, 0.5], outside=[0.1, 0.2]),
    Noise(inside=[[0.3], [0.5]], outside=[0.1, 0.2]),
    Noise(gain_inside=[[0.3], [0.2]], outside=[[0.1, 0.2], [0.2, -0.1]]),
    Noise(inside=0.2, gain_outside=[[0.3], [0.2]]),
    Noise(keep=0.8, inside=0.3, common_gain_outside=0.1),
]


def agree(law, mean, covariance, of_both=0.0):
    """Whether a law has these moments, of an error of their own, within the error that it reports."""
    error = law.details["error"] + of_both
    assert law.converged, law.message
    assert np.max(np.abs(law.mean - mean)) <= error[0] + 1e-12
    assert np.max(np.abs(law.covariance - covariance)) <= error[1] + 1e-12


@pytest.mark.parametrize("noise", ONE, ids=repr)
@pytest.mark.parametrize("form", FORMS)
def test_a_linear_neuron_with_coloured_noise(form, noise):
    net = CTRNN([[0.5]], 0.3, "identity", 0.2, form=form)
    law = exact.solve(net, noise, tolerance=1e-6)
    agree(law, *linear_moments(net, noise))
    assert law.rate == pytest.approx(law.mean, abs=1e-7)


@pytest.mark.parametrize("noise", TWO, ids=repr)
@pytest.mark.parametrize("form", FORMS)
def test_two_linear_neurons_that_differ(form, noise):
    net = CTRNN(W, [0.3, 0.1], "identity", [0.2, 0.5], form=form)
    agree(exact.solve(net, noise, tolerance=1e-6), *linear_moments(net, noise))


def test_two_linear_neurons_with_one_source():
    net, noise = CTRNN(W, [0.3, 0.1], "identity", 0.5), Noise(outside=[[0.5], [0.2]], rho_outside=0.5)
    law = exact.solve(net, noise, tolerance=1e-6)
    mean, covariance = linear_moments(net, noise)
    assert law.mean == pytest.approx(mean, abs=1e-6)
    assert law.covariance == pytest.approx(covariance, abs=1e-6)


@pytest.mark.parametrize("noise", [Noise(inside=0.5), Noise(inside=[0.3, 0.6], outside=[0.2, 0.1])], ids=repr)
def test_white_additive_noise_as_the_operator_of_several_neurons_has_it(noise):
    net = CTRNN(W, [0.4, -0.2], "tanh", 0.3)
    law = law_of(*solve_joint(JointStep.of(net, noise, None), np.zeros(2), 1e-9), 1e-8)
    other = exact.solve(net, noise)
    agree(law, other.mean, other.covariance, other.details["error"])


def test_a_voltage_network_under_noise_inside_is_a_rate_network():
    rate, noise = CTRNN(W, [0.4, -0.2], "relu", 0.3), Noise(inside=0.5)
    law, other = exact.solve(replace(rate, form="voltage"), noise), exact.solve(rate, noise)
    assert law.converged
    assert law.mean == pytest.approx(W @ other.mean + rate.b, abs=1e-8)
    assert law.covariance == pytest.approx(W @ other.covariance @ W.T, abs=1e-8)


@pytest.mark.parametrize("f", ["tanh", "softplus"])
def test_white_noise_outside_in_voltage_form_is_coloured_noise_inside_in_rate_form(f):
    """v = W h + b + x with ρ = 1 - γ: one operator has one dimension, the other two."""
    gamma, sigma, w, b = 0.4, 0.6, -0.7, 0.3
    voltage = exact.solve(CTRNN([[w]], b, f, gamma, form="voltage"), Noise(outside=sigma))
    source = Noise(inside=np.sqrt(gamma / (2.0 - gamma)) * sigma, rho_inside=1.0 - gamma)
    rate = exact.solve(CTRNN([[w]], b, f, gamma), source)
    assert rate.converged
    assert w * rate.mean + b == pytest.approx(voltage.mean, abs=1e-8)
    assert rate.mean == pytest.approx(voltage.rate, abs=1e-8)


def test_colour_that_vanishes_is_white():
    net = CTRNN.single(-0.7, 0.3, "tanh", 0.3)
    white = exact.solve(net, Noise(inside=0.6))
    coloured = exact.solve(net, Noise(inside=0.6, rho_inside=1e-7))
    assert coloured.mean == pytest.approx(white.mean, abs=1e-6)
    assert abs(exact.solve(net, Noise(inside=0.6, rho_inside=0.1)).mean - white.mean) > 1e-4


EVERYTHING = Noise(
    inside=[0.3, 0.2],
    outside=[[0.2], [0.1]],
    rho_outside=0.5,
    gain_inside=0.2,
    gain_outside=0.3,
    keep=[0.8, 1.0],
)


@pytest.mark.parametrize("form", FORMS)
def test_moments_of_one_step_of_the_operator_the_formula_and_a_sample(form):
    net = CTRNN(W, [0.3, 0.1], ["relu", "tanh"], [0.2, 0.5], form=form)
    step = JointStep.of(net, EVERYTHING, None)
    low, high = np.full(3, -6.0), np.full(3, 6.0)
    step, states = step.with_breaks(low, high), np.array([[0.4, -0.3, 0.5], [-0.1, 0.2, -1.0]])
    found = rows(step, ChebyshevGrid(low, high, (8, 8, 8)), states, 16)
    mean, variance = moments_after(step, states)
    assert found.mean == pytest.approx(mean, abs=1e-11)
    known = ~np.isnan(variance)
    assert found.variance[known] == pytest.approx(variance[known], abs=1e-11)
    count = 200_000
    for state, m, V in zip(states, found.mean, found.variance, strict=True):
        sample = advance(step, np.tile(state, (count, 1)), np.random.default_rng(5))
        assert np.all(np.abs(sample.mean(0) - m) <= 5.0 * np.sqrt(V / count))
        fourth = np.mean((sample - m) ** 4, axis=0)
        assert np.all(np.abs(sample.var(0) - V) <= 5.0 * np.sqrt(fourth / count))


def test_what_is_too_much_is_refused():
    net = CTRNN(W, 0.1, "tanh", 0.3)
    with pytest.raises(NotApplicable, match="neurons and 2 sources"):
        exact.solve(net, Noise(inside=0.3, rho_inside=0.5))
    shared = np.ones((2, 1)) * 0.1
    with pytest.raises(NotApplicable, match="there are 3"):
        exact.solve(net, Noise(inside=shared, outside=shared, gain_inside=shared))
