"""The check of a formula for the noise-induced bias passes right formulas and finds wrong ones."""

import numpy as np
import pytest
from hypothesis import given, settings

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.testing import assert_bias_formula, networks, noises


def order_two(net, noise, factor=1.0):
    """The textbook formula, typed here once more: k (σ_in² + w² V) / (2 (1 - w d)), times a factor."""
    f, w, g = net.activation, float(net.W[0, 0]), net.gamma
    a = net.preactivation(predict(net, noise, method="deterministic").mean)[0]
    d, k = f.derivative(a), f.derivative(a, 2)
    V = g * (d**2 * noise.inside**2 + noise.outside**2) / ((1 - w * d) * (2 - g * (1 - w * d)))
    return factor * k * (noise.inside**2 + w**2 * V) / (2 * (1 - w * d))


CASES = [
    (CTRNN.single(-1.0, 0.2, "softplus", 0.2), Noise(inside=0.5)),
    (CTRNN.single(0.8, 0.5, "tanh", 0.1), Noise(outside=0.5)),
    (CTRNN.single(1.5, -0.3, "sigmoid", 0.5), Noise(inside=0.3, outside=0.4)),
]
case = pytest.mark.parametrize(("net", "noise"), CASES, ids=["softplus", "tanh", "sigmoid"])


@case
def test_right_formula_passes(net, noise):
    found = assert_bias_formula(order_two, net, noise)
    assert found.order == pytest.approx(4.0, abs=0.1)
    assert not found.is_exact
    assert np.all(np.abs(found.error) > 25 * found.accuracy)


@case
@pytest.mark.parametrize("factor", [-1.0, 0.5, 1.0001, 1.00001])
def test_formula_with_a_wrong_factor_fails(net, noise, factor):
    with pytest.raises(AssertionError, match=r"the error falls as σ\^[12]\.\d\d, and that of a formula of order 2"):
        assert_bias_formula(lambda net, noise: order_two(net, noise, factor), net, noise)


@case
def test_formula_that_lacks_a_term_fails(net, noise):
    def without_recurrent_noise(net, noise):
        f, a = net.activation, net.preactivation(predict(net, noise, method="deterministic").mean)
        return f.derivative(a, 2) * (noise.inside**2 + 0.01 * noise.outside**2) / 2

    with pytest.raises(AssertionError, match="must fall at least as σ\\^4"):
        assert_bias_formula(without_recurrent_noise, net, noise)


def test_order_claimed_is_order_asked():
    net, noise = CASES[0]
    assert assert_bias_formula(lambda net, noise: 0.0, net, noise, order=0).order == pytest.approx(2.0, abs=0.1)
    with pytest.raises(AssertionError, match="order 4 must fall at least as σ\\^6"):
        assert_bias_formula(order_two, net, noise, order=4)


@given(networks(1, activations=["softplus", "tanh", "sigmoid", "gelu"]), noises(least=0.2))
@settings(max_examples=5)
def test_right_formula_passes_for_any_network(net, noise):
    scalar = Noise(inside=noise.std("inside", 1)[0], outside=noise.std("outside", 1)[0])
    assert_bias_formula(order_two, net, scalar)


def test_exact_formula_is_said_to_be_exact():
    net, noise = CTRNN.single(0.0, 0.3, "relu", 0.2), Noise(inside=0.8)
    smoothing = assert_bias_formula(lambda net, z: net.activation.smoothed(0.3, z.inside) - 0.3, net, noise, order=8)
    assert smoothing.is_exact
    linear = assert_bias_formula(lambda net, z: 0.0, CTRNN.single(0.5, 0.3, "identity"), Noise(inside=1.0), order=8)
    assert linear.is_exact
    assert "difference" in str(linear)


def test_on_a_kink_one_power_more_is_asked():
    """elu at 0, w = 0: F(0; σ) = σ/√(2π) + e^(σ²/2) Φ(-σ) - 1/2 = σ²/4 - ..., and odd powers follow."""
    net, noise = CTRNN.single(0.0, 0.0, "elu"), Noise(inside=0.5)
    assert assert_bias_formula(lambda net, z: z.inside**2 / 4, net, noise).order == pytest.approx(3.0, abs=0.1)
    with pytest.raises(AssertionError, match=r"σ\^2\.0"):
        assert_bias_formula(lambda net, z: z.inside**2 / 3.999, net, noise)


def test_iterated_formula_states_its_precision():
    def closure(net, noise):
        return [predict(net, noise, method=m).mean[0] for m in ("gaussian_closure", "deterministic")] @ np.array(
            [1, -1]
        )

    assert assert_bias_formula(closure, *CASES[0], precision=1e-11).order > 3.7


def test_a_formula_under_multiplicative_noise_alone():
    """Without recurrence noise outside moves no mean, and dropout is noise too."""
    for noise in (Noise.dropout(0.8), Noise(gain_outside=0.2)):
        assert assert_bias_formula(lambda net, noise: 0.0, CTRNN.single(0.0, 0.2, "tanh"), noise).is_exact


def test_what_a_formula_may_return():
    for value in (np.nan, [1.0, 2.0]):
        with pytest.raises(AssertionError, match="the formula must return one finite number"):
            assert_bias_formula(lambda net, noise, value=value: value, *CASES[0])


@pytest.mark.parametrize(
    ("net", "noise", "message"),
    [
        (CTRNN(np.eye(2) / 2, 0.0), Noise(inside=0.1), "net must have one neuron"),
        (CTRNN.single(0.5), Noise(), "noise must be above 0 inside or outside the activation; got none"),
        (CTRNN.single(-30.0, 1.0, "tanh", 0.5), Noise(inside=0.1), "net must settle to a fixed point from zero"),
    ],
)
def test_bias_formula_refuses(net, noise, message):
    with pytest.raises(ValueError, match=message):
        assert_bias_formula(lambda net, noise: 0.0, net, noise)
