"""Pieces and kinks are found from the expression."""

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.symbolic.parse import x
from ctrnn_theory.activations.symbolic.roots import real_roots

FOUND = [
    # text, breakpoints, (value jump, slope jump) at the kinks
    ("Abs(x)", [0], [(0, 2)]),
    ("Abs(Abs(x) - 1)", [-1, 0, 1], [(0, 2), (0, -2), (0, 2)]),
    ("sqrt(x**2)", [0], [(0, 2)]),
    ("sign(x)", [0], [(2, 0)]),
    ("Heaviside(x - 0.1)*x", [0.1], [(0.1, 1)]),
    ("Heaviside(Abs(x) - 1)", [-1, 1], [(-1, 0), (1, 0)]),
    ("Heaviside(Heaviside(x))", [0], [(0.5, 0)]),  # the step of zero is a half
    ("Max(0, x**2 - 2)", [-math.sqrt(2), math.sqrt(2)], [(0, 2 * math.sqrt(2))] * 2),
    ("Max(x, exp(-x))", [0.5671432904097838], [(0, 1.5671432904097838)]),  # the omega constant
    ("Max(-x, 0, x - 1)", [0, 1], [(0, 1), (0, 1)]),
    ("Min(1, Max(x, 0))", [0, 1], [(0, 1), (0, -1)]),
    ("Max(0, tanh(x/10000) - 0.5)", [5493.061443340548], [(0, 0.75e-4)]),
    ("Abs(tanh(x)**3)", [0], []),  # x³ and -x³ at zero: the third derivative jumps
    ("Abs(x**3 - 3*x + 1)", np.sort(2 * np.cos(2 * np.pi * np.array([1, 2, 4]) / 9)), None),
    ("Piecewise((0, x < -1), (x, (x >= -1) & (x < 2)), (5, True))", [-1, 2], [(-1, 1), (3, -1)]),
    ("Piecewise((1, -1 < x <= 1), (0, True))", [-1, 1], [(1, 0), (-1, 0)]),
    ("Piecewise((1, (x < -1) | (x > 1)), (0, True))", [-1, 1], [(-1, 0), (1, 0)]),
    ("Piecewise((0, x <= 0), (1, log(x) < 1), (2, True))", [0, math.e], [(1, 0), (1, 0)]),
    ("Piecewise((1, 1/x > 0), (0, True))", [0], [(1, 0)]),
    ("Piecewise((0, x < 1/3), ((x - 1/3)**1.5, True))", [1 / 3], []),
    ("Abs(x)**2", [], []),
    ("Max(0, x) + Min(0, x)", [], []),
    ("Piecewise((x, x < 1), (x, True))", [], []),
    ("Max(1, tanh(x))", [], []),
    ("Max(0, x**3)", [0], []),
    ("softplus(Abs(x))", [0], [(0, 1)]),
    ("Abs(x)*Abs(x)*x", [], []),
    ("Abs(x)*x", [0], []),
]


@pytest.mark.parametrize(("text", "breakpoints", "jumps"), FOUND, ids=[case[0] for case in FOUND])
def test_found(text, breakpoints, jumps):
    act = activation(text)
    # roots are known to 50 digits; the few units in the last place are those of the expected numbers here
    np.testing.assert_allclose(act.breakpoints, breakpoints, rtol=1e-15, atol=1e-15)
    if jumps is not None:
        assert len(act.kinks) == len(jumps)
        np.testing.assert_allclose(
            [kink[1:] for kink in act.kinks] or np.zeros((0, 2)), np.reshape(jumps, (-1, 2)), rtol=1e-14
        )


@pytest.mark.parametrize("text", ["relu", "hardtanh", "Abs(Abs(x) - 1)", "Max(0, sin(x))", "tanh"])
def test_pieces_are_contiguous_and_agree_with_the_function(text):
    act = activation(text)
    assert act.pieces[0].lower == -math.inf
    assert act.pieces[-1].upper == math.inf
    assert all(left.upper == right.lower for left, right in zip(act.pieces[:-1], act.pieces[1:], strict=True))
    at = np.random.default_rng(1).uniform(-120, 120, 400)
    for piece in act.pieces:
        inside = at[(at > piece.lower) & (at < piece.upper)]
        np.testing.assert_allclose(piece.value(inside), act(inside), rtol=1e-13, atol=1e-13)


def test_endless_kinks():
    act = activation("Abs(sin(x))")
    expected = np.pi * np.arange(-31, 32)
    np.testing.assert_allclose(act.breakpoints, expected, rtol=1e-15)
    np.testing.assert_allclose([kink.slope_jump for kink in act.kinks], 2.0, rtol=1e-14)
    far = np.linspace(-1000, 1000, 999)  # values and slopes beyond the listed kinks
    np.testing.assert_allclose(act(far), np.abs(np.sin(far)), atol=1e-15)
    np.testing.assert_allclose(act.derivative(far), np.cos(far) * np.sign(np.sin(far)), atol=1e-12)


def test_polynomials():
    assert [piece.polynomial for piece in activation("Max(0, x)**2").pieces] == [(0.0,), (0.0, 0.0, 1.0)]
    assert activation("(x + 1)**2 - x**2").pieces[0].polynomial == (1.0, 2.0)
    assert activation("sqrt(2)*x + pi").pieces[0].polynomial == (math.pi, math.sqrt(2))
    assert activation("tanh").pieces[0].polynomial is None
    assert activation("x**17/1e20").pieces[0].polynomial is None
    assert [p.polynomial for p in activation("retanh").pieces] == [(0.0,), None]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-300, 300), min_size=1, max_size=6, unique=True),
    st.lists(st.sampled_from([-3, -2, -1, 1, 2, 5]), min_size=6, max_size=6),
    st.sampled_from(["relu({})", "Max(0, {})", "(Abs({0}) + ({0}))/2", "Piecewise((0, {0} < 0), ({0}, True))"]),
)
def test_kinks_of_random_piecewise_linear_functions(hundredths, sizes, ramp):
    knots = sorted(k / 100 for k in hundredths)
    jumps = dict(zip(knots, sizes, strict=False))
    act = activation(
        "0.3*x - 1" + "".join(f" + {jump}*" + ramp.format(f"(x - {knot})") for knot, jump in jumps.items())
    )
    assert act.breakpoints == tuple(knots)
    assert [kink.location for kink in act.kinks] == knots
    # the slope jumps are exact, and so are the values at the knots that are continuous: no jump of rounding size
    assert [kink.slope_jump for kink in act.kinks] == [jumps[knot] for knot in knots]
    assert {kink.value_jump for kink in act.kinks} == {0.0}
    assert act.piecewise_linear
    at = np.linspace(-5, 5, 101)
    expected = 0.3 * at - 1 + sum(jump * np.maximum(at - knot, 0) for knot, jump in jumps.items())
    np.testing.assert_allclose(act(at), expected, rtol=1e-13, atol=1e-13)  # sums of at most 7 terms below 50


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(-40, 40), min_size=1, max_size=4, unique=True), st.sampled_from(["x", "sinh(x/4)", "x**3 + x"])
)
def test_random_roots(quarters, inner):
    """The roots of a product of g(x) - g(r) are the r, whether g is a polynomial or not."""
    roots = sorted(q / 4 for q in quarters)
    g = {"x": x, "sinh(x/4)": sp.sinh(x / 4), "x**3 + x": x**3 + x}[inner]
    product = sp.Mul(*[g - g.subs(x, sp.Rational(q, 4)) for q in sorted(quarters)])
    with mpmath.workdps(50):
        found = real_roots(sp.expand(product)).points
        assert [float(r) for r in found] == roots


def test_touching_roots():
    assert real_roots(sp.cos(x) - 1).points == ()
    assert [float(r) for r in real_roots(1 - sp.exp(-((x - 1) ** 2)), touching=True).points] == [1.0]
