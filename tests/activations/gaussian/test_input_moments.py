"""Moments of single inputs agree with those of the activation, and with 30 digits."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian import input_moments as module
from ctrnn_theory.activations.gaussian.input_moments import input_moments, multiplied_moments
from ctrnn_theory.activations.gaussian.multiplied import Argument, gained_moments

SMOOTH = ("tanh", "softplus", "sigmoid", "gelu", "sin", "erf", "x**2", "x")
KINKED = ("relu", "step", "hardtanh", "Max(x - 0.3, 0.2*x)", "elu")


@given(st.sampled_from((*SMOOTH, *KINKED)), st.floats(-3.0, 3.0), st.floats(0.01, 3.0))
def test_moments_are_those_of_the_activation(name, a, s):
    f, a, s = activation(name), np.array([a]), np.array([s])
    at = input_moments(f, a, s, 3)
    std = np.sqrt(f.smoothed_variance(a, s))
    scale = np.abs(f(a)) + std
    np.testing.assert_allclose(at.value, f.smoothed(a, s), rtol=0, atol=1e-12 * scale[0])
    np.testing.assert_allclose(np.sqrt(at.variance), std, rtol=0, atol=1e-11 * scale[0])
    for k in range(3):
        expected = f.smoothed(a, s, k + 1)
        np.testing.assert_allclose(
            at.derivatives[k] * s ** (k + 1), expected * s ** (k + 1), rtol=1e-11, atol=1e-12 * scale[0]
        )


@pytest.mark.parametrize(
    ("name", "function"), [("tanh", mpmath.tanh), ("softplus", lambda x: mpmath.log1p(mpmath.e**x))]
)
def test_moments_of_thirty_digits(name, function):
    a, s = 0.7, 1.9
    with mpmath.workdps(30):

        def mean(weight):
            return float(
                mpmath.quad(lambda z: weight(z) * function(a + s * z) * mpmath.npdf(z), mpmath.linspace(-12, 12, 13))
            )

        F, second, third = mean(lambda z: 1), mean(lambda z: z**2 - 1), mean(lambda z: z**3 - 3 * z)
        v = float(mpmath.quad(lambda z: (function(a + s * z) - F) ** 2 * mpmath.npdf(z), mpmath.linspace(-12, 12, 13)))
    at = input_moments(activation(name), np.array([a]), np.array([s]), 3)
    found = [at.value[0], at.variance[0], at.derivatives[1, 0], at.derivatives[2, 0]]
    np.testing.assert_allclose(found, [F, v, second / s**2, third / s**3], rtol=1e-13)


def test_without_noise_the_value_is_that_of_f():
    a = np.linspace(-2.0, 2.0, 5)
    for name in (*SMOOTH, "relu"):
        at = input_moments(activation(name), a, np.zeros(5), 2)
        np.testing.assert_allclose(at.value, activation(name)(a), rtol=1e-15)
        assert not at.variance.any()
        assert not at.derivatives.any()


def test_a_step_that_is_too_wide_is_noticed(monkeypatch):
    """Inputs of very different widths, one of which needs the finest rule and one none of them."""
    f, a, s = activation("tanh"), np.zeros(3), np.array([0.1, 6.0, 300.0])
    at = input_moments(f, a + 0.4, s, 2)
    np.testing.assert_allclose(at.variance, f.smoothed_variance(a + 0.4, s), rtol=1e-11)
    monkeypatch.setattr(module, "HALF", 1e9)  # any rule is taken for good
    wrong = input_moments(f, a + 0.4, s, 2)
    assert np.abs(wrong.variance / at.variance - 1.0).max() > 1e-3


@given(st.sampled_from(["tanh", "relu"]), st.floats(-1.0, 1.0), st.floats(0.05, 1.0), st.floats(0.1, 0.8))
def test_multiplied_moments_are_those_of_the_closure(name, a, own, gain):
    f, one = activation(name), np.ones(1)
    at, latent = multiplied_moments(f, a * one, own * one, 0.3 * one, gain * one, 2)
    matrix = np.ones((1, 1, 1))
    x = Argument(a * np.ones((1, 1)), np.zeros((1, 1)), own * matrix, 0 * matrix, 0.09 * matrix, gain**2 * matrix)
    known = gained_moments(f, x)
    np.testing.assert_allclose(at.value, known.value[0], rtol=1e-13)
    np.testing.assert_allclose(at.derivatives[0], known.slope[0, 0], rtol=1e-13)
    np.testing.assert_allclose(at.variance, known.covariance[0, 0], rtol=1e-13)
    assert latent <= at.variance
    h = 1e-3  # the second derivative by differences of the first
    up, down = (multiplied_moments(f, (a + d) * one, own * one, 0.3 * one, gain * one, 1)[0] for d in (h, -h))
    slope = (up.derivatives[0] - down.derivatives[0]) / (2 * h)
    np.testing.assert_allclose(at.derivatives[1], slope, rtol=0, atol=1e-5)
