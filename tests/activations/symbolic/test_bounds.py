"""Bounds over intervals hold at points inside, and converge to the function as the interval shrinks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.library import BUILTIN
from ctrnn_theory.activations.symbolic.bounds import bounds

OWN = ("x/(1 + x**2)", "exp(-x**2)", "Abs(sin(x))", "x*sin(x)", "2**x/(1 + x**2)", "(1 + x**2)**(-3/2)", "x**3 - x**2")
OWN += ("Piecewise((sin(x), x < 1), (cos(2*x)**3, x > 3), (exp(-x), True))", "atan(x)/(2 + cos(x))", "asinh(sinh(x)/4)")


@given(
    text=st.sampled_from([*BUILTIN, *OWN]),
    low=st.floats(-30, 30),
    width=st.floats(-9, 1.5).map(lambda p: 10.0**p),
    order=st.sampled_from([0, 1, 2]),
)
def test_values_lie_within(text, low, width, order):
    f = activation(text)
    points = low + width * np.linspace(0.0, 1.0, 50)
    lower, upper = bounds(f, np.array([low]), points[-1:], order)
    values = f.derivative(points, order)
    rounding = 1e-14 * (1.0 + np.abs(values))
    assert np.all(lower - rounding <= values)
    assert np.all(values <= upper + rounding)


@given(
    text=st.sampled_from([name for name in BUILTIN if name != "gelu"]),
    low=st.floats(-6, 6),
    width=st.floats(-6, 1).map(lambda p: 10.0**p),
    s=st.sampled_from([0.05, 0.7, 4.0]),
    order=st.sampled_from([0, 1, 2]),
)
def test_values_of_the_smoothing_lie_within(text, low, width, s, order):
    f = activation(text)
    points = low + width * np.linspace(0.0, 1.0, 20)
    lower, upper = bounds(f, np.array([low]), points[-1:], order, s)
    values = f.smoothed(points, s, order)
    rounding = 1e-12 * (1.0 + np.abs(values)) / s**order
    assert np.all(lower - rounding <= values)
    assert np.all(values <= upper + rounding)


@pytest.mark.parametrize("text", ["tanh", "gelu", "sin", "x/(1 + x**2)", "exp(-x**2)"])
def test_bounds_close_in(text):
    f, low = activation(text), np.linspace(-3.0, 3.0, 41)
    for order in (0, 1):
        gaps = []
        for width in (1e-2, 1e-3, 1e-4):
            lower, upper = bounds(f, low, low + width, order)
            gaps.append(np.max(upper - lower))
        assert gaps[1] < 0.2 * gaps[0]
        assert gaps[2] < 0.2 * gaps[1]


def test_jumps_and_kinks():
    lower, upper = bounds(activation("step"), np.array([-1.0, 0.5]), np.array([1.0, 2.0]), 1)
    assert upper[0] == np.inf
    assert np.all(np.abs([*lower, upper[1]]) < 1e-300)
    lower, upper = bounds(activation("relu"), np.array(-np.inf), np.array(np.inf), 1)
    np.testing.assert_allclose([lower, upper], [0.0, 1.0], atol=1e-14)
    lower, upper = bounds(activation("smoothed(relu, 0.5)"), np.array(-1.0), np.array(1.0), 1)
    assert 0.0 <= lower < 0.03 < 0.97 < upper < 1.1
