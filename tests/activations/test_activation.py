"""Values, derivatives, the block function, and an activation as an object."""

import inspect
import math
import os
import pickle
import re
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from ctrnn_theory.activations import BUILTIN, activation
from ctrnn_theory.activations.symbolic.evaluate import mpmath_function
from ctrnn_theory.activations.symbolic.parse import CONSTANTS, FUNCTIONS, parse

USER = [
    "Abs(sin(x))",
    "Piecewise((0, x < -1), (x**3 + 1, x < 1), (2*sin(x), True))",
    "x*exp(-x**2)",
    "x/(1 + abs(x))",
    "log(1 + x**2)",
    "log(1 + exp(2*x))/2",
    "log(exp(3*x) + 2*exp(-x))",
    "1/(3 + exp(x))",
    "exp(x)/(1 + exp(x))**2",
    "(exp(x) - exp(-x))/(exp(2*x) + 3)",
    "sinh(x)/cosh(x)**2",
    "atan(2*x)",
    "asinh(x)",
    "relu(x - 1) - 2*relu(x + 0.3)",
    "sign(x)*sqrt(Abs(x) + 1)",
    "max(0, x)**1.5",
    "1 - erf(2*x)",
    "x*(2 - erfc(x))",
    "x**5/1e4 - 0.3*x + 7",
    "2**(-x**2)",
    "Piecewise((1, x < 0), (2, True))**(-2)",
    "1e20*x/(1e20 + x**2)",
]
SMOOTH = ["gelu", "silu", "softplus", "sigmoid", "tanh", "erf", "probit", "sin", "log(1 + exp(2*x))/2", "x*exp(-x**2)"]
SMOOTH += ["atan(2*x)", "sinh(x)/cosh(x)**2", "exp(x)/(1 + exp(x))**2", "log(exp(3*x) + 2*exp(-x))"]


def exact(act, at, order=0):
    """Return the order-th derivative by mpmath, from differences of the elementary expression of the piece.

    With a step of 1e-20 their error is 1e-40 of the next derivative but one. The digits are for expressions such as
    2 - erfc(15) = 1e-99, and for what the differences lose, 80 at order 4.
    """
    with mpmath.workdps(220 if order else 400):
        piece = next(p for p in act.pieces if p.lower <= at < p.upper)
        return float(mpmath.diff(mpmath_function(piece.expression), mpmath.mpf(at), order, h=mpmath.mpf("1e-20")))


def rounding(act, at):
    """Return the error by 8 roundings of the value, of the argument, and of terms of order one of a user's sum."""
    with np.errstate(invalid="ignore"):
        size = np.abs(act(at)) + np.nan_to_num(np.abs(at * act.derivative(at))) + (act.text not in BUILTIN)
    return 8 * np.finfo(float).eps * size + 1e-300


@pytest.mark.parametrize("text", [*BUILTIN, *USER])
def test_value_against_mpmath(text):
    act = activation(text)
    at = np.array([-31.4, -7.3, -2.2, -0.77, -1e-3, 1e-9, 0.031, 0.62, 1.7, 4.4, 18.9])
    assert np.all(np.abs(act(at) - [exact(act, t) for t in at]) <= rounding(act, at))


@pytest.mark.parametrize("text", [*SMOOTH, "relu2", "elu", "retanh", "leaky_relu"])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_against_mpmath(text, order):
    act = activation(text)
    at = np.array([-21.0, -5.3, -1.9, -0.61, 0.043, 0.52, 2.1, 9.7])
    expected = np.array([exact(act, t, order) for t in at])
    # rounding of the argument, and of the terms of a derivative, which near its zeros are larger than the derivative
    # by about the next one
    scale = np.abs(expected) + (1 + np.abs(at)) * np.abs([exact(act, t, order + 1) for t in at])
    assert np.all(np.abs(act.derivative(at, order) - expected) <= 1e-14 * scale + 1e-100)


@pytest.mark.parametrize("text", SMOOTH)
def test_derivatives_in_the_tails_are_finite(text):
    act = activation(text)
    far = np.array([-1e5, -800.0, -300.0, 300.0, 800.0, 1e5])
    for order in range(6):
        values = act.derivative(far, order)
        assert np.all(np.isfinite(values) | (np.abs(far) > 700)), order
    if text in ("softplus", "silu", "tanh", "sigmoid", "gelu", "erf", "probit"):
        assert np.all(np.isfinite(act.derivative(far, 4)))


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "tanh", "silu"])
def test_tails_keep_their_digits(name):
    """Derivatives at ±30 are of the size e^-30 and precise relative to it, so that nothing cancels."""
    act = activation(name)
    for at in (-30.0, 30.0):
        for order in (2, 3):
            assert act.derivative(at, order) == pytest.approx(exact(act, at, order), rel=1e-11, abs=0)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SMOOTH), st.integers(0, 3), st.floats(-6, 6))
def test_derivative_orders_add(text, order, at):
    """A central difference of the n-th derivative is the (n+1)-th: error h²/6 of the (n+3)-th, plus rounding / h."""
    act, h = activation(text), 1e-4
    around = np.abs(act.derivative(at + h * np.arange(-2, 3), order + 3)).max()
    difference = (act.derivative(at + h, order) - act.derivative(at - h, order)) / (2 * h)
    rounding = 1e-14 * (1 + abs(at)) * 10**order / h
    assert abs(difference - act.derivative(at, order + 1)) <= h**2 / 6 * around * 1.1 + rounding


@settings(max_examples=60, deadline=None)
@given(st.floats(-50, 50), st.integers(0, 4))
def test_reflections(at, order):
    sign = (-1) ** order
    close = {"rel": 1e-12, "abs": 1e-13}  # a derivative is a sum of terms of up to 50, and has zeros
    for name in ("tanh", "erf", "sin", "hardtanh", "identity"):  # odd
        act = activation(name)
        assert act.derivative(-at, order) == pytest.approx(-sign * act.derivative(at, order), **close)
    for name in ("sigmoid", "probit", "step"):  # f(-x) = 1 - f(x)
        act = activation(name)
        assert act.derivative(-at, order) == pytest.approx((order == 0) - sign * act.derivative(at, order), **close)
    for name in ("relu", "softplus", "gelu", "silu"):  # f(x) - f(-x) = x
        act = activation(name)
        odd = act.derivative(at, order) - sign * act.derivative(-at, order)
        assert odd == pytest.approx([at, 1.0][order] if order < 2 else 0.0, **close)


def test_breakpoints_take_the_middle():
    assert activation("step")(0.0) == 0.5
    assert activation("step")(-0.0) == 0.5
    assert activation("relu").derivative(0.0) == 0.5
    assert activation("relu2").derivative(0.0, 2) == 1.0
    assert activation("leaky_relu").derivative(0.0) == pytest.approx(0.505)
    assert activation("hardtanh").derivative([-1.0, 1.0]) == pytest.approx([0.5, 0.5])
    assert activation("elu").derivative(0.0, 2) == 0.5
    assert activation("Piecewise((1, x < 2), (4, True))")(2.0) == 2.5
    assert activation("Piecewise((1, x <= 2), (4, True))")(2.0) == 2.5


@pytest.mark.parametrize("text", [*BUILTIN, *USER])
def test_block_equals_the_function(text):
    act = activation(text)
    at = np.concatenate(
        [np.linspace(-30, 30, 3001), np.array([0.0, -0.0, 1e-300, -1e-9, 1e-9, 50.0, -50.0]), act.breakpoints]
    )
    lanes = at.copy()
    act.block(lanes)
    assert np.all(np.abs(lanes - act(at)) <= rounding(act, at))


@pytest.mark.parametrize("text", [*BUILTIN, *USER])
def test_nan_and_infinity(text):
    act = activation(text)
    lanes = np.array([math.nan, 0.3, math.nan])
    assert list(np.isnan(act(lanes))) == [True, False, True]
    assert not np.isnan(act.derivative(lanes)[1])
    act.block(lanes)
    assert list(np.isnan(lanes)) == [True, False, True]
    ends = np.array([-math.inf, math.inf])
    act(ends)  # without a warning
    act.derivative(ends)


def test_bounded_functions_at_infinity():
    for name, ends in {
        "tanh": (-1, 1),
        "sigmoid": (0, 1),
        "probit": (0, 1),
        "step": (0, 1),
        "softplus": (0, math.inf),
    }.items():
        act = activation(name)
        lanes = np.array([-math.inf, math.inf, -1e4, 1e4])
        expected = np.array([*ends, ends[0], min(ends[1], 1e4)], dtype=float)
        np.testing.assert_array_equal(act(lanes), expected)
        act.block(lanes)
        np.testing.assert_array_equal(lanes, expected)


def test_primitives_over_the_whole_range_of_exp():
    from ctrnn_theory.numerics.vector_math import primitives

    u = np.concatenate(
        [np.linspace(-707.9, 709.78, 20_001), np.geomspace(1e-300, 1, 301), -np.geomspace(1e-300, 1, 301)]
    )
    with np.errstate(under="ignore"):
        expected = {
            "exp": np.exp(u),
            "expm1": np.expm1(u),
            "tangent": np.tanh(u),
            "logistic": special.expit(u),
            "softplus": np.logaddexp(0, u),
        }
    for name, values in expected.items():
        function = getattr(primitives, name)
        ours = np.array([function(t) for t in u])
        # 2 units in the last place each (what libm and SciPy state for theirs, and 1e-15 for these)
        np.testing.assert_allclose(ours, values, rtol=1e-15 + 2 * np.finfo(float).eps, atol=2.3e-308, err_msg=name)
        assert math.isnan(function(math.nan))
    assert primitives.exp(709.79) == primitives.expm1(709.79) == math.inf
    assert primitives.exp(-709.0) == 0.0  # where exp leaves the normal numbers
    assert math.copysign(1, primitives.tangent(-0.0)) == -1


def test_block_without_the_compiler_and_import_without_numba():
    code = """
import sys
import ctrnn_theory.activations as a
assert "numba" not in sys.modules
import numpy as np
for name in ("tanh", "softplus", "elu", "sigmoid", "hardtanh", "step"):
    act = a.activation(name)
    at = np.linspace(-9, 9, 37)
    lanes = at.copy()
    act.block(lanes)
    np.testing.assert_allclose(lanes, act(at), rtol=1e-14, atol=1e-300)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"})


def test_shapes():
    act = activation("relu")
    assert isinstance(act(1.5), np.float64)
    assert isinstance(act.derivative(0.0), np.float64)
    assert isinstance(activation("5")(1.5), np.float64)
    assert activation("5")(np.zeros((2, 3))).shape == (2, 3)
    assert act(np.zeros((2, 0, 3))).shape == (2, 0, 3)
    assert act.derivative([[1, -1]]).tolist() == [[1.0, 0.0]]
    for order in (-1, 1.5, "1"):
        with pytest.raises(ValueError, match="order must be an integer of at least 0; got"):
            act.derivative(0.0, order)


def test_an_activation_is_its_text():
    act = activation("log(exp(2*x) + 1)/2")
    assert pickle.loads(pickle.dumps(act)) == act
    assert {act: 1}[activation(act.text)] == 1
    assert act != activation("relu")
    assert activation(act) is act
    assert repr(activation("relu")) == "Activation('relu')"
    assert str(activation("relu").name) == "relu"
    with pytest.raises(AttributeError):
        act.text = "relu"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("softplus", [0.0]),
        ("tanh", [-0.6584789484624084, 0.6584789484624084]),  # tanh² = 1/3
        ("sigmoid", [-1.3169578969248166, 1.3169578969248166]),
        ("erf", [-math.sqrt(0.5), math.sqrt(0.5)]),
        ("gelu", [-2.0, 0.0, 2.0]),
        ("sin", [math.pi * (k + 0.5) for k in range(-6, 6)]),
        ("relu", [0.0]),
        ("elu", [0.0]),  # no kink: the second derivative jumps
        ("hardtanh", [-1.0, 1.0]),
        ("identity", []),
        ("x**2", []),
    ],
)
def test_nonlinearities(text, expected):
    np.testing.assert_allclose(activation(text).nonlinearities, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("text", "slopes"),
    [
        ("identity", (1, 1)),
        ("relu", (0, 1)),
        ("leaky_relu", (0.01, 1)),
        ("relu2", (0, math.inf)),
        ("softplus", (0, 1)),
        ("gelu", (0, 1)),
        ("tanh", (0, 0)),
        ("sin", (0, 0)),
        ("step", (0, 0)),
        ("x**2", (-math.inf, math.inf)),
        ("sqrt(1 + x**2)", (-1, 1)),
        ("log(1 + x**2)", (0, 0)),
        ("x*log(1 + x**2)", (math.inf, math.inf)),
        ("exp(x)", (0, math.inf)),
        ("x*atan(x)", (-math.pi / 2, math.pi / 2)),
        ("Max(0, sin(x))", (0, 0)),
        ("0.3*x + sin(x)", (0.3, 0.3)),
    ],
)
def test_limit_slopes(text, slopes):
    assert activation(text).limit_slopes == pytest.approx(slopes, rel=1e-12)


@pytest.mark.parametrize(
    "symbol",
    [
        sp.Dummy("q"),
        sp.Dummy(),
        sp.Dummy("q", positive=True),
        sp.Symbol("v"),
        sp.Symbol("v", real=True),
        sp.Symbol("v", positive=True),
        sp.Symbol("λ_1"),
        sp.Symbol("sin"),
    ],
    ids=repr,
)
def test_a_sympy_expression_may_be_in_any_symbol(symbol):
    assert activation(sp.tanh(symbol)) == activation("tanh")
    assert activation(sp.Max(0, symbol - sp.Rational(1, 10))) == activation("Max(0, x - 0.1)")
    assert activation(sp.Piecewise((0, symbol < 1), (symbol - 1, True))) == activation(
        "Piecewise((0, x < 1), (x - 1, True))"
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            sp.Dummy("a") * sp.Symbol("b"),
            "must be an expression in one symbol, and this has _a, b; got ",
        ),
        (sp.Dummy("a") + sp.Dummy("a"), "must be an expression in one symbol, and this has _a, _a; got "),
        (sp.Symbol("z", imaginary=True) ** 2, "must be an expression in a real symbol, and z is not real; got "),
        (sp.tanh, "must be a name, an expression in x, or a SymPy expression; got 'tanh'"),
        (sp.Symbol("x") > 0, "must be a name, an expression in x, or a SymPy expression; got 'x > 0'"),
        (sp.Matrix([sp.Symbol("x")]), "must be a name, an expression in x, or a SymPy expression; got "),
        (sp.Function("g")(sp.Dummy("x")), "must use known names only .*; got 'g'"),
        (sp.tan(sp.Dummy("x")), "must use known names only .*; got 'tan'"),
    ],
    ids=str,
)
def test_what_sympy_has_and_activations_have_not_is_refused_by_name(spec, message):
    with pytest.raises(ValueError, match=f"^activation {message}"):
        activation(spec)


def test_the_documentation_lists_the_functions_that_can_be_used():
    """The docstring lists every name that parses, and no other."""
    text = inspect.getdoc(activation).partition("Parameters")[0]
    named = {word for span in re.findall(r"``([^`]*)``", text) for word in re.findall(r"[A-Za-z]+", span)}
    functions, constants = set(FUNCTIONS), set(CONSTANTS)
    assert functions | constants | {"Piecewise", "smoothed", "powerlaw"} <= named
    assert named - functions - constants <= {
        "Piecewise",
        "smoothed",
        "powerlaw",
        "x",
        *"fscgno",
        "value",
        "condition",
        "True",
        "relu",
    }
    for name, (_, arity) in FUNCTIONS.items():
        parse(f"{name}(x + 2)" if arity == 1 else f"{name}(x, 2)")


@pytest.mark.parametrize(
    ("text", "derivatives"),
    [
        ("powerlaw(1.5)", (0.0, math.inf, -math.inf)),
        ("Max(0, -x)**1.5", (0.0, math.inf, math.inf)),
        ("-0.5*Max(0, x - 0.3)**1.2", (0.0, -math.inf, math.inf)),
        ("Abs(x)**1.5", (0.0, math.inf, math.nan)),
        ("x*sqrt(Abs(x))", (0.0, math.nan, -math.inf)),
        ("powerlaw(2)", (0.0, 1.0, 0.0)),
        ("0.8*powerlaw(2.5)", (0.0, 0.0, math.inf)),
        ("Max(0, 1 - x)**2.5", (0.0, 0.0, -math.inf)),
        ("powerlaw(3)", (0.0, 0.0, 3.0)),
        ("powerlaw(pi)", (0.0, 0.0, 0.0)),
    ],
)
def test_derivatives_of_power_laws_at_their_threshold(text, derivatives):
    """The mean of the limits, which may be infinite, and is none if they are infinities of opposite sign."""
    f = activation(text)
    found = [f.derivative(f.breakpoints[0], order) for order in (1, 2, 3)]
    np.testing.assert_array_equal(found, derivatives)
    assert not f.kinks
    assert math.inf in np.abs(f.limit_slopes)


@pytest.mark.parametrize("n", ["0.5", "0", "-1", "x", "1, x", "", "17 - 16.5"])
def test_exponents_of_power_laws_are_at_least_one(n):
    with pytest.raises(ValueError, match="must give powerlaw one number of at least 1, as in powerlaw"):
        activation(f"powerlaw({n})")
    with pytest.raises(ValueError, match="finite value and slope"):
        activation("Max(0, x)**0.7")


def test_powerlaw_is_a_power_of_relu():
    assert activation("powerlaw(1)") == activation("relu")
    assert activation("powerlaw(2)") == activation("relu2")
    assert activation("0.8*powerlaw(1.5)") == activation("0.8*Max(0, x)**1.5")
    assert activation("powerlaw(65/2)").text == "Max(0, x)**(65/2)"


@pytest.mark.parametrize("n", [1.5, 2, 2.5, 3, 1.37, 7.25])
def test_compiled_power_laws(n):
    """x√x and products are as good as the library's power; exp(n log x) has an error of n |log x| roundings."""
    f = activation(f"powerlaw({n})")
    x = np.concatenate([-np.geomspace(1e-6, 1e6, 25), [-np.inf, np.nan, 0.0, np.inf], np.geomspace(1e-6, 1e6, 300)])
    lanes = x.copy()
    f.block(lanes)
    np.testing.assert_array_equal(np.isnan(lanes), np.isnan(x))
    np.testing.assert_allclose(lanes, np.where(np.isnan(x), np.nan, np.maximum(x, 0.0) ** n), rtol=2e-15 * n * 14)
