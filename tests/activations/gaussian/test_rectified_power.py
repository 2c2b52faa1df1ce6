import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.activations.gaussian.closed_forms import full_moments, smoothed_powers
from ctrnn_theory.activations.gaussian.rectified_power import (
    DEGREE,
    FAR,
    LOWEST,
    WIDTH,
    peak,
    rectified,
    tabulated,
    third_moments,
    variance,
)
from tests.references import mp

EXPONENTS = (1.05, 1.5, 2.0, 2.5, 3.0, 6.5, 16.0)
PLACES = (-30.0, -12.0, -5.0, -1.0, 0.0, 0.5, 3.0, 6.0, 8.9, 9.0, 12.0, 30.0, 1e3, 1e4)
ROUNDING = 2.0**-53

exponents = st.one_of(st.sampled_from((1.5, 2.0, 3.0)), st.floats(1.01, 8.0))


def parabolic(n, z, order=0):
    """Γ(n+1)/√(2π) e^{-z²/4} D_{m-n-1}(-z): the m-th derivative of E (z + ξ)₊ⁿ, n and z real; z < 45."""
    n, z = mp.mpf(n), mp.mpf(z)
    return mp.gamma(n + 1) / mp.sqrt(2 * mp.pi) * mp.exp(-z * z / 4) * mp.pcfd(order - n - 1, -z)


def moment(n, z):
    """E (z + ξ)ⁿ by the binomial series in ξ²/z², exact but for terms below 1e-30: z is 100 or more, or n is whole."""
    z, n, total, term = mp.mpf(z), mp.mpf(n), mp.mpf(0), mp.mpf(1)
    for k in range(12):
        total += term
        term *= (n - 2 * k) * (n - 2 * k - 1) / (2 * (k + 1) * z * z)
    return z**n * total


def truth(n, z, order=0):
    if z < 45:
        return parabolic(n, z, order)
    return mp.ff(mp.mpf(n), order) * moment(mp.mpf(n) - order, z)


def allowed(z):
    """Relative error: some roundings of the sum, and those of the exponent z²/2 of φ in the tail."""
    return 1e-14 + 4.0 * ROUNDING * min(z, 0.0) ** 2


@pytest.mark.parametrize("n", EXPONENTS)
def test_moments_and_their_derivatives_in_both_tails(n):
    for order in range(min(2, math.floor(n)) + 1):
        found = rectified(n, np.array(PLACES), np.ones(len(PLACES)), order)
        with mp.workdps(50):
            for z, value in zip(PLACES, found, strict=True):
                assert abs(value / truth(n, z, order) - 1) <= allowed(z), (z, order)


@pytest.mark.parametrize("n", [1.05, 1.5, 2.5, 3.7])
@pytest.mark.parametrize("above", [1, 2, 4])
def test_derivatives_above_the_exponent(n, above):
    """Below z = FAR the kernel is differentiated, and rounding is relative to what its Hermite polynomial averages.

    Beyond, what the threshold adds is left out, which is Γ(n+1) φ(z) z^(m-n-1) to leading order.
    """
    order = math.floor(n) + above
    z = np.array([-30.0, -5.0, -1.0, 0.0, 2.0, 5.0, 8.9, 9.0, 14.0, 100.0])
    found = rectified(n, z, np.ones(z.size), order)
    with mp.workdps(50):
        for at, value in zip(z, found, strict=True):
            true = truth(n, at, order)
            size = parabolic(n, at, order - above) * math.sqrt(math.factorial(above)) if 0 < at < FAR else true
            left_out = 2 * mp.gamma(n + 1) * mp.npdf(at) * at ** (order - n - 1) if at >= FAR else 0
            assert abs(value - true) <= allowed(at) * abs(size) + left_out, at


@pytest.mark.parametrize("order", range(3, 7))
def test_derivatives_above_a_whole_exponent(order):
    """n! φ^(m-n-1)."""
    z = np.array([-3.0, 0.4, 7.0])
    true = [2 * float(mp.diff(mp.npdf, at, order - 3)) for at in z]
    np.testing.assert_allclose(rectified(2.0, z, np.ones(3), order), true, rtol=1e-12)


@pytest.mark.parametrize("n", EXPONENTS)
def test_variance_where_it_cancels(n):
    """M_2n - M_n² loses up to 8 digits at z = 1e4, and all of them in a tail: hence 80 digits here."""
    found = variance(n, np.array(PLACES), np.ones(len(PLACES)))
    with mp.workdps(80):
        for z, value in zip(PLACES, found, strict=True):
            true = truth(2 * n, z) - truth(n, z) ** 2
            assert abs(value / true - 1) <= 2 * allowed(z), z


@pytest.mark.parametrize(
    ("n", "left", "z", "s"),
    [
        (1.5, 0.0, -3.0, 0.7),
        (1.5, -0.6, 0.6, 0.4),
        (1.5, 0.0, 20.0, 0.5),
        (2.0, 0.0, 0.6, 0.4),
        (2.0, 0.0, 4.0, 1.3),
        (3.2, 0.4, 0.0, 1.0),
        (3.2, 0.0, 20.0, 0.5),
    ],
)
def test_third_moments(n, left, z, s):
    with mp.workdps(25):

        def f(xi):
            x = s * (z + xi)
            return x**n if x > 0 else left * (-x) ** n

        def average(g):
            # the square root of the distance to the threshold makes half-integer powers smooth
            right = mp.quad(lambda t: 2 * t * g(t * t - z) * mp.npdf(t * t - z), [0, 1, 2, 3, 4, mp.sqrt(z + 14)])
            return right + mp.quad(lambda t: 2 * t * g(-t * t - z) * mp.npdf(t * t + z), [0, 1, 2, 3, 4])

        mean = average(f)
        true = [average(lambda xi, p=p: p(xi) * (f(xi) - mean) ** 2) for p in (lambda xi: xi, lambda xi: xi**2 - 1)]
        true.append(average(lambda xi: (f(xi) - mean) ** 3))
        spread = float(mp.sqrt(average(lambda xi: (f(xi) - mean) ** 2)))
    found = third_moments(n, left, np.array([z * s]), np.array([s]))[:, 0]
    np.testing.assert_allclose(
        found / spread ** np.array([2, 2, 3]), np.array(true, float) / spread ** np.array([2, 2, 3]), atol=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(exponents, st.floats(-20, 60), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_scaling(n, z, s, c):
    """F(c a; c s) = cⁿ F(a; s), and the same for the variance with 2n."""
    d, s = np.array([z * s]), np.array([s])
    for average, power in ((rectified, n), (variance, 2 * n)):
        # the argument d/s may be rounded in a different way, which φ turns into z² roundings
        np.testing.assert_allclose(average(n, c * d, c * s), c**power * average(n, d, s), rtol=1e-13 + 2e-15 * z * z)


@settings(max_examples=60, deadline=None)
@given(exponents, st.floats(-20, 60), st.floats(0.1, 10))
def test_derivative_is_a_lower_power(n, z, s):
    """F' = n M_{n-1} for n > 1: both sides come from rules with different nodes."""
    d, s = np.array([z * s]), np.array([s])
    np.testing.assert_allclose(rectified(n, d, s, 1), n * rectified(n - 1.0, d, s), rtol=1e-13 + 1e-15 * z * z)


@settings(max_examples=60, deadline=None)
@given(exponents, st.floats(-6, 30))
def test_heat_equation(n, a):
    """∂F/∂(s²) = F''/2, integrated over s from 1 to 1.2 by 20 Gauss–Legendre nodes."""
    t, w = np.polynomial.legendre.leggauss(20)
    s = 1.1 + 0.1 * t
    at = np.full(20, a)
    rise = 0.1 * w @ (s * rectified(n, at, s, 2))
    ends = rectified(n, np.full(2, a), np.array([1.0, 1.2]))
    assert abs(rise - (ends[1] - ends[0])) <= 2e-14 * max(ends)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.floats(-30, 30), st.floats(0.1, 10))
def test_both_sides_of_a_whole_power_add_up(n, z, s):
    """x₊ⁿ + (-1)ⁿ (-x)₊ⁿ = xⁿ, whose average is a finite sum."""
    d = np.array([z * s])
    right, left = rectified(n, d, np.array([s])), (-1) ** n * rectified(n, -d, np.array([s]))
    terms = [math.comb(n, k) * (z * s) ** (n - k) * s**k * m for k, m in enumerate(full_moments(n + 1))]
    assert abs(right + left - sum(terms))[0] <= 1e-13 * (sum(map(abs, terms)) + abs(right) + abs(left))[0]


def test_power_one_is_the_ramp():
    z = np.linspace(-8.0, 12.0, 41)
    ramp = smoothed_powers(z, np.ones(41), range(2))[1]
    np.testing.assert_allclose(rectified(1.0, z, np.ones(41)), ramp, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(rectified(1.0 + 1e-9, z, np.ones(41)), ramp, rtol=1e-7, atol=1e-16)


@np.errstate(all="ignore")
def test_extreme_scales():
    """Neither s nor d/s has to be a number whose power is one: sⁿ underflows here, and z² overflows."""
    d, s = np.array([2.0, 2.0, 1e-200, -1.0, 0.0]), np.array([1e-200, 5e-324, 1e-210, 1e-30, 1e-170])
    np.testing.assert_array_equal(rectified(2.0, d, s), [4.0, 4.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(rectified(1.5, d, s, 1)[:2], 1.5 * math.sqrt(2.0), rtol=1e-15)
    np.testing.assert_allclose(variance(1.5, np.array([2.0]), np.array([1e-100])), 4.5e-200, rtol=1e-14)


@pytest.mark.parametrize("n", [1.05, 1.5, 2.5, 6.5, 16.0])
def test_the_table(n):
    """About z = -10 the moment is like e^{c u} over a panel, |u| < 1, of which the table leaves out c¹⁴/(2¹³ 14!).

    Its logarithmic slope is the distance from z to the peak of uⁿ φ(u - z).
    """
    z, s = np.linspace(-12.0, 12.0, 2401), np.full(2401, 0.7)
    c = 0.5 * WIDTH * (peak(n, LOWEST) - LOWEST)
    rtol = 1e-14 + 4.0 * c ** (DEGREE + 1) / (2.0**DEGREE * math.factorial(DEGREE + 1))
    np.testing.assert_allclose(tabulated(n, z * s, s), rectified(n, z * s, s), rtol=rtol)
