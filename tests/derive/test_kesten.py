"""Formulas for random multipliers: the differential equation, moments by hand, and the numbers of numerics/."""

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.derive import derivation, random_multiplier
from ctrnn_theory.derive.kesten import QUANTITIES, absolute_moments, describe, mean_logarithm, p, z
from ctrnn_theory.numerics.half_moments import Piece, log_moment
from ctrnn_theory.numerics.kesten import log_absolute_moment, lyapunov_exponent, tail_exponent
from ctrnn_theory.numerics.neuron_tail import neuron_tail_exponent

NEURON = {"w": 0.8, "gamma": 0.3, "d": 1.0, "g": 0.5}
neurons = st.fixed_dictionaries(
    {"w": st.floats(0.1, 2), "gamma": st.floats(0.05, 1), "d": st.floats(-1, 1), "g": st.floats(0.3, 2)}
).filter(lambda v: abs(v["d"]) > 0.05)


def multiplier(values):
    moved = values["gamma"] * values["w"] * values["d"]
    return 1 - values["gamma"] + moved, abs(moved) * values["g"]


@pytest.mark.parametrize("order", range(7))
def test_moments_of_integer_order_are_polynomials(order):
    """E (z + ξ)ⁿ, as even moment or as odd one."""
    x = sp.Symbol("x")
    powers = sp.Poly(sp.expand((z + x) ** order), x).terms()
    expected = sum(c * sp.factorial2(k - 1) for (k,), c in powers if k % 2 == 0)
    found = absolute_moments()[order % 2].subs(p, order)
    assert sp.simplify(sp.hyperexpand(found) - expected) == 0


@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("order", [0.3, 1.7, 4.2])
def test_moments_solve_the_equation(order, parity):
    """M'' + z M' = p M."""
    moment = absolute_moments()[parity].subs(p, order)
    residual = sp.diff(moment, z, 2) + z * sp.diff(moment, z) - order * moment
    for at in (0.3, 1.9, -2.4):
        assert abs(residual.subs(z, at).evalf(30)) < 1e-12


def test_the_mean_logarithm_is_the_derivative_in_p():
    at = sp.Rational(7, 5)
    small = sp.Rational(1, 10**12)
    slope = (absolute_moments()[0].subs({z: at, p: small}).evalf(40) - 1) / small
    assert abs(mean_logarithm().subs(z, at).evalf(40) - slope) < 1e-11


@settings(deadline=None, max_examples=30)
@given(values=neurons, order=st.floats(0, 12))
def test_formulas_are_the_numbers(values, order):
    """What is printed, compiled, is what the numeric functions give by quadrature."""
    mean, std = multiplier(values)
    if abs(mean / std) > 20:
        return  # Kummer's function of a large negative argument
    moment = describe("moment").lambdified(*values, "p")(*values.values(), order)
    assert math.log(moment) == pytest.approx(log_absolute_moment(mean, std, order), rel=1e-10, abs=1e-10)
    growth = describe("growth").lambdified(*values)(*values.values())
    assert growth == pytest.approx(lyapunov_exponent(mean, std), rel=1e-10, abs=1e-10)
    half = describe("half_moment").lambdified(*values, "p")(*values.values(), order)
    expected = math.exp(log_moment((Piece(mean, std),), order))
    assert half == pytest.approx(expected, rel=1e-10, abs=1e-12 * moment)


@pytest.mark.parametrize(
    ("w", "gamma", "g", "known"), [(0.5, 0.1, 0.5, 165.0), (0.8, 0.3, 0.5, 9.5), (0.9, 0.5, 1.0, 1.43)]
)
def test_the_exponent_solves_the_equation(w, gamma, g, known):
    values = {"w": w, "gamma": gamma, "d": 1.0, "g": g}
    exponent = tail_exponent(*multiplier(values))
    assert exponent == pytest.approx(known, rel=6e-3)
    equation = describe("tail").explicit
    assert isinstance(equation, sp.Equality)
    assert float(equation.rhs.subs(values | {"kappa": exponent}).evalf(30)) == pytest.approx(1.0, abs=1e-10)


def test_dropout():
    values = {"w": 0.8, "gamma": 0.3, "d": 1.0, "keep": 0.5}
    exponent = neuron_tail_exponent(0.8, 0.3, keep=0.5)
    assert float(describe("dropout").explicit.rhs.subs(values | {"kappa": exponent})) == pytest.approx(1.0, abs=1e-12)


def test_weak_noise():
    """The error falls as ε² if log m does: z² log m is held at -1/2, so that κ is near 2."""
    errors = []
    for small in (0.1, 0.05, 0.025):
        mean = math.exp(-0.5 * small**2)
        formula = describe("weak").expression.subs({"m": mean, "z": 1 / small})
        errors.append(abs(float(formula) - tail_exponent(mean, mean * small)))
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2.0, atol=0.05)


def test_the_site_makes_no_difference_on_a_straight_stretch():
    for quantity in QUANTITIES:
        assert describe(quantity, "inside").explicit == describe(quantity, "outside").explicit


def test_printing_and_bad_arguments():
    text = derivation("kesten_tail", site="outside").text()
    assert text.startswith(
        "1 = 2**(kappa/2)*s**kappa*gamma(1/2 + kappa/2)*hyper((-kappa/2,), (1/2,), -z**2/2)/sqrt(pi)"
    )
    assert "  s = g*gamma*Abs(d*w)\n" in text
    assert r"\lambda = " in derivation("kesten_growth").latex()
    assert random_multiplier("growth").subs(NEURON).evalf() == pytest.approx(lyapunov_exponent(*multiplier(NEURON)))
    with pytest.raises(ValueError, match="quantity must be one of moment, half_moment, "):
        random_multiplier("median")
    with pytest.raises(ValueError, match='site must be "inside" or "outside"'):
        random_multiplier("moment", "left")
