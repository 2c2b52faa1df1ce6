"""Identities that hold whatever the activation; stationary/ has the order of the error against the exact law."""

import time
from dataclasses import replace
from fractions import Fraction
from math import factorial

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.expansion import QUANTITIES, terms
from ctrnn_theory.derive.hierarchy import numbers
from ctrnn_theory.derive.small_noise import (
    describe,
    small_noise_bias,
    small_noise_third_cumulant,
    small_noise_variance,
)

w, gamma, sigma, sigma_in, sigma_out = sp.symbols("w gamma sigma sigma_in sigma_out")
f1, f2, f3, f4 = sp.symbols("f1:5")
ONE_SITE = ("inside", "outside")
orders = pytest.mark.parametrize("order", [2, 4, 6])
sites = pytest.mark.parametrize("site", ["inside", "outside", "both"])


def is_zero(expression):
    return sp.cancel(sp.together(expression)) == 0


def series(expression, order, *noises):
    """Expression up to σ^order in all of `noises` together, and nothing beyond."""
    t = sp.Dummy()
    graded = sp.Poly(sp.expand(expression.subs({x: t * x for x in noises})), t)
    return sum(c for (k,), c in graded.terms() if k <= order)


def without(expression, *derivatives):
    return expression.subs({f"f{k}": 0 for k in derivatives})


def rational_points(count=3):
    """Values of w, γ and f1, f2, ... as fractions, so that identities are exact."""
    rng = np.random.default_rng(1)
    names = ("w", "gamma", *(f"f{k}" for k in range(1, 7)))
    return [{x: Fraction(int(rng.integers(1, 40)), int(rng.integers(41, 90))) for x in names} for _ in range(count)]


def coefficients(order, point, inside=1, outside=0):
    """Parts in σ⁰, σ², ... of bias, variance and third cumulant, noise of σ_in = inside σ and σ_out = outside σ."""
    slopes = [point[f"f{k}"] for k in range(1, order + 1)]
    parts = numbers(order, point["w"], point["gamma"], inside, outside, slopes)
    return [[Fraction(0), *parts[quantity]] for quantity in QUANTITIES]


def product(*factors):
    """Product of power series in σ², cut where the first ends."""
    result = [Fraction(1)] + [Fraction(0)] * (len(factors[0]) - 1)
    for factor in factors:
        result = [sum(result[i] * factor[j - i] for i in range(j + 1)) for j in range(len(result))]
    return result


def test_order_two_is_the_closed_form():
    L = 1 - w * f1
    V = gamma * (f1**2 * sigma_in**2 + sigma_out**2) / (L * (2 - gamma * L))
    assert is_zero(small_noise_variance(2, "both") - V)
    assert is_zero(small_noise_bias(2, "both") - f2 * (sigma_in**2 + w**2 * V) / (2 * L))
    assert small_noise_third_cumulant(2, "both") == 0


@pytest.mark.parametrize(("site", "inside", "outside"), [("inside", 2, 0), ("outside", 0, 3), ("both", 2, 3)])
@orders
def test_expressions_are_the_numbers(order, site, inside, outside):
    """What is printed is what stationary/ computes with."""
    for quantity, place in zip(QUANTITIES, range(3), strict=True):
        formula = describe(quantity, order, site)
        names = ("w", "gamma", *(f"f{k}" for k in range(1, 7)), "sigma", "sigma_in", "sigma_out")
        function = formula.lambdified(*names)
        for point in rational_points():
            expected = sum(coefficients(order, point, inside, outside)[place])
            value = float(function(*point.values(), inside or outside, inside, outside))
            assert value == pytest.approx(float(expected), rel=1e-11)


@orders
def test_without_recurrence_noise_inside_smooths(order):
    """E f(a + σ ξ) - f(a) = Σ f_2j σ^2j / (2^j j!), whatever γ."""
    expected = sum(sp.Symbol(f"f{k}") * sigma**k / (2 ** (k // 2) * factorial(k // 2)) for k in range(2, order + 1, 2))
    assert sp.expand(small_noise_bias(order, "inside").subs(w, 0) - expected) == 0


def smoothed_moment(power, order):
    """E (f(a + σ ξ) - f(a))^power up to σ^order."""
    x = sp.Dummy()
    f = sum(sp.Symbol(f"f{k}") * x**k / factorial(k) for k in range(1, order + 1))
    return sum(
        c * sigma**k * sp.factorial2(k - 1) for (k,), c in sp.Poly(f**power, x).terms() if k <= order and k % 2 == 0
    )


@orders
def test_without_recurrence_the_leak_filters_the_noise(order):
    """h is then Σ γ (1-γ)^t times independent values of f(a + σ ξ), so its cumulants are those, filtered."""
    m1, m2, m3 = (smoothed_moment(power, order) for power in (1, 2, 3))
    variance = series((m2 - m1**2) * gamma / (2 - gamma), order, sigma)
    third = series((m3 - 3 * m2 * m1 + 2 * m1**3) * gamma**3 / (1 - (1 - gamma) ** 3), order, sigma)
    assert is_zero(small_noise_variance(order, "inside").subs(w, 0) - variance)
    assert is_zero(small_noise_third_cumulant(order, "inside").subs(w, 0) - third)


@orders
def test_without_recurrence_noise_outside_stays_gaussian(order):
    assert small_noise_bias(order, "outside").subs(w, 0) == 0
    assert is_zero(small_noise_variance(order, "outside").subs(w, 0) - gamma * sigma**2 / (2 - gamma))
    assert small_noise_third_cumulant(order, "outside").subs(w, 0) == 0


@sites
@orders
def test_linear_activation_stays_gaussian(order, site):
    higher = range(2, order + 1)
    assert without(small_noise_bias(order, site), *higher) == 0
    assert without(small_noise_third_cumulant(order, site), *higher) == 0
    assert is_zero(without(small_noise_variance(order, site), *higher) - small_noise_variance(2, site))


@pytest.mark.parametrize("order", [8, 10, 12])
@given(a=st.floats(-1, 1), gamma=st.floats(0.05, 1), s=st.floats(0, 0.5))
def test_without_recurrence_any_order_smooths(order, a, gamma, s):
    """f = sin has F = e^(-σ²/2) sin a, whose series is that of the exponential."""
    parts = numbers(order, 0.0, gamma, s, 0.3, [np.sin(a + k * np.pi / 2) for k in range(1, order + 1)])["bias"]
    expected = [np.sin(a) * (-(s**2) / 2) ** j / factorial(j) for j in range(1, order // 2 + 1)]
    np.testing.assert_allclose(parts, expected, rtol=1e-12, atol=1e-16)


@orders
def test_slow_leak_leaves_the_smoothed_fixed_point(order):
    """γ → 0: h* + δ = F(a* + w δ; σ) order by order, without fluctuations; noise outside then does nothing."""
    names = ("w", "gamma", *(f"f{k}" for k in range(1, 7)), "sigma")
    bias = describe("bias", order, "inside")
    parts = [replace(bias, expression=term).lambdified(*names) for term in terms("bias", order, "inside")]
    for point in rational_points():
        delta = [Fraction(0), *(part(*{**point, "gamma": 0}.values(), 1) for part in parts)]
        smoothed = [Fraction(0)] * len(delta)
        for j in range(len(delta)):  # powers of σ² from the noise
            for k in range(len(delta)):  # powers of δ
                if 0 < j + k < len(delta):
                    noise = [Fraction(0)] * len(delta)
                    noise[j] = point[f"f{2 * j + k}"] / (2**j * factorial(j) * factorial(k))
                    power = product(noise, *[[point["w"] * d for d in delta]] * k)
                    smoothed = [x + y for x, y in zip(smoothed, power, strict=True)]
        np.testing.assert_allclose(np.array(smoothed, float), np.array(delta, float), rtol=1e-12)
    assert small_noise_variance(order, "inside").subs(gamma, 0) == 0
    assert small_noise_bias(order, "outside").subs(gamma, 0) == 0


def test_without_leak_the_variance_is_that_of_a_power_series():
    """γ = 1: y' = w f1 (y + σ ξ) to leading order, of variance σ²/(1 - w² f1²) in all."""
    assert is_zero(
        small_noise_bias(2, "inside").subs(gamma, 1) - f2 * sigma**2 / (2 * (1 - w * f1) * (1 - w**2 * f1**2))
    )


@pytest.mark.parametrize(("inside", "outside"), [(1, 0), (0, 1), (1, 2)])
@orders
def test_cubic_activation_balances(order, inside, outside):
    """E h = E f, which holds for any stationary law, takes three moments for a cubic f: they fit in every order."""
    for point in rational_points():
        cubic = {**point, "f4": Fraction(0), "f5": Fraction(0), "f6": Fraction(0)}
        bias, variance, third = coefficients(order, cubic, inside, outside)
        noise = [Fraction(0), Fraction(inside**2), *[Fraction(0)] * (len(bias) - 2)]
        square, crossed, cube = product(bias, bias), product(bias, variance), product(bias, bias, bias)
        x, f = point["w"], [point[f"f{k}"] for k in range(1, 4)]
        first = [x * m for m in bias]  # moments of the pre-activation less a*
        second = [x**2 * (v + m) + n for v, m, n in zip(variance, square, noise, strict=True)]
        drift = product(noise, bias)
        third = [x**3 * (t + 3 * c + m) + 3 * x * d for t, c, m, d in zip(third, crossed, cube, drift, strict=True)]
        series = zip(first, second, third, strict=True)
        assert [f[0] * y + f[1] * y2 / 2 + f[2] * y3 / 6 for y, y2, y3 in series] == bias


derivatives = st.lists(st.floats(-0.9, 0.9), min_size=6, max_size=6)


@given(
    w=st.floats(-1, 1),
    gamma=st.floats(0.05, 1),
    inside=st.floats(0, 1),
    outside=st.floats(0, 1),
    f=derivatives,
    scale=st.floats(0.3, 3),
)
def test_units_and_reflection(w, gamma, inside, outside, f, scale):
    """In other units of h, of the pre-activation, and with -f(-x) for f: the cumulants follow."""
    base = numbers(6, w, gamma, inside, outside, f)
    state = numbers(6, w / scale, gamma, inside, scale * outside, [scale * x for x in f])
    drive = numbers(6, w / scale, gamma, inside / scale, outside, [scale**k * x for k, x in enumerate(f, 1)])
    mirror = numbers(6, w, gamma, inside, outside, [(-1) ** k * -x for k, x in enumerate(f, 1)])
    for degree, (quantity, parts) in enumerate(base.items(), 1):
        size = 1e-9 * max(1e-6, float(np.max(np.abs(parts))))
        np.testing.assert_allclose(state[quantity], np.multiply(scale**degree, parts), rtol=1e-9, atol=size)
        np.testing.assert_allclose(drive[quantity], parts, rtol=1e-9, atol=size)
        np.testing.assert_allclose(mirror[quantity], np.multiply((-1) ** degree, parts), rtol=1e-9, atol=size)


def test_numbers_broadcast():
    s = np.array([[0.1], [0.2], [0.4]])
    ws = np.linspace(-1, 0.5, 4)
    f = [0.5, -0.3, 0.2, 0.7]
    together = numbers(4, ws, 0.2, s, 0.1, f)
    for quantity, parts in together.items():
        for part in parts[1:]:
            assert np.shape(part) == (3, 4)
        one = numbers(4, ws[2], 0.2, s[1, 0], 0.1, f)[quantity]
        np.testing.assert_allclose([np.broadcast_to(part, (3, 4))[1, 2] for part in parts], one, rtol=1e-13)


@pytest.mark.parametrize("name", ["tanh", "softplus", "sigmoid", "gelu", "elu", "hardtanh", "retanh", "exp(x) + x**3"])
def test_specialised_to_an_activation(name):
    f = activation(name)
    special = describe("bias", 4, "inside", name)
    assert set(special.symbols) <= {"a", "w", "gamma", "sigma"}
    general = describe("bias", 4, "inside").lambdified("w", "gamma", "sigma", "f1", "f2", "f3", "f4")
    for a in (-1.3, -0.4, 0.2, 0.9, 1.7):
        expected = general(0.4, 0.3, 0.5, *(f.derivative(a, k) for k in range(1, 5)))
        value = special.at(a=a, w=0.4, gamma=0.3, sigma=0.5)
        assert float(value) == pytest.approx(expected, rel=1e-10, abs=1e-15)


def test_specialised_to_a_linear_activation_it_vanishes():
    assert small_noise_bias(6, "inside", "identity") == 0
    assert small_noise_bias(6, "outside", "relu") == 0


@pytest.mark.parametrize("order", [4, 6])
def test_every_limit_needs_no_cancelling(order):
    for site in ONE_SITE:
        for quantity in QUANTITIES:
            for limit in ({"gamma": 0}, {"gamma": 1}, {"w": 0}, {"w": 0, "gamma": 0}, {"f1": 0}):
                assert not describe(quantity, order, site).at(**limit).has(sp.nan, sp.zoo, sp.oo)


def test_symbols_are_plain_and_named():
    expression = small_noise_bias(4, "inside")
    assert {str(x) for x in expression.free_symbols} == {"w", "gamma", "sigma", "f1", "f2", "f3", "f4"}
    assert expression.free_symbols == set(map(sp.Symbol, ("w", "gamma", "sigma", "f1", "f2", "f3", "f4")))
    assert small_noise_variance(4, "inside").free_symbols == expression.free_symbols - {symbols.f(4)}


def test_bad_arguments():
    small_noise_bias(4)
    for order in (3, 0, -2, 4.0):
        with pytest.raises(ValueError, match="order must be even and at least 2"):
            small_noise_bias(order)
        with pytest.raises(ValueError, match="order must be even and at least 2"):
            numbers(order, 0.1, 0.1, 0.1, 0.0, [0.1] * 4)
    with pytest.raises(ValueError, match="site must be one of inside, outside, both; got 'left'"):
        small_noise_bias(4, "left")
    with pytest.raises(ValueError, match="quantity must be one of"):
        describe("median")
    with pytest.raises(ValueError, match="derivatives must be f1 to f4, 4 values; got 2"):
        numbers(4, 0.1, 0.1, 0.1, 0.0, [1.0, 2.0])


def test_derivations_take_seconds():
    """Order 2 and 4 below 5 s, order 6 below 60 s, nothing remembered; they take below 1 and 2 s."""
    from ctrnn_theory.derive import expansion, small_noise

    for order, limit in ((2, 5.0), (4, 5.0), (6, 60.0)):
        for cached in (small_noise.describe, expansion.terms, expansion._polynomials):
            cached.cache_clear()
        start = time.perf_counter()
        small_noise_bias(order, "inside")
        assert time.perf_counter() - start < limit


def test_printing():
    bias = describe("bias", 4, "inside")
    text, latex = bias.text(), bias.latex()
    assert text.startswith("delta = f2*sigma**2*(1 + f1**2*gamma*w**2/(L*P2))/(2*L) + sigma**4*(")
    assert (
        "+ O(σ⁶)\nwhere\n  P2 = 2 - q\n  P3 = 3 - 3*q + q**2\n  q = L*gamma\n  L = 1 - f1*w\nif\n  one neuron" in text
    )
    assert r"+ O(\sigma^{6}) \]" in latex
    assert r"\[ L = 1 - f_{1} w \]" in latex
    assert latex.count(r"\[") == latex.count(r"\]") == 5


def test_printing_for_an_activation():
    text = describe("bias", 2, "outside", "elu").text()
    assert text.startswith("delta = Piecewise((")
    assert "a = w h* + b, with h* = f(a)" in text
    assert "f1" not in text
    assert text.endswith("several standard deviations from a: it is not at 0")
    assert "L = 1 - w*(1 - tanh(a)**2)" in describe("bias", 2, "outside", "tanh").text()


def test_lambdified_wants_every_symbol():
    bias = describe("bias", 2, "inside")
    assert bias.lambdified()(0.5, 0.4, 1.0, 0.1, 0.0) == pytest.approx(0.4 * 0.1**2 / 2)  # f1, f2, gamma, sigma, w
    with pytest.raises(ValueError, match=r"names must hold every symbol of the formula; f2, gamma, sigma is missing"):
        bias.lambdified("w", "f1")
