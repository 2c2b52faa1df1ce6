"""Hermite coefficients of activations by closed forms and the fixed rule, against derivatives and panels."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian import quadrature
from ctrnn_theory.activations.gaussian.hermite_coefficients import (
    has_rule,
    has_variance_rule,
    projected,
    rule_table,
    rule_variance,
)
from ctrnn_theory.activations.gaussian.hermite_series import hermite_table, panel_nodes, resolved_edges

STAIRS = "Piecewise((-x/2, x < 1/3), (1 + 2*x, True)) + Max(x + 1, 0)"
means, widths = st.floats(-4.0, 4.0), st.floats(1e-3, 2.5)


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "hardtanh", "step", STAIRS, "identity", "tanh", "softplus", "gelu"]
)
@given(means, st.floats(0.1, 3.0))
def test_coefficients_are_derivatives_of_the_smoothing(name, m, s):
    """cₙ = sⁿ F⁽ⁿ⁾/√n!, to the accuracy of the derivatives."""
    f = activation(name)
    table = hermite_table(f, np.array([m]), np.array([s]), 0.6)
    for n in range(1, 7):
        expected = s**n * float(f.smoothed(m, s, n)) / math.sqrt(math.factorial(n))
        found = table.coefficients[n - 1, 0] if n <= len(table.coefficients) else 0.0
        assert found == pytest.approx(expected, abs=1e-12 * (1.0 + s)), n


@pytest.mark.parametrize(("z", "n"), [(0.7, 9), (-2.5, 40), (6.0, 120), (0.0, 300)])
def test_high_orders_of_a_step_against_mpmath(z, n):
    """φ(z) hₙ₋₁(-z)/√n."""
    with mp.workdps(60):
        h = (
            mp.mpf(2) ** (-mp.mpf(n - 1) / 2)
            * mp.hermite(n - 1, -mp.mpf(z) / mp.sqrt(2))
            / mp.sqrt(mp.factorial(n - 1))
        )
        expected = float(mp.npdf(z) * h / mp.sqrt(n))
    table = hermite_table(activation("step"), np.array([z]), np.array([1.0]), 0.91)
    assert table.coefficients[n - 1, 0] == pytest.approx(expected, rel=1e-11, abs=1e-16)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "silu"])
@given(means, widths)
def test_fixed_rule_against_panels(name, m, s):
    """A hundred orders, on nodes that the rule does not know; some widths lie at the border of a step's range."""
    f, m, s = activation(name), np.array([m, m]), np.array([s, min(s, 0.625)])
    xi, weight = panel_nodes(resolved_edges(f, m, s))
    slope = s[:, None] * f.derivative(m[:, None] + s[:, None] * xi, 1)
    expected = projected(xi, weight * slope, 100)
    assert has_rule(name, s).all()
    found = rule_table(name, m, s, 100).coefficients
    size = np.sqrt(np.sum(weight * slope**2, axis=1))
    np.testing.assert_allclose(found, expected[: len(found)], rtol=0.0, atol=2e-14 * np.max(size))
    np.testing.assert_allclose(expected[len(found) :], 0.0, atol=2e-14 * np.max(size))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "silu"])
@given(means, st.floats(1e-8, 1.25))
def test_variance_by_the_rule_keeps_its_relative_accuracy(name, m, s):
    f, m, s = activation(name), np.array([m]), np.array([s])
    assert has_variance_rule(name, s).all()
    np.testing.assert_allclose(rule_variance(name, m, s), quadrature.variance(f, m, s), rtol=1e-12)


def test_no_rule_for_other_functions_or_wide_noise():
    assert not has_rule("gelu", np.array([0.1])).any()
    assert has_rule("tanh", np.array([2.5, 2.6])).tolist() == [True, False]
    assert has_rule("softplus", np.array([5.0, 5.1])).tolist() == [True, False]


def test_tables_of_narrow_and_wide_inputs_together():
    """One input by the fixed rule and one on panels, and kinks that lie far apart and close together."""
    for name, widths in (("tanh", [0.3, 4.0]), ("hardtanh", [1.0, 1e4])):
        f, m, s = activation(name), np.array([0.2, 0.5]), np.array(widths)
        both = hermite_table(f, m, s, 0.8)
        for k in range(2):
            alone = hermite_table(f, m[k : k + 1], s[k : k + 1], 0.8).coefficients
            np.testing.assert_allclose(both.coefficients[: len(alone), k], alone[:, 0], rtol=0.0, atol=1e-14)
