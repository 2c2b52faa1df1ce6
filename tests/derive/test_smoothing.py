import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ctrnn_theory import activation
from ctrnn_theory.activations.gaussian.closed_forms import SMOOTHED, PiecewisePolynomial
from ctrnn_theory.derive.smoothing import a as mean
from ctrnn_theory.derive.smoothing import describe, expectation, smoothing, x
from ctrnn_theory.derive.smoothing import s as width

CLOSED = ("identity", "relu", "leaky_relu", "relu2", "elu", "gelu", "hardtanh", "erf", "probit", "sin", "step")
MORE = (
    "x*cos(2*x + 1)",
    "exp(x/2)",
    "exp(-x**2)",
    "x*exp(-x**2/2)",
    "exp(-(x - 1)**2/3 + x/5)",
    "Max(0, x)**3 - Max(0, x - 1/3)",
    "x**4 - x",
    "sinh(x/2) + 2**x",
    "exp(x)*erf(2 - x/2)",
    "x**2*erf(x)",
    "erfc(x - 1)",
    "Max(0, 1 - exp(-x))",
    "Piecewise((exp(x)*x, x < 0.7), (x**2 - 0.3, True))",
    "Piecewise((1, x < -1), (x*exp(-x**2), x < 2), (0, True))",
)
REFUSED = (
    "tanh",
    "sigmoid",
    "softplus",
    "silu",
    "retanh",
    "sqrt(1 + x**2)",
    "Max(0, erf(x))",
    "Abs(sin(x))",
    "erf(x)**2",
)


def values(expression, a, s):
    return sp.lambdify(sp.symbols("a s"), expression, modules=["scipy", "numpy"])(a, s) + 0.0 * a


def points(seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-4, 4, 200), np.exp(rng.uniform(np.log(0.1), np.log(3), 200))


@pytest.mark.parametrize("name", CLOSED)
def test_it_is_the_closed_form_that_numbers_come_from(name):
    act = activation(name)
    assert name in SMOOTHED or PiecewisePolynomial.of(act)
    a, s = points()
    np.testing.assert_allclose(values(smoothing(name), a, s), act.smoothed(a, s), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MORE)
def test_other_expressions_agree_with_quadrature(name):
    act, (a, s) = activation(name), points(1)
    a, s = a[:60] / 2, np.minimum(s[:60], 2.0)
    np.testing.assert_allclose(values(smoothing(name), a, s), act.smoothed(a, s), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", [*CLOSED, *MORE[:4], *MORE[8:10]])
def test_it_solves_the_heat_equation_from_f(name):
    # with the values at s = 0 this is a proof: the bounded solution of the heat equation is unique
    F = smoothing(name)
    a, s = sp.symbols("a s")
    assert sp.simplify(sp.diff(F, s) - s * sp.diff(F, a, 2)) == 0
    at = np.array([-2.3, -1.2, -0.4, 0.3, 0.9, 2.1])
    np.testing.assert_allclose(values(F, at, 1e-9), activation(name)(at), rtol=1e-7, atol=1e-7)


def test_a_wrong_formula_does_not_solve_it():
    a, s = sp.symbols("a s")
    F = smoothing("relu") + s / 100
    assert sp.simplify(sp.diff(F, s) - s * sp.diff(F, a, 2)) != 0


@settings(max_examples=12)
@given(
    n=st.integers(0, 4),
    q=st.sampled_from([0, -1, sp.Rational(-1, 3)]),
    r=st.sampled_from([0, 1, sp.Rational(-3, 2)]),
    lower=st.sampled_from([-sp.oo, sp.Rational(-1, 2), 1]),
    upper=st.sampled_from([sp.oo, 2]),
    a=st.floats(-2, 2),
    s=st.floats(0.2, 2),
)
def test_one_term_against_an_integral(n, q, r, lower, upper, a, s):
    g = x**n * sp.exp(q * x**2 + r * x)
    value = expectation(g, lower, upper).subs({mean: a, width: s})
    ends = [max(float(lower), a - 14 * s - 14 * s * s), min(float(upper), a + 14 * s + 14 * s * s)]
    assume(ends[0] < ends[1])
    nodes, weights = np.polynomial.legendre.leggauss(400)
    half = (ends[1] - ends[0]) / 2
    at = ends[0] + half * (1 + nodes)
    integrand = at**n * np.exp(float(q) * at**2 + float(r) * at - ((at - a) / s) ** 2 / 2) / (s * np.sqrt(2 * np.pi))
    expected = half * np.sum(weights * integrand)
    assert complex(value) == pytest.approx(expected, rel=1e-9, abs=1e-10)


def test_result_is_in_the_shared_symbols_and_prints():
    F = describe("elu")
    assert {str(symbol) for symbol in F.symbols} == {"a", "s"}
    assert smoothing("x").subs("a", 2) == 2
    assert "erfc" in F.text()
    assert r"\operatorname{erfc}" in F.latex()


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_with_the_term(name):
    with pytest.raises(
        ValueError, match=r"^activation must be made of terms whose Gaussian integral is known, and .* is not"
    ):
        smoothing(name)


def test_it_refuses_what_has_no_expectation_for_wide_noise():
    with pytest.raises(ValueError, match="wide noise"):
        expectation(sp.exp(x**2))
