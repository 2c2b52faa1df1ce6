import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian import logistic_family as logistic
from ctrnn_theory.activations.gaussian.closed_forms import (
    SMOOTHED,
    PiecewisePolynomial,
    cdf_derivative,
    density_derivative,
    smoothed_powers,
    tail_moments,
)
from tests.references import mp


@pytest.mark.parametrize("n", range(5))
def test_density_and_cdf(n):
    z = np.array([-60.0, -8.0, -0.3, 0.0, 2.0, 60.0])
    true = [float(mp.diff(mp.npdf, t, n)) for t in z]
    np.testing.assert_allclose(density_derivative(z, n), true, rtol=1e-13, atol=1e-15)
    true = [float(mp.diff(mp.ncdf, t, n)) for t in z]
    np.testing.assert_allclose(cdf_derivative(z, n), true, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("u", [0.0, 0.7, 3.0, 8.0])
def test_tail_moments(u):
    with mp.workdps(40):
        true = [float(mp.quad(lambda t, j=j: t**j * mp.npdf(t), [u, u + 2, u + 6, u + 15])) for j in range(7)]
    np.testing.assert_allclose(tail_moments(np.array([u]), 7)[:, 0], true, rtol=1e-13)


@settings(max_examples=30, deadline=None)
@given(st.floats(-6, 6), st.floats(0.1, 10), st.integers(0, 4))
def test_smoothed_powers(z, s, j):
    """E ((d + s ξ)_+)^j / j!, cut at |ξ| = 12; 12⁴ φ(12) = 3e-28."""
    d = z * s
    value = smoothed_powers(np.array([d]), np.array([s]), range(j + 1))[j][0]
    t, w = np.polynomial.legendre.leggauss(100)
    half = 0.5 * (12 + z)
    xi = half * (t + 1) - z
    true = np.sum(half * w * np.exp(-0.5 * xi**2) * (d + s * xi) ** j) / math.sqrt(2 * math.pi) / math.factorial(j)
    assert math.isclose(value, true, rel_tol=1e-12, abs_tol=1e-13 * max(s, abs(d)) ** j)


@pytest.mark.parametrize("name", SMOOTHED)
@pytest.mark.parametrize("n", range(4))
def test_derivatives_are_derivatives(name, n):
    """F^(n)(a + d) - F^(n)(a - d) is the integral of F^(n+1): 20 Gauss–Legendre nodes on an entire function."""
    a, d = np.linspace(-3, 3, 13), 0.25
    t, w = np.polynomial.legendre.leggauss(20)
    for width in (0.4, 1.0, 7.0):
        s = np.full((13, 20), width).ravel()
        inner = SMOOTHED[name]((a[:, None] + d * t).ravel(), s, n + 1).reshape(13, 20)
        outer = SMOOTHED[name](a + d, s[:13], n) - SMOOTHED[name](a - d, s[:13], n)
        np.testing.assert_allclose(d * inner @ w, outer, rtol=0, atol=1e-12)


def test_elu_does_not_overflow():
    a, s = np.array([-40.0, -40.0, 0.0, 40.0, 800.0, -2000.0]), np.array([100.0, 1e-8, 1e3, 100.0, 1.0, 30.0])
    for n in range(3):
        assert np.all(np.isfinite(SMOOTHED["elu"](a, s, n)))


def test_piecewise_polynomial_structure():
    found = PiecewisePolynomial.of(activation("hardtanh"))
    assert found.breaks == (-1.0, 1.0)
    assert found.jumps == ((0.0, 1.0), (0.0, -1.0))
    assert PiecewisePolynomial.of(activation("tanh")) is None
    assert PiecewisePolynomial.of(activation("Piecewise((0, x < 0), (x**2, x < 1), (1, True))")) is None


SEVERAL = [
    "hardtanh",
    "Piecewise((-1, x < -1), (x/2, x < 0), (2*x, x < 1), (2, True))",
    "Piecewise((x, x < 0), (0, x < 1), (3*x - 3, True))",
    "Heaviside(x) - Heaviside(x - 0.5)",
]


@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize("text", SEVERAL)
@settings(max_examples=10)
@given(z=st.floats(-6, 6), size=st.floats(2.0, 8.0))
def test_wide_noise_over_kinks_that_are_close(text, n, z, size):
    """Against truncated powers with 60 digits, which lose twice the size of s; error is relative to all terms."""
    found, s = PiecewisePolynomial.of(activation(text)), 10.0**size
    a = z * s

    def term(jump, k, j):
        """Return E of jump (x - k)₊^j / j! as a function of a."""

        def value(at):
            d = (at - k) / mp.mpf(s)
            tail = mp.ncdf(d)
            return jump * (tail if j == 0 else s * (d * tail + mp.npdf(d)))

        return value

    first = [*found.coefficients[0], 0.0][:2]
    with mp.workdps(60):
        rows = zip(found.breaks, found.jumps, strict=True)
        terms = [term(jump, k, j) for k, row in rows for j, jump in enumerate(row)]
        terms.append(lambda at: mp.mpf(first[0]) + first[1] * at)
        true = mp.diff(lambda at: mp.fsum(value(at) for value in terms), a, n)
    slope, last = (found.coefficients[i][1] if len(found.coefficients[i]) > 1 else 0.0 for i in (0, -1))
    density = float(density_derivative(np.array([z]), 0)[0]) * (1 + abs(z)) ** n
    of_tails = abs(last - slope) * (abs(a) + s if n == 0 else 1.0 if n == 1 else density * s ** (1 - n))
    of_line = abs(first[0]) + abs(first[1] * a) if n == 0 else abs(first[1]) if n == 1 else 0.0
    of_kinks = 12.0 * (1.0 if n == 0 else density * s**-n)  # jumps, and slopes times lengths of pieces, add up to less
    assert abs(found.smoothed_far(np.array([a]), np.array([s]), n)[0] - true) < 1e-14 * (of_tails + of_line + of_kinks)


def test_truncated_powers_cancel_under_wide_noise():
    found, s = PiecewisePolynomial.of(activation("hardtanh")), np.array([1e6])
    one, other = found.smoothed(0.0 * s, s, 1)[0], found.smoothed_far(0.0 * s, s, 1)[0]
    assert math.isclose(other, 2.0 / (s[0] * math.sqrt(2.0 * math.pi)), rel_tol=1e-12)
    assert not math.isclose(one, other, rel_tol=1e-12)


@pytest.mark.parametrize("text", ["Max(0, x - 1) + 1000", "Heaviside(x) + x**2", "x*Abs(x)", "x**4 - x"])
@pytest.mark.parametrize(("a", "s"), [(-2.0, 0.3), (-0.1, 0.3), (0.0, 1.0), (0.8, 0.5), (1.2, 0.5), (2.5, 0.4)])
def test_polynomial_variance_on_both_sides(text, a, s):
    """Against quadrature with 40 digits. u standard deviations from the break, a tail alone cancels as u⁴.

    φ(u) and Φ(-u) are rounded apart by u²/2, so that u⁶ times 1e-16 is lost, at most.
    """
    act = activation(text)

    def f(t):
        x = mp.mpf(a) + mp.mpf(s) * t
        piece = next(p for p in act.pieces if x <= p.upper)
        return mp.polyval(list(reversed(piece.polynomial)), x)

    breaks = [(mp.mpf(k) - a) / s for k in act.breakpoints]
    with mp.workdps(40):
        edges = sorted({mp.mpf(-14), mp.mpf(14), mp.mpf(0), *(k for k in breaks if abs(k) < 14)})
        mean = mp.quad(lambda t: f(t) * mp.npdf(t), edges)
        true = mp.quad(lambda t: (f(t) - mean) ** 2 * mp.npdf(t), edges)
    u = max((abs(float(k)) for k in breaks), default=0.0)
    assert math.isclose(act.smoothed_variance(a, s), true, rel_tol=1e-13 + 1e-16 * u**6)


@pytest.mark.parametrize("g", [logistic.sigmoid, logistic.half_tanh, logistic.softplus, logistic.silu])
@pytest.mark.parametrize("n", range(5))
def test_logistic_derivatives(g, n):
    functions = {
        "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
        "half_tanh": lambda x: mp.tanh(x / 2),
        "softplus": lambda x: mp.log1p(mp.exp(x)),
        "silu": lambda x: x / (1 + mp.exp(-x)),
    }
    x = np.array([-30.0, -5.0, -0.2, 0.0, 1.0, 7.0, 30.0])
    with mp.workdps(50):
        true = [float(mp.diff(functions[g.__name__], t, n)) for t in x]
    np.testing.assert_allclose(g(x, n), true, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("name", logistic.FAMILIES)
@pytest.mark.parametrize("n", range(5))
def test_both_rules_agree_where_they_meet(name, n):
    """At s = 1.25 (after scaling) either rule is good to 1e-14."""
    family = logistic.FAMILIES[name]
    a = np.linspace(-40, 40, 161)
    s = np.full_like(a, logistic.NARROW)
    one, two = logistic.narrow(family.g, a, s, n), logistic.wide(family, a, s, n)
    assert np.max(np.abs(one - two) / np.maximum(1, np.abs(one))) < 3e-14
