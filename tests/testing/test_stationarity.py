"""The check of a stationary law passes right laws and finds wrong ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.testing import activations, assert_stationary, networks, noises
from tests.reference_cases import REFERENCE_CASES


def of(case):
    return CTRNN.single(case.w, case.b, case.activation, case.gamma), Noise(**{case.site: case.sigma})


@pytest.mark.parametrize("case", REFERENCE_CASES, ids=lambda case: case.name)
def test_exact_law_by_quadrature(case):
    net, noise = of(case)
    law = predict(net, noise, method="exact")
    assert max(abs(identity.deviation) for identity in assert_stationary(law, net, noise)) < 1e-10
    with pytest.raises(AssertionError, match=r"the law \(exact\) is not stationary: \d of 11"):
        assert_stationary(law, net, Noise(**{case.site: case.sigma * (1 + 1e-6)}))
    for wrong in (replace(law, mean=law.mean + 1e-7), replace(law, covariance=law.covariance + 1e-7)):
        with pytest.raises(AssertionError, match="1 of 11"):
            assert_stationary(wrong, net, noise)


@pytest.mark.parametrize("case", [REFERENCE_CASES[k] for k in (0, 3, 4, 9)], ids=lambda case: case.name)
def test_mean_and_covariance_alone(case):
    net, noise = of(case)
    law = replace(predict(net, noise, method="exact"), details={})
    mean, _ = assert_stationary(law, net, noise)
    assert mean.allowed < 0.02
    for wrong in (
        replace(law, mean=law.mean + 2 * mean.allowed * law.std),
        replace(law, covariance=1.15 * law.covariance),
        replace(law, covariance=0.85 * law.covariance),
    ):
        with pytest.raises(AssertionError, match="not stationary"):
            assert_stationary(wrong, net, noise)
    assert_stationary(wrong, net, noise, tolerance=0.2)


def test_states_of_a_simulation():
    net = CTRNN([[0.2, -0.8], [0.8, 0.1]], [0.3, 0.1], "tanh", 0.3)
    noise = Noise(inside=[[0.4], [0.4]], outside=0.1)
    law = predict(net, noise, method="simulation", trajectories=4096, steps=200, rng=3)
    assert len(assert_stationary(law, net, noise)) == 9 + 5
    states, std = law.details["final_states"], law.std
    assert len(assert_stationary(states, net, noise)) == 9
    z = (states - law.mean) / std
    for wrong in (  # mean, spread, correlation, shape
        states + 0.2 * std,
        law.mean + 1.2 * z * std,
        np.stack([states[:, 0], states[::-1, 1]], axis=1),
        law.mean + np.sign(z) * std,
    ):
        with pytest.raises(AssertionError, match="the states are not stationary"):
            assert_stationary(wrong, net, noise)
    for other in (Noise(inside=[[0.48], [0.48]], outside=0.1), Noise(inside=0.4, outside=0.1)):
        with pytest.raises(AssertionError, match="not stationary"):
            assert_stationary(states, net, other)


def test_states_of_another_convention_of_noise():
    """A simulation that scales its noise with √Δt, as for an Itô equation, taken for noise per step."""
    net, rng, h = CTRNN.single(-0.5, 0.2, "tanh", 0.1), np.random.default_rng(2), np.zeros((1000, 1))
    for _ in range(300):
        h = h + 0.1 * (np.tanh(net.preactivation(h)) - h) + math.sqrt(0.1) * 0.3 * rng.standard_normal(h.shape)
    with pytest.raises(AssertionError, match="not stationary"):
        assert_stationary(h, net, Noise(outside=0.3))
    assert_stationary(h, net, Noise.from_white(0.3, 0.1, "outside"))


@settings(max_examples=20)
@given(networks(activations=["identity", "x/2 + 1"]), st.data())
def test_affine_networks_to_rounding(net, data):
    noise = data.draw(noises(net.n))
    law = predict(net, noise, method="gaussian_closure")
    assert max(identity.allowed for identity in assert_stationary(law, net, noise)) < 2e-8
    shift = 1e-6 * np.max(law.std)
    with pytest.raises(AssertionError, match="not stationary"):
        assert_stationary(replace(law, mean=law.mean + shift), net, noise)


@settings(max_examples=15)
@given(networks(1, activations=activations(lipschitz=True)), noises())
def test_exact_law_of_any_neuron_is_stationary(net, noise):
    """Two parts of the package that know nothing of each other: collocation, and quadrature of the step."""
    law = predict(net, noise, method="exact")
    if law.std[0] > 1e-6:
        assert_stationary(law, net, noise)


def test_input_is_passed_on():
    net = CTRNN([[0.5]], [0.1], "relu", W_in=[[1.0]])
    law = predict(net, Noise(inside=0.5), [0.7], method="exact")
    assert_stationary(law, net, Noise(inside=0.5), [0.7])
    with pytest.raises(AssertionError, match="not stationary"):
        assert_stationary(law, net, Noise(inside=0.5), [0.6])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.array([np.nan, 0.0])}, "mean and covariance must be finite"),
        ({"covariance": np.diag([1.0, -1.0])}, "without negative eigenvalues"),
        ({"covariance": np.array([[1.0, 0.5], [0.1, 1.0]])}, "must be symmetric"),
    ],
)
def test_what_is_no_law(change, message):
    net, noise = CTRNN(np.eye(2) / 2, 0.1, "tanh"), Noise(inside=0.3)
    with pytest.raises(AssertionError, match=message):
        assert_stationary(replace(predict(net, noise), **change), net, noise)


@pytest.mark.parametrize(
    ("law", "net", "noise", "message"),
    [
        (np.zeros((100, 2)), CTRNN.single(0.5), Noise(inside=1.0), r"states of shape \(M, 1\)"),
        (np.zeros((9, 1)), CTRNN.single(0.5), Noise(inside=1.0), "M at least 64"),
        (np.ones((99, 1)), CTRNN.single(0.5), Noise(), "noise must make the state fluctuate"),
        (np.ones((99, 1)), CTRNN.single(0.9999, 1.0, "identity"), Noise(inside=1.0), "net must relax within"),
    ],
)
def test_stationarity_refuses(law, net, noise, message):
    with pytest.raises(ValueError, match=message):
        assert_stationary(law, net, noise)
