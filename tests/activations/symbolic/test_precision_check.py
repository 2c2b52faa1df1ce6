"""Values and derivatives from 1e-300 to 1e12 agree with mpmath's, or raise an error if double precision is too short.

The reference, of 60 digits, is written by hand for each function, or compiled by SymPy from the expression as typed.
The error allowed is 1e-9 (of the value, or absolute) and what 64 roundings of the argument make of the value.
"""

from functools import partial

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Divergence, Noise, predict
from ctrnn_theory.activations import activation
from ctrnn_theory.activations.symbolic.parse import parse, x
from ctrnn_theory.activations.symbolic.pieces import WITNESSES

mp = mpmath.mp.clone()
mp.dps = 60
FAR = (
    *(1e-300, 1e-20, 1e-7, 0.05, 0.5, 1.7, 6.1, 26.0, 80.0, 200.0),
    *(500.0, 705.0, 715.0, 800.0, 5e3, 1e5, 1e7, 1e10, 1e12),
)
AT = np.array([*(-t for t in reversed(FAR)), *FAR])
ROUNDING = 64 * 2.0**-53


def assert_right(values, truth, at=AT):
    """Assert that values are right where the truth is a float, and infinite where it is larger."""
    for t, value in zip(at.tolist(), values.tolist(), strict=True):
        exact = truth(mp.mpf(t))
        if abs(exact) > np.finfo(float).max:
            assert value == np.copysign(np.inf, float(mp.sign(exact))), (t, value)
            continue
        allowed = 1e-9 * (1 + abs(exact)) + ROUNDING * abs(t)
        if not abs(value - exact) <= allowed:
            moved = [truth(mp.mpf(t) * (1 + side * ROUNDING)) for side in (-1, -0.7, -0.4, 0.3, 0.6, 1)]
            allowed += 2 * max(abs(value - exact) for value in moved)
        assert abs(value - exact) <= allowed, (t, value, exact)


def logistic(t):
    return 1 / (1 + mp.exp(-t)) if t > 0 else mp.exp(t) / (1 + mp.exp(t))


def sech2(t):
    return 1 / mp.cosh(t) ** 2


FUNCTIONS = {  # the function, its slope and its curvature
    "log(cosh(x))": (lambda t: mp.log(mp.cosh(t)), mp.tanh, sech2),
    "log(sinh(x)**2 + 1)": (
        lambda t: 2 * mp.log(mp.cosh(t)),
        lambda t: 2 * mp.tanh(t),
        lambda t: 2 * sech2(t),
    ),
    "2*exp(x)/(2*exp(x) + 3)": (
        lambda t: logistic(t + mp.log(mp.mpf(2) / 3)),
        lambda t: logistic(t + mp.log(mp.mpf(2) / 3)) * logistic(-t - mp.log(mp.mpf(2) / 3)),
        None,
    ),
    "x*exp(-x**2)": (
        lambda t: t * mp.exp(-t * t),
        lambda t: (1 - 2 * t * t) * mp.exp(-t * t),
        lambda t: (4 * t**3 - 6 * t) * mp.exp(-t * t),
    ),
    "sqrt(x**2 + 1)": (
        lambda t: mp.sqrt(t * t + 1),
        lambda t: t / mp.sqrt(t * t + 1),
        lambda t: (t * t + 1) ** mp.mpf(-1.5),
    ),
    "x**3/(1 + x**2)": (
        lambda t: t**3 / (1 + t * t),
        lambda t: t * t * (t * t + 3) / (1 + t * t) ** 2,
        lambda t: 2 * t * (3 - t * t) / (1 + t * t) ** 3,
    ),
    "log(exp(x) + exp(2*x))": (
        lambda t: mp.log(mp.exp(t) + mp.exp(2 * t)),
        lambda t: 1 + logistic(t),
        lambda t: logistic(t) * logistic(-t),
    ),
    "log(1 + exp(x) + exp(2*x))": (
        lambda t: mp.log(1 + mp.exp(t) + mp.exp(2 * t)),
        lambda t: (mp.exp(t) + 2 * mp.exp(2 * t)) / (1 + mp.exp(t) + mp.exp(2 * t)),
        lambda t: (mp.exp(t) + 4 * mp.exp(2 * t) + mp.exp(3 * t)) / (1 + mp.exp(t) + mp.exp(2 * t)) ** 2,
    ),
    "x*tanh(log(1 + exp(x)))": (lambda t: t * mp.tanh(mp.log(1 + mp.exp(t))), None, None),
    "exp(-exp(-x))": (
        lambda t: mp.exp(-mp.exp(-t)) if t > -200 else mp.mpf(0),
        lambda t: mp.exp(-t - mp.exp(-t)) if t > -200 else mp.mpf(0),
        None,
    ),
    "x*cosh(x)/(1 + cosh(x))": (lambda t: t * mp.cosh(t) / (1 + mp.cosh(t)), None, None),
    "sinh(x)/(2 + cosh(x))": (
        lambda t: mp.sinh(t) / (2 + mp.cosh(t)),
        lambda t: (2 * mp.cosh(t) + 1) / (2 + mp.cosh(t)) ** 2,
        None,
    ),
    "x**2*exp(-x)*cosh(x)": (
        lambda t: t * t * (1 + mp.exp(-2 * t)) / 2,
        lambda t: t * (1 + mp.exp(-2 * t)) - t * t * mp.exp(-2 * t),
        lambda t: 1 + (1 - 4 * t + 2 * t * t) * mp.exp(-2 * t),
    ),
    "x**2*exp(-x)": (
        lambda t: t * t * mp.exp(-t),
        lambda t: (2 * t - t * t) * mp.exp(-t),
        lambda t: (2 - 4 * t + t * t) * mp.exp(-t),
    ),
    "tanh(log(cosh(x))/sqrt(1 + x**2))": (lambda t: mp.tanh(mp.log(mp.cosh(t)) / mp.sqrt(1 + t * t)), None, None),
    "x/(1 + log(cosh(x)))": (lambda t: t / (1 + mp.log(mp.cosh(t))), None, None),
    "log(cosh(x**2))": (lambda t: mp.log(mp.cosh(t * t)), lambda t: 2 * t * mp.tanh(t * t), None),
    "exp(x)": (mp.exp, mp.exp, mp.exp),
    "sqrt(cosh(x))": (lambda t: mp.sqrt(mp.cosh(t)), lambda t: mp.sinh(t) / mp.sqrt(mp.cosh(t)) / 2, None),
}


@pytest.mark.parametrize("text", FUNCTIONS)
def test_values_and_derivatives_are_right_near_and_far(text):
    f = activation(text)
    for order, truth in enumerate(FUNCTIONS[text]):
        if truth is not None:
            assert_right(f.derivative(AT, order), truth)


@pytest.mark.parametrize("text", ["log(cosh(x))", "sinh(x)/(2 + cosh(x))", "sqrt(cosh(x))"])
def test_compiled_functions_are_right_near_and_far(text):
    f, lanes = activation(text), AT.copy()
    f.block(lanes)
    assert_right(lanes, FUNCTIONS[text][0])
    ends = np.array([np.nan, 0.0])
    f.block(ends)
    assert np.isnan(ends[0])
    assert ends[1] == f(0.0)


def test_pieces_and_choices_go_far_too():
    f = activation("Max(log(cosh(x)) - 1, Min(x/10, 2))")

    def truth(t):
        return max(mp.log(mp.cosh(t)) - 1, min(t / 10, mp.mpf(2)))

    lanes = AT.copy()
    f.block(lanes)
    assert_right(lanes, truth)
    assert_right(f(AT), truth)
    assert f.limit_slopes == pytest.approx((-1.0, 1.0), rel=1e-15)


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("cosh(x) - sinh(x)", "value", "18.9"),
        ("log(x + sqrt(x**2 + 1))", "value", "-10000"),
        ("x*(sqrt(x**2 + 1) - x)", "value", "10000"),
        ("x**2*(1 - tanh(x)**2)*cosh(x)**2", "value", "9.37"),
        ("log(erfc(x))", "slope", r"1e\+09"),
        ("exp(exp(x))/(1 + exp(exp(x)))", "value", "345"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_the_point(text, what, at):
    with pytest.raises(ValueError, match=rf"^activation must be computable .*, and its {what} is not at x = {at}; got"):
        activation(text)


@pytest.mark.parametrize("site", ["inside", pytest.param("outside", marks=pytest.mark.slow)])
def test_overflow_within_is_no_divergence(site):
    net, noise = CTRNN.single(0.9, 100.0, "log(cosh(x))"), Noise(**{site: 0.5})
    fixed = (100.0 - np.log(2.0)) / 0.1  # there log cosh x is x - log 2 to rounding
    for method in ("deterministic", "mean_field", "small_noise", "gaussian_closure", "cumulant_closure", "exact"):
        law = predict(net, noise, method=method)
        assert law.converged
        assert law.mean[0] == pytest.approx(fixed, rel=1e-12)
    law = predict(net, noise, method="fokker_planck")
    assert law.mean[0] == pytest.approx(fixed, rel=1e-9)
    law = predict(net, noise, method="simulation", steps=200, trajectories=64)
    assert law.mean[0] == pytest.approx(fixed, rel=1e-9)


def test_growth_beyond_all_numbers_is_divergence():
    for method in ("deterministic", "gaussian_closure", "exact", "simulation"):
        with pytest.raises(Divergence):
            predict(CTRNN.single(2.0, 1.0, "exp(x)"), Noise(inside=0.1), method=method)


@pytest.mark.parametrize("a", [3.0, 700.0, 720.0, 1e5])
def test_smoothing_goes_far(a):
    f, s = activation("log(cosh(x))"), 0.7

    def moment(power):
        return mp.quad(lambda z: mp.log(mp.cosh(a + s * z)) ** power * mp.npdf(z), [-12, -6, -3, 0, 3, 6, 12])

    assert f.smoothed(a, s) == pytest.approx(float(moment(1)), rel=1e-11)
    assert f.smoothed_variance(a, s) == pytest.approx(float(moment(2) - moment(1) ** 2), rel=1e-9)
    slope = mp.quad(lambda z: mp.tanh(a + s * z) * mp.npdf(z), [-12, -6, -3, 0, 3, 6, 12])
    assert f.smoothed(a, s, 1) == pytest.approx(float(slope), rel=1e-11)


def trees(inner):
    pair = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(st.sampled_from(["exp", "cosh", "sinh", "tanh", "atan", "asinh", "erf", "sin"]), inner).map(
            lambda made: f"{made[0]}({made[1]})"
        ),
        inner.map(lambda u: f"log(1 + ({u})**2)"),
        inner.map(lambda u: f"sqrt(1 + ({u})**2)"),
        inner.map(lambda u: f"exp(-({u})**2)"),
        inner.map(lambda u: f"log(cosh({u}))"),
        pair.map(lambda made: f"({made[0]}) + ({made[1]})"),
        pair.map(lambda made: f"({made[0]}) - ({made[1]})"),
        pair.map(lambda made: f"({made[0]})*({made[1]})"),
        pair.map(lambda made: f"({made[0]})/(1 + ({made[1]})**2)"),
    )


EXPRESSIONS = st.recursive(st.sampled_from(["x", "2*x", "x/3", "x - 1", "-x"]), trees, max_leaves=4)
PLACES = st.lists(
    st.tuples(st.floats(-3.0, 12.0), st.sampled_from([-1.0, 1.0])).map(lambda made: made[1] * 10.0 ** made[0]),
    min_size=4,
    max_size=4,
)


def within(function, u):
    return function(u) if abs(u) < mpmath.mpf(10) ** 100 else 1 / mpmath.mpf(0)


def truth_of(text, order):
    """Return the expression as typed, with SymPy's derivative; None where it takes mpmath beyond e^(10^100)."""
    names = ("exp", "cosh", "sinh", "tanh", "erf", "sin", "cos")
    bounded = {name: partial(within, getattr(mpmath, name)) for name in names}
    return sp.lambdify(x, sp.diff(parse(text), x, order), [bounded, "mpmath"])


@given(text=EXPRESSIONS, at=PLACES)
def test_an_expression_is_right_or_refused(text, at):
    try:
        f = activation(text)
    except ValueError:
        return
    for order in (0, 1):
        exact = truth_of(text, order)

        def truth(t, exact=exact):
            with mpmath.workdps(60):
                return mpmath.re(exact(mpmath.mpf(t)))

        for t in at:
            try:
                if not mpmath.isfinite(truth(t)):
                    continue
            except ZeroDivisionError:  # beyond the range of the reference
                continue
            assert_right(np.array([f.derivative(t, order)]), truth, np.array([t]))


def test_the_points_looked_at_reach_far():
    assert min(map(abs, WITNESSES)) == 1e-300
    assert max(WITNESSES) == -min(WITNESSES) == 1e12


def test_a_polynomial_that_cancels_is_multiplied_out():
    f = activation("(x + 1)**2 - x**2")
    lanes = AT.copy()
    f.block(lanes)
    np.testing.assert_allclose(f(AT), 2 * AT + 1, rtol=1e-15)
    np.testing.assert_allclose(lanes, 2 * AT + 1, rtol=1e-15)
    assert activation("(x - 1)**8").form == activation("(x - 1)**8").expression
