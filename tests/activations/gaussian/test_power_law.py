import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermeval
from numpy.polynomial.legendre import leggauss
from scipy.special import roots_hermitenorm

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian.covariance import covariance, covariance_matrices
from ctrnn_theory.activations.gaussian.power_law import PowerLaw, power_law
from ctrnn_theory.activations.gaussian.power_pairs import conditioned_powers, whole_powers
from ctrnn_theory.activations.gaussian.smoothing import quick

# a, s, n; F, F', Var f of Max(0, x)**n, by a solver independent of the package
REFERENCE = [
    (0.5, 0.7, 1.5, 0.6147727858968113, 0.9478398633956684, 0.5439310650926896),
    (0.5, 0.7, 2, 0.6724216998867105, 1.1952363131197163, 0.9972472780409393),
    (0.5, 0.7, 3, 0.9218766433720162, 2.017265099660132, 3.9669577603122956),
    (-0.8, 0.6, 1.5, 0.01698589284337518, 0.06522095192481096, 0.008037062037129977),
    (-0.8, 0.6, 2, 0.012486383881390927, 0.050874138049803744, 0.006668918735215461),
    (-0.8, 0.6, 3, 0.008325582592816601, 0.03745915164417278, 0.006992195110628829),
    (-4.0, 0.5, 1.5, 1.2298000403778573e-17, 2.040789079418055e-16, 8.005915584077478e-19),
    (-4.0, 0.5, 2, 4.518766117864625e-18, 7.5502624119465e-17, 1.8670835476747648e-19),
    (-4.0, 0.5, 3, 8.00591558407748e-19, 1.3556298353593876e-17, 1.8352886107977195e-20),
    (2.0, 0.3, 1.5, 2.8523962220157117, 2.115219966071186, 0.40383579263049896),
    (2.0, 0.3, 2, 4.089999999999951, 4.000000000001129, 1.456200000000397),
    (2.0, 0.3, 3, 8.540000000000004, 12.269999999999854, 14.137334999999908),
]


@pytest.mark.parametrize(("a", "s", "n", "F", "slope", "variance"), REFERENCE)
def test_reference_values(a, s, n, F, slope, variance):
    """The values for a = 2 carry errors of 1e-14 and 1e-12 of their own: F' = 2 a = 4 there, but for 1e-12."""
    f = activation(f"powerlaw({n})")
    loose = 5e-13 if a == 2.0 else 5e-15
    np.testing.assert_allclose(f.smoothed(a, s), F, rtol=5e-14)
    np.testing.assert_allclose(f.smoothed(a, s, 1), slope, rtol=loose)
    np.testing.assert_allclose(f.smoothed_variance(a, s), variance, rtol=loose)


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("relu2", PowerLaw(2.0, 0.0, 0.0, 1.0, 0.0)),
        ("powerlaw(2)", PowerLaw(2.0, 0.0, 0.0, 1.0, 0.0)),
        ("-0.8*powerlaw(1.5)", PowerLaw(1.5, 0.0, 0.0, -0.8, 0.0)),
        ("0.5*Max(0, 4*(x - 0.3))**1.5 + 0.1", PowerLaw(1.5, 0.3, 0.1, 4.0, 0.0)),
        ("Max(0, 1 - 2*x)**3", PowerLaw(3.0, 0.5, 0.0, 0.0, 8.0)),
        ("Max(0, 2*x + 0.7)**3", PowerLaw(3.0, -0.35, 0.0, 8.0, 0.0)),
        ("Max(0, -4*x - 0.7)**1.5", PowerLaw(1.5, -0.175, 0.0, 0.0, 8.0)),
        ("x*sqrt(Abs(x))", PowerLaw(1.5, 0.0, 0.0, 1.0, -1.0)),
        ("Abs(x)**2.5", PowerLaw(2.5, 0.0, 0.0, 1.0, 1.0)),
        ("Piecewise((2*(-x)**1.5, x < 0), (3*x**1.5, True))", PowerLaw(1.5, 0.0, 0.0, 3.0, 2.0)),
    ],
)
def test_power_laws_are_recognised(text, law):
    found = power_law(activation(text))
    assert (found.exponent, found.threshold, found.offset) == (law.exponent, law.threshold, law.offset)
    assert math.isclose(found.right, law.right)
    assert math.isclose(found.left, law.left)
    assert quick(activation(text))


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["1.5", "2", "3", "2.2", "pi", "1.07"]),
    st.decimals(-900, 900, places=2).filter(lambda g: abs(g) > 0.1),
    st.decimals(-40, 40, places=3),
    st.decimals(-3, 3, places=2).filter(bool),
    st.decimals(-2, 2, places=1),
)
def test_the_law_is_the_function(n, g, b, k, o):
    f = activation(f"{k}*Max(0, {g}*x + {b})**{n} + {o}")
    law = power_law(f)
    assert law.threshold == pytest.approx(float(-b / g), rel=1e-15)
    d = np.array([-3.0, -0.1, 0.0, 0.2, 50.0])
    sides = law.right * np.maximum(d, 0.0) ** law.exponent + law.left * np.maximum(-d, 0.0) ** law.exponent
    slack = 1e-14 * law.exponent * (1.0 + abs(law.threshold)) * np.max(np.abs(sides))
    np.testing.assert_allclose(law.offset + sides, f(law.threshold + d), rtol=1e-12, atol=slack + 1e-15)


NO_POWER_LAWS = ("relu", "tanh", "x**2", "powerlaw(17)", "powerlaw(2) + x", "Max(0, x)**2 + Max(0, x)", "Heaviside(x)")
NO_POWERS_OF_ONE_THRESHOLD = (
    "Max(0, x)**2 + Max(0, x - 1)**2",
    "Piecewise(((-x)**1.5, x < 0), (x**2.5, True))",
    "Piecewise((0, x < 1), (x**2, True))",
    "Piecewise((0, x < 0), (Max(0, x)**1.5 + 0.5, True))",
)


@pytest.mark.parametrize("text", NO_POWER_LAWS + NO_POWERS_OF_ONE_THRESHOLD)
def test_other_functions_are_none(text):
    assert power_law(activation(text)) is None


def average(f, a, s, threshold, order=0):
    """E f(a + s ξ) Heₘ(ξ)/sᵐ, by panels in the square root of the distance to the threshold."""
    t, w = leggauss(24)
    edges = np.sqrt(np.linspace(0.0, 1.0, 41)) * math.sqrt(abs(a - threshold) + 10.0 * s)
    half = 0.5 * np.diff(edges)[:, None]
    root = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * t).ravel()
    total = 0.0
    for side in (1.0, -1.0):
        xi = (threshold + side * root**2 - a) / s
        weight = (half * w).ravel() * 2 * root / s * np.exp(-0.5 * xi**2) / math.sqrt(2 * math.pi)
        total += np.sum(weight * f(threshold + side * root**2) * hermeval(xi, [0.0] * order + [1.0])) / s**order
    return total


@pytest.mark.parametrize(
    "text",
    [
        "0.5*Max(0, 4*(x - 0.3))**2.5 + 0.1",
        "Max(0, 2*x + 0.7)**3",
        "Max(0, -2*x - 0.7)**1.5",
        "Abs(x)**3.5",
        "-Max(0, 1 - x)**2.5",
        "x*Abs(x)",
    ],
)
@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize(("a", "s"), [(-2.0, 0.6), (-0.4, 0.3), (0.1, 1.0), (0.3, 0.01), (0.9, 0.5), (3.0, 0.4)])
def test_gain_threshold_offset_and_both_sides(text, order, a, s):
    """The witness divides roundings of the largest f within reach by sᵐ."""
    f = activation(text)
    found, true = f.smoothed(a, s, order), average(f, a, s, power_law(f).threshold, order)
    size = np.max(np.abs(f([a - 6 * s, a + 6 * s])))
    assert abs(found - true) <= 1e-13 * (size / s**order + abs(true))
    if order == 0:
        true = average(lambda x: (f(x) - found) ** 2, a, s, power_law(f).threshold)
        assert math.isclose(f.smoothed_variance(a, s), true, rel_tol=1e-12)


def test_variance_of_both_sides():
    """The variance of ξ|ξ|^½ is E |ξ|³ = 2√(2/π); that of |ξ|^1.5 lacks the square of E |ξ|^1.5 = 2^¾ Γ(5/4)/√π."""
    odd, even = activation("x*sqrt(Abs(x))"), activation("Abs(x)**1.5")
    third = 2.0 * math.sqrt(2.0 / math.pi)
    assert math.isclose(odd.smoothed_variance(0.0, 1.0), third, rel_tol=1e-14)
    mean = 2.0**0.75 * math.gamma(1.25) / math.sqrt(math.pi)
    assert math.isclose(even.smoothed_variance(0.0, 1.0), third - mean**2, rel_tol=1e-14)


@pytest.mark.parametrize("text", ["powerlaw(3)", "Max(0, -x)**3", "powerlaw(16)"])
def test_a_whole_power_keeps_its_digits_far_from_its_threshold(text):
    """Far below it M_n → n! φ(z) |z|^(-n-1) (1 - (n+1)(n+2)/(2 z²) + ...), where their recurrence cancels."""
    f = activation(text)
    n, side = power_law(f).exponent, 1.0 if "-" not in text else -1.0
    z = 200.0 * np.ones(1)
    for order, factor in ((0, 1.0), (1, n)):
        m = n - order
        terms = [1.0, -(m + 1) * (m + 2) / 2, (m + 1) * (m + 2) * (m + 3) * (m + 4) / 8]
        series = sum(term / 30.0 ** (2 * k) for k, term in enumerate(terms))
        density = math.exp(-450.0) / math.sqrt(2 * math.pi)
        expected = factor * math.gamma(m + 1) * density * 30.0 ** (-m - 1) * series
        remainder = math.prod(m + k for k in range(1, 7)) / 48 / 30.0**6
        assert math.isclose(side**order * f.smoothed(-30.0 * side, 1.0, order), expected, rel_tol=2 * remainder)
    assert f.smoothed(-z[0] * side, 1.0) == 0.0


def grid_covariance(n, a, b, r):
    """Cov((a + ξ)₊ⁿ, (b + η)₊ⁿ) on a tensor grid in the square roots of both; 2n must be a whole number."""
    t, w = leggauss(24)
    edges = np.linspace(0.0, math.sqrt(max(a, b, 0.0) + 10.0), 12)
    half = 0.5 * np.diff(edges)[:, None]
    root = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * t).ravel()
    u, f = root**2, root ** (2 * n) * (half * w).ravel() * 2 * root
    X, Y = np.meshgrid(u - a, u - b, indexing="ij")
    density = np.exp(-(X * X - 2 * r * X * Y + Y * Y) / (2 * (1 - r * r))) / (2 * math.pi * math.sqrt(1 - r * r))
    means = [f @ np.exp(-0.5 * (u - c) ** 2) / math.sqrt(2 * math.pi) for c in (a, b)]
    return f @ density @ f - means[0] * means[1]


@pytest.mark.parametrize("n", [1.5, 2.0, 2.5, 3.0])
@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.7, -0.3), (-1.5, -1.0), (2.0, 3.0), (-2.0, 2.5)])
def test_covariances_of_pairs(n, a, b):
    """The series, and the routes for |r| near 1, against a grid; errors are relative to the standard deviations."""
    f, r = activation(f"powerlaw({n})"), np.array([-0.95, -0.5, 0.0, 0.3, 0.85, 0.95])
    true = np.array([grid_covariance(n, a, b, at) for at in r])
    size = math.sqrt(f.smoothed_variance(a, 1.0) * f.smoothed_variance(b, 1.0))
    one = np.ones(r.size)
    np.testing.assert_allclose(covariance(f, a, b, 1.0, 1.0, r) / size, true / size, atol=1e-13)
    rules = [conditioned_powers] + [whole_powers] * (n == math.floor(n))
    for rule in rules:
        np.testing.assert_allclose(rule(n, a * one, one, b * one, one, r) / size, true / size, atol=1e-13)


def test_the_recurrence_of_whole_pairs():
    """J_{p+1,q} = m₁ J_pq + p s₁² J_{p-1,q} + q κ J_{p,q-1} for J_pq = E x₊ᵖ y₊^q, of which J_pp is a covariance."""
    m, s, r = (0.4, -0.3), (0.8, 1.1), 0.6
    t, w = leggauss(400)
    x, w = 5.0 * (t + 1.0), 5.0 * w
    X, Y = np.meshgrid((x - m[0]) / s[0], (x - m[1]) / s[1], indexing="ij")
    density = np.exp(-(X * X - 2 * r * X * Y + Y * Y) / (2 * (1 - r * r)))
    density /= 2 * math.pi * math.sqrt(1 - r * r) * s[0] * s[1]

    def J(p, q):
        return (w * x**p) @ density @ (w * x**q)

    for p in (2, 3):
        f = activation(f"powerlaw({p})")
        up = m[0] * J(p - 1, p) + (p - 1) * s[0] ** 2 * J(p - 2, p) + p * r * s[0] * s[1] * J(p - 1, p - 1)
        found = covariance(f, *m, *s, r) + f.smoothed(m[0], s[0]) * f.smoothed(m[1], s[1])
        assert math.isclose(found, up, rel_tol=1e-12)


@pytest.mark.parametrize("text", ["powerlaw(1.5)", "powerlaw(2)", "0.3 + Abs(x - 0.2)**2.5", "-x*sqrt(Abs(x))"])
@pytest.mark.parametrize("r", [1.0, -1.0, 1.0 - 1e-9, 0.999])
def test_pairs_at_the_ends_of_the_correlation(text, r):
    """At r = 1 it is the variance; near it, the difference is at most (1 - r) s² E f'², by differentiating by r."""
    f = activation(text)
    a, s = np.array([-1.0, 0.1, 0.8, 3.0]), np.array([0.7, 1.0, 0.4, 0.5])
    if r > 0.0:
        found, variance = covariance(f, a, a, s, s, r), f.smoothed_variance(a, s)
        law = power_law(f)
        energy = s**2 * law.exponent**2 * activation(f"Abs(x)**{2 * law.exponent - 2}").smoothed(a - law.threshold, s)
        assert np.all(
            np.abs(found - variance) <= (1.0 - r) * energy * max(abs(law.right), abs(law.left)) ** 2 + 1e-13 * variance
        )
    else:  # f(a + s ξ) and f(a - s ξ): Gauss–Hermite is good to 1e-4 here
        xi, w = roots_hermitenorm(200)
        w = w / w.sum()
        left, right = f(a[:, None] + s[:, None] * xi), f(a[:, None] - s[:, None] * xi)
        direct = (left * right) @ w - (left @ w) ** 2
        np.testing.assert_allclose(covariance(f, a, a, s, s, r), direct, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("text", ["powerlaw(1.5)", "0.8*powerlaw(2)", "x*sqrt(Abs(x))", "Max(0, 0.3 - x)**2.5"])
def test_matrices_by_tiles_and_by_pairs(text):
    rng = np.random.default_rng(1)
    mean = rng.normal(size=20)
    for r in (0.3, 0.96):
        std = rng.uniform(0.3, 2.0, 20)
        S = (r + (1 - r) * np.eye(20)) * np.outer(std, std)
        f = activation(text)
        C = covariance_matrices(f, mean, S)
        pairs = covariance(f, mean[:, None], mean, std[:, None], std, S / np.outer(std, std))
        np.testing.assert_allclose(C, pairs, atol=1e-13 * np.max(np.diag(C)))
        assert np.linalg.eigvalsh(C)[0] >= -1e-12 * np.max(np.diag(C))


@settings(max_examples=30, deadline=None)
@given(st.floats(1.05, 6.0), st.floats(-8, 8), st.floats(-0.9, 0.9))
def test_parseval(n, z, r):
    """Hermite coefficients: Σ rᵐ cₘ² is the covariance of two inputs that are alike, and at r = 1 below Var f."""
    law = power_law(activation(f"powerlaw({n!r})"))
    one, at = np.ones(1), np.array([z])
    c = law.table(at, one, 400).coefficients[:, 0]
    total, variance = np.sum(c**2), float(law.variance(at, one)[0])
    assert total <= variance * (1 + 1e-12)
    series = np.sum(r ** np.arange(1, c.size + 1) * c**2)
    direct = conditioned_powers(n, at, one, at, one, r * one)[0]
    assert abs(series - direct) <= 1e-13 * variance * max(1.0, z) + abs(r) ** c.size * variance


@pytest.mark.parametrize("text", ["powerlaw(3)", "Max(0, 1 - x)**2.5", "0.3 + Abs(x - 0.2)**2.5", "-x*Abs(x)**1.5"])
@pytest.mark.parametrize(("a", "s"), [(-1.0, 0.6), (0.1, 1.0), (0.9, 0.3)])
def test_third_cumulants(text, a, s):
    """E Z f', E (Z²)'' = 2 E (f'² + Z f'') and E Z³ for Z = f - F, with the derivatives of f itself."""
    f = activation(text)
    law, F = power_law(f), float(f.smoothed(a, s))
    found = law.own_cumulants(np.array([a]), np.array([s]))[:, 0]
    terms = (
        lambda x: (f(x) - F) * f.derivative(x),
        lambda x: 2 * (f.derivative(x) ** 2 + (f(x) - F) * f.derivative(x, 2)),
        lambda x: (f(x) - F) ** 3,
    )
    true = np.array([average(term, a, s, law.threshold) for term in terms])
    spread = math.sqrt(f.smoothed_variance(a, s))
    np.testing.assert_allclose(found / spread**3, true / spread**3, rtol=1e-10, atol=1e-12 * (1 + spread**-1 + s**-2))
