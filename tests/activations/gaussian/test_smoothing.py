import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, owens_t

from ctrnn_theory.activations import BUILTIN, activation
from ctrnn_theory.activations.gaussian import logistic_family, quadrature
from ctrnn_theory.activations.gaussian.smoothing import smoothed, smoothed_variance
from ctrnn_theory.testing import activations, assert_smoothing
from tests.references import FUNCTIONS, builtin_reference, gaussian_reference, mp, sin_reference

USERS = {
    "tanh(5*x - 1)": (lambda x: mp.tanh(5 * x - 1), ()),
    "Max(0, tanh(x)) + x/10": (lambda x: max(mp.mpf(0), mp.tanh(x)) + x / 10, (0,)),
    "x/(1 + Abs(x))": (lambda x: x / (1 + abs(x)), (0,)),
    "sqrt(1 + x**2)": (lambda x: mp.sqrt(1 + x * x), ()),
    "x**3 - x": (lambda x: x**3 - x, ()),
    "Abs(Abs(x) - 1)": (lambda x: abs(abs(x) - 1), (-1, 0, 1)),
    "Piecewise((0, x < 0), (3*x**2 - 2*x**3, x < 1), (1, True))": (
        lambda x: mp.mpf(0) if x < 0 else 3 * x * x - 2 * x**3 if x < 1 else mp.mpf(1),
        (0, 1),
    ),
    "1000 + Heaviside(x - 1)*exp(-x)": (lambda x: 1000 + (mp.exp(-x) if x > 1 else 0), (1,)),
}
KINKED = {"relu": 1, "leaky_relu": 1, "relu2": 2, "elu": 2, "hardtanh": 1, "retanh": 1, "step": 0}
LIPSCHITZ = {name: 1.0 for name in BUILTIN if name not in ("relu2", "step")} | {"gelu": 1.13, "silu": 1.1, "erf": 1.13}
INCREASING = [name for name in BUILTIN if name not in ("gelu", "silu", "sin")]
CONVEX = ["identity", "relu", "leaky_relu", "relu2", "softplus", "Abs(x)", "x**2", "exp(x/4)", "Max(x/2, -x, x - 1)"]
ODD = ["identity", "tanh", "hardtanh", "erf", "sin"]
ALL = [*BUILTIN, *USERS]

point = st.tuples(st.floats(-40, 40), st.floats(-8, 2).map(lambda e: 10.0**e))
near = st.tuples(st.floats(-5, 5), st.floats(-1.3, 0.5).map(lambda e: 10.0**e))


def close(value, true, tolerance, scale=1.0):
    return abs(value - true) <= tolerance * max(1.0, abs(true), scale)


# Against mpmath --------------------------------------------------------------------------------------------


def check_point(name, a, s):
    """F and the variance are good to 1e-12, derivatives to 1e-11 of their size, which is J s^(j-n) near a kink."""
    act, true = activation(name), builtin_reference(name, a, s, orders=5)
    for n in range(5):
        scale = s ** (KINKED[name] - n) if n > KINKED.get(name, 9) else 1.0
        value = act.smoothed(a, s, n)
        assert close(value, true.derivatives[n], 1e-12 if n == 0 else 1e-11, scale), (n, value)
    variance = act.smoothed_variance(a, s)
    assert close(variance, true.variance, 1e-12)
    if true.variance > 1e-25 * s * s and s < 0.1:  # otherwise it is a tail, or a zero of f'
        assert abs(variance - true.variance) <= 1e-10 * true.variance


BOX = [
    (-40.0, 1e-8),
    (40.0, 100.0),
    (-3e-8, 1e-8),
    (1.0 + 3e-5, 1e-4),
    (0.7, 1.2),
    (-2.0, 1.3),
    (-7.0, 4.0),
    (0.3, 100.0),
    (-7e5, 1e6),
]


@pytest.mark.parametrize("name", BUILTIN)
def test_builtin_against_mpmath(name):
    for a, s in BOX:
        check_point(name, a, s)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILTIN)
def test_builtin_against_mpmath_over_the_box(name):
    rng = np.random.default_rng(5)
    for _ in range(60):
        s = 10 ** rng.uniform(-8, 2)
        offset = rng.choice([rng.uniform(-40, 40), rng.normal() * s, 3 * rng.normal(), 1 + rng.normal() * s])
        check_point(name, float(np.clip(offset, -40, 40)), s)


@pytest.mark.parametrize("text", USERS)
def test_expression_against_mpmath(text):
    act = activation(text)
    f, kinks = USERS[text]
    for a, s in ((-1.0, 1e-8), (1.0 + 1e-5, 1e-5), (0.3, 0.02), (0.0, 0.5), (2.0, 3.0), (10.0, 100.0)):
        true = gaussian_reference(f, a, s, kinks, orders=2)
        assert close(act.smoothed(a, s), true.derivatives[0], 1e-10)
        assert close(act.smoothed(a, s, 1), true.derivatives[1], 1e-10)
        assert close(act.smoothed_variance(a, s), true.variance, 1e-10)
        assert abs(act.smoothed_variance(a, s) - true.variance) <= 1e-8 * true.variance


def test_the_check_would_notice():
    """A relative change of s by 1e-10 changes F by 4e-11 here, which the test notices."""
    act, true = activation("softplus"), builtin_reference("softplus", 0.0, 1.0)
    assert close(act.smoothed(0.0, 1.0), true.derivatives[0], 1e-12)
    assert not close(act.smoothed(0.0, 1.0 + 1e-10), true.derivatives[0], 1e-12)


# The references themselves ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize(("a", "s"), [(0.7, 1.2), (-3.0, 20.0), (1e-7, 1e-7)])
def test_reference_does_not_depend_on_nodes_and_panels(name, a, s):
    f, kinks = FUNCTIONS[name]
    one = gaussian_reference(f, a, s, kinks, orders=3)
    two = gaussian_reference(f, a, s, [*kinks, a + 0.31 * s, 0.77], orders=3, count=52, reach=18)
    for p, q in zip(one.derivatives, two.derivatives, strict=True):
        assert abs(p - q) <= 1e-20 * max(1, abs(q))
    assert abs(one.variance - two.variance) <= 1e-25 * two.variance


def test_reference_against_formulas():
    """The references agree with the erf and sin integrals, and with mpmath's own quadrature for softplus."""
    assert abs(builtin_reference("erf", 0.7, 1.5).derivatives[0] - mp.erf(0.7 / mp.sqrt(5.5))) < 1e-15
    one, two = builtin_reference("sin", 0.7, 1.5, 3), sin_reference(0.7, 1.5, 3)
    assert max(abs(p - q) for p, q in zip(one.derivatives, two.derivatives, strict=True)) < 1e-40
    assert abs(one.variance - two.variance) < 1e-40
    f = FUNCTIONS["softplus"][0]
    with mp.workdps(25):
        quad = mp.quad(lambda t: f(mp.mpf("0.5") + t) * mp.npdf(t), [-11, -6, -3, -0.5, 2, 6, 11])
    assert abs(builtin_reference("softplus", 0.5, 1.0).derivatives[0] - quad) < 1e-20


# Two routes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in BUILTIN if name != "retanh"])
def test_closed_form_and_quadrature_agree(name):
    rng = np.random.default_rng(1)
    act = activation(name)
    a, s = rng.uniform(-40, 40, 200), 10 ** rng.uniform(-8, 2, 200)
    a[:100] = rng.normal(size=100) * np.maximum(s[:100], 1)
    a[:30] = rng.normal(size=30) * s[:30]
    for n in range(4):
        one, two = act.smoothed(a, s, n), quadrature.smoothed(act, a, s, n)
        scale = s ** (KINKED[name] - n) if n > KINKED.get(name, 9) else 1.0
        assert np.all(np.abs(one - two) <= 1e-12 * np.maximum(scale, np.maximum(1, np.abs(two))))
    one, two = act.smoothed_variance(a, s), quadrature.variance(act, a, s)
    assert np.all(np.abs(one - two) <= 1e-12 * two + 1e-18 * s**2 * (1 + a**2 + s**2) + 1e-18 * (name == "step"))


def test_probit_variance_is_owens_t():
    """E Φ(x)² = Φ(h) - 2 T(h, 1/√(1 + 2 s²)), h = a/√(1 + s²)."""
    a, s = np.meshgrid(np.linspace(-4, 4, 9), [0.1, 1.0, 10.0])
    h = a / np.sqrt(1 + s**2)
    true = ndtr(h) - 2 * owens_t(h, 1 / np.sqrt(1 + 2 * s**2)) - ndtr(h) ** 2
    np.testing.assert_allclose(activation("probit").smoothed_variance(a, s), true, rtol=0, atol=1e-15)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["sigmoid", "tanh"]), st.floats(-8, 8), st.floats(0.1, 1.5).map(lambda e: 10.0**e))
@example("sigmoid", 5.4791503111699384, 1.3704855920938772)  # the variance is little above where the identity ends
@example("tanh", 3.0, 0.625 * (1.0 + 1e-12))
def test_variance_of_sigmoids_by_an_identity(name, z, s):
    """Var σ = F - F' - F², from σ' = σ - σ², keeps its digits as far as it is taken."""
    act, c = activation(name), {"sigmoid": 1.0, "tanh": 2.0}[name]
    a = z * s / 2.0
    value = float(logistic_family.identity_variance(name, np.array([a]), np.array([s]))[0])
    true = float(builtin_reference(name, a, s).variance)
    least = logistic_family.LEAST * logistic_family.SIGMOIDS[name]
    if math.isnan(value):
        assert c * s <= logistic_family.NARROW or true < least * (1.0 + 1e-12)
    else:
        assert abs(value - true) <= 4e-14 * true
        assert act.smoothed_variance(a, s) == value


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["tanh", "relu", "elu", "erf", "silu"]), near)
def test_variance_is_the_smoothed_square_less_the_squared_mean(name, at):
    act = activation(name)
    second = activation(f"{name}(x)**2").smoothed(*at)
    assert math.isclose(act.smoothed_variance(*at), second - act.smoothed(*at) ** 2, abs_tol=1e-13 * max(1, second))


def test_kinks_that_recur_without_end():
    """|sin x| = 2/π - 4/π Σ cos(2kx)/(4k² - 1), smoothed term by term; its kinks are listed in [-100, 100] only."""
    act, k = activation("Abs(sin(x))"), np.arange(1, 4000)
    for a, s in ((0.3, 0.3), (2.0, 5.0), (99.0, 0.4), (150.0, 0.3), (2.0, 50.0)):
        true = []
        for n in range(4):
            terms = ((2j * k) ** n * np.exp(2j * k * a)).real * np.exp(-2 * k**2 * s**2) / (4 * k**2 - 1)
            true.append((n == 0) * 2 / math.pi - 4 / math.pi * np.sum(terms))
            assert close(act.smoothed(a, s, n), true[n], 1e-11)
        variance = 0.5 - 0.5 * math.exp(-2 * s**2) * math.cos(2 * a) - true[0] ** 2
        assert close(act.smoothed_variance(a, s), variance, 1e-12)


# Properties ------------------------------------------------------------------------------------------------

T, W = np.polynomial.legendre.leggauss(20)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), near)
def test_heat_equation(text, at):
    """F(a; √(2v)) - F(a; √v) = ½ ∫ F''(a; √v') dv' over [v, 2v].

    F'' is analytic in v' but for v' = 0, three half lengths from the centre: 20 nodes leave (3 + √8)^-40.
    """
    act, (a, s) = activation(text), at
    v = s * s
    nodes = v * (1.5 + 0.5 * T)
    integral = 0.25 * v * (W @ act.smoothed(a, np.sqrt(nodes), 2))
    difference = act.smoothed(a, math.sqrt(2 * v)) - act.smoothed(a, s)
    assert close(difference, integral, 1e-12, abs(act.smoothed(a, s)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), near, st.floats(0.2, 3.0))
def test_semigroup(text, at, ratio):
    """Smoothing by s, then by r s, is smoothing by s √(1 + r²).

    Trapezoidal rule: F(x + iy; s) grows as e^{y²/2s²}, so that a step h leaves e^{-2π²/(h² (1 + r²))} = 2e-24.
    """
    act, (a, s) = activation(text), at
    total = math.sqrt(1 + ratio**2)
    h = 0.6 / total
    xi = h * np.arange(-math.ceil(9.2 / h), math.ceil(9.2 / h) + 1)
    twice = h / math.sqrt(2 * math.pi) * np.sum(np.exp(-0.5 * xi**2) * act.smoothed(a + ratio * s * xi, s))
    assert close(twice, act.smoothed(a, total * s), 1e-12)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), near)
def test_stein(text, at):
    """F' = E ξ f(a + s ξ) / s, by composite quadrature of f itself, broken at its breakpoints."""
    act, (a, s) = activation(text), at
    breaks = (np.array(act.breakpoints) - a) / s
    edges = np.unique(np.concatenate([np.linspace(-9, 9, 145), breaks[np.abs(breaks) < 9]]))
    half = 0.5 * np.diff(edges)[:, None]
    xi = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * T
    f = act(a + s * xi)
    moment = np.sum(half * W * np.exp(-0.5 * xi**2) * xi * f) / math.sqrt(2 * math.pi)
    assert close(act.smoothed(a, s, 1), moment / s, 1e-12, abs(act(a)) / s)


@settings(max_examples=6, deadline=None)
@given(activations(lipschitz=True))
def test_generated_activations(f):
    """Values, the limit s → 0 and the heat equation, of sums of smooth functions and random kinks."""
    assert_smoothing(f, f.smoothed, tolerance=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CONVEX), st.floats(-40, 40), st.floats(1e-8, 10), st.floats(1, 3))
def test_jensen(text, a, s, factor):
    act = activation(text)
    values = [act(a), act.smoothed(a, s), act.smoothed(a, factor * s)]
    slack = 1e-13 * max(1, abs(values[-1]))
    assert values[0] <= values[1] + slack
    assert values[1] <= values[2] + slack


def test_jensen_needs_convexity():
    act = activation("gelu")
    assert act.smoothed(-3.0, 0.5) < act(-3.0)


@settings(max_examples=60, deadline=None)
@given(point)
def test_reflection(at):
    a, s = at
    slack = 1e-13 * max(1, abs(a), s)
    for name in ODD:
        act = activation(name)
        assert abs(act.smoothed(-a, s) + act.smoothed(a, s)) <= slack
        assert math.isclose(
            act.smoothed_variance(-a, s), act.smoothed_variance(a, s), rel_tol=1e-12, abs_tol=1e-15 * s * s
        )
    for name in ("sigmoid", "probit", "step"):
        assert abs(activation(name).smoothed(-a, s) + activation(name).smoothed(a, s) - 1) <= 1e-13
    for name in ("relu", "softplus", "silu", "gelu"):
        assert abs(activation(name).smoothed(a, s) - activation(name).smoothed(-a, s) - a) <= slack


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(LIPSCHITZ)), st.floats(-40, 40), st.floats(-300, 2).map(lambda e: 10.0**e))
def test_small_width_and_poincare(name, a, s):
    """|F - f| ≤ L E|sξ| and Var ≤ L² s² for a function of slope at most L."""
    act, slope = activation(name), LIPSCHITZ[name]
    assert abs(act.smoothed(a, s) - act(a)) <= slope * s * math.sqrt(2 / math.pi) + 1e-14 * max(1, abs(a))
    assert 0 <= act.smoothed_variance(a, s) <= slope**2 * s**2 * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(INCREASING), point, st.floats(0, 1))
def test_monotonicity(name, at, shift):
    act, (a, s) = activation(name), at
    assert act.smoothed(a, s, 1) >= -1e-13 / max(s, 1e-2)
    assert act.smoothed(a + shift * s, s) >= act.smoothed(a, s) - 1e-13 * max(1, abs(a), s, act.smoothed(a, s))


@pytest.mark.parametrize("text", ALL)
def test_variance_keeps_its_digits_at_small_width(text):
    """Var = s² f'² + O(s⁴) away from zeros of f', kinks and jumps, down to s = 1e-150."""
    act = activation(text)
    a = 0.4
    for s in (1e-9, 1e-20, 1e-150):
        assert math.isclose(act.smoothed_variance(a, s), (s * act.derivative(a)) ** 2, rel_tol=1e-10)


# Inputs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ALL)
def test_zero_width_and_shapes(text):
    act = activation(text)
    a = np.array([[-1.5, 0.0, 0.0], [0.3, 1.0, 2.0]])
    np.testing.assert_array_equal(act.smoothed(a, 0.0), act(a))
    np.testing.assert_array_equal(act.smoothed(a, 0.0, 1), act.derivative(a))
    np.testing.assert_array_equal(act.smoothed_variance(a, 0.0), np.zeros_like(a))
    np.testing.assert_allclose(act.smoothed(a, 1e-18), act(a), rtol=1e-14, atol=1e-17)
    s = np.array([0.0, 0.5, 2.0])
    for n in (0, 1):
        mixed = act.smoothed(a[:, :, None], s, n)
        assert mixed.shape == (2, 3, 3)
        assert np.all(np.abs(mixed[1, 2, 1] - act.smoothed(2.0, 0.5, n)) <= 1e-14 * max(1, abs(mixed[1, 2, 1])))
    assert isinstance(act.smoothed(0.3, 0.5), np.float64)
    assert isinstance(act.smoothed_variance(0.3, 0.5), np.float64)
    assert act.smoothed(np.empty((0, 2)), 1.0).shape == (0, 2)
    assert act.smoothed_variance(np.empty(0), 1.0).shape == (0,)


def test_extremes_do_not_overflow():
    a, s = np.meshgrid([-1e6, -800.0, 0.0, 800.0, 1e6], [1e-300, 1e-8, 1.0, 1e3])
    for name in BUILTIN:
        if name == "sin":
            continue
        act = activation(name)
        for n in range(3):
            assert np.all(np.isfinite(act.smoothed(a, s, n))) or n == 2
        assert np.all(np.isfinite(act.smoothed_variance(a, s)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.nan, 1.0), "a must be finite; got nan"),
        ((0.0, np.inf), "s must be finite; got inf"),
        (([0.0, 1.0], -0.1), "s must be at least 0, a standard deviation; got -0.1"),
        ((0.0, 1.0, -1), "derivative must be an integer of at least 0; got -1"),
        ((0.0, 1.0, 0.5), "derivative must be an integer of at least 0; got 0.5"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        smoothed(activation("tanh"), *arguments)
    if len(arguments) == 2:
        with pytest.raises(ValueError, match=message):
            smoothed_variance(activation("tanh"), *arguments)


def test_a_function_that_leaves_the_floats():
    with pytest.raises(ValueError, match="activation must be finite 9 standard"):
        activation("exp(x)").smoothed(0.0, 100.0)
    with pytest.raises(ValueError, match="activation must have moments"):
        activation("exp(x**2/100)").smoothed(0.0, [1.0, 7.2])
