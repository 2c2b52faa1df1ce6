"""Exponents of random multipliers: mpmath, moments of even order, and the limits of weak noise and of two values."""

import math

import mpmath as mp
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ctrnn_theory.numerics.half_moments import Piece
from ctrnn_theory.numerics.kesten import chain_tail_exponent, log_absolute_moment, lyapunov_exponent, tail_exponent

means, stds = st.floats(-2, 2), st.floats(0.01, 2)


def moment(mean, std, p):
    """E|A|^p by Kummer's function."""
    m, s, p = map(mp.mpf, (mean, std, p))
    half = mp.mpf(1) / 2
    return (s * mp.sqrt(2)) ** p * mp.gamma((p + 1) / 2) / mp.sqrt(mp.pi) * mp.hyp1f1(-p / 2, half, -((m / s) ** 2) / 2)


def half(mean, std, p):
    """E[A^p; A > 0] by a parabolic cylinder function."""
    m, s, p = map(mp.mpf, (mean, std, p))
    z = m / s
    return s**p * mp.gamma(p + 1) / mp.sqrt(2 * mp.pi) * mp.exp(-z * z / 4) * mp.pcfd(-p - 1, -z)


def radius(up, down, p):
    """Spectral radius of the matrix of moments, for normal multipliers (mean, std) above and below zero."""
    (a, b), (c, d) = (half(*up, p), half(-up[0], up[1], p)), (half(-down[0], down[1], p), half(*down, p))
    return (a + d + mp.sqrt((a - d) ** 2 + 4 * b * c)) / 2


@settings(deadline=None)
@given(z=st.floats(-12, 12), std=stds)
def test_the_mean_logarithm_is_the_integral_of_dawsons_function(z, std):
    with mp.workdps(30):
        z = z * std / mp.mpf(std)  # as it is rounded
        series = z * z / 2 * mp.hyp2f2(1, 1, 1.5, 2, -z * z / 2)
        expected = float(mp.log(std) - (mp.euler + mp.log(2)) / 2 + series)
    assert lyapunov_exponent(float(z) * std, std) == pytest.approx(expected, abs=2e-14)


@settings(deadline=None, max_examples=40)
@given(mean=means, std=stds, p=st.floats(0, 60))
def test_absolute_moments_are_kummers_function(mean, std, p):
    with mp.workdps(30):
        expected = float(mp.log(moment(mean, std, p)))
    assert log_absolute_moment(mean, std, p) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(mean=means, std=stds)
def test_even_moments_decide(mean, std):
    """The exponent is above 2 where E A² < 1, and above 4 where E A⁴ < 1: both are polynomials."""
    exponent = tail_exponent(mean, std)
    for order, value in ((2, mean**2 + std**2), (4, mean**4 + 6 * mean**2 * std**2 + 3 * std**4)):
        assume(abs(value - 1) > 1e-12)
        assert (exponent > order) == (value < 1)


@pytest.mark.parametrize(
    ("w", "gamma", "mu", "known"), [(0.5, 0.1, 0.5, 165.0), (0.8, 0.3, 0.5, 9.5), (0.9, 0.5, 1.0, 1.43)]
)
def test_exponents_of_a_linear_neuron(w, gamma, mu, known):
    mean, std = 1 - gamma + gamma * w, gamma * w * mu
    exponent = tail_exponent(mean, std)
    assert exponent == pytest.approx(known, rel=6e-3)
    with mp.workdps(40):
        root = mp.findroot(lambda p: mp.log(moment(mean, std, p)), exponent)
    assert exponent == pytest.approx(float(root), rel=1e-13)


@settings(deadline=None, max_examples=40)
@given(mean=means, std=stds)
def test_at_the_exponent_the_moment_is_one(mean, std):
    exponent = tail_exponent(mean, std)
    growth = lyapunov_exponent(mean, std)
    assume(abs(growth) > 1e-12)
    assert (exponent == 0.0) == (growth >= 0.0)
    if 0.0 < exponent < math.inf:
        with mp.workdps(40):
            size = mp.diff(lambda p: mp.log(moment(mean, std, p)), exponent)
            error = mp.log(moment(mean, std, exponent)) / size
        # a rounding of the moment, which is one, moves the root by that over the slope
        assert float(abs(error)) <= 1e-13 * exponent + 1e-13 / float(size)


def test_a_small_exponent_keeps_its_digits():
    """Just below the growth of zero the exponent is -2 E log|A| / Var log|A| to leading order."""
    mean, std = 0.0, math.exp(0.6351814227307391 - 1e-9)
    variance = math.pi**2 / 8  # of log|ξ|
    assert tail_exponent(mean, std) == pytest.approx(2e-9 / variance, rel=1e-6)


def test_weak_noise():
    """log E A^p = p log m + p (p-1) ε²/2 + O(ε⁴ p⁴), so that the exponent is near 1 - 2 log m / ε²."""
    mean = 1 - 1e-5
    for std in (1e-3, 5e-4):
        expected = 1 - 2 * math.log(mean) / (std / mean) ** 2
        assert tail_exponent(mean, std) == pytest.approx(expected, rel=40 * std)


def test_ends_of_the_range():
    assert tail_exponent(0.0, 0.0) == tail_exponent(-0.99, 0.0) == math.inf
    assert tail_exponent(1.0, 0.0) == tail_exponent(-1.5, 0.0) == tail_exponent(0.0, 2.0) == 0.0
    assert tail_exponent(0.0, 1.0) == pytest.approx(2.0, rel=1e-14)  # E ξ² = 1
    assert lyapunov_exponent(0.0, 0.0) == -math.inf
    assert lyapunov_exponent(-0.5, 0.0) == pytest.approx(-math.log(2))


@given(mean=means, std=stds)
def test_one_law_on_both_sides_is_the_same_as_no_sides(mean, std):
    piece = (Piece(mean, std),)
    assume(abs(lyapunov_exponent(mean, std)) > 1e-9)
    assert chain_tail_exponent(piece, piece) == pytest.approx(tail_exponent(mean, std), rel=1e-9)


@settings(deadline=None, max_examples=12)
@given(
    up=st.tuples(means, st.floats(0.2, 2)),
    down=st.tuples(means, st.floats(0.2, 2)),
)
def test_at_the_exponent_of_two_sides_the_radius_is_one(up, down):
    exponent = chain_tail_exponent((Piece(*up),), (Piece(*down),))
    with mp.workdps(30):
        small = float(mp.log(radius(up, down, mp.mpf("1e-12"))) * mp.mpf("1e12"))
        assume(abs(small) > 1e-6)
        assert (exponent > 0.0) == (small < 0.0)
        if exponent > 0.0:
            slope = mp.diff(lambda p: mp.log(radius(up, down, p)), exponent)
            error = mp.log(radius(up, down, exponent)) / slope
            assert float(abs(error)) <= 1e-11 * exponent + 1e-12 / float(slope)


def test_two_values():
    """A tail needs a value above one in size on a cycle of signs: 0.5 a^κ + 0.5 b^κ = 1."""

    def both(*values):
        law = tuple(Piece(value, weight=0.5) for value in values)
        return chain_tail_exponent(law, law)

    assert both(1.2, 0.5) == pytest.approx(float(mp.findroot(lambda p: 1.2**p + 0.5**p - 2, 5)), rel=1e-12)
    assert both(1.2, -0.5) == pytest.approx(both(1.2, 0.5), rel=1e-12)  # |A| alone counts
    assert both(1.0, 0.5) == both(-1.0, 0.5) == both(0.9, 0.3) == math.inf
    assert both(2.0, 0.5) == both(3.0, 0.9) == 0.0
    # three times as large in one step and a tenth in the next: no tail, although 3 > 1
    assert chain_tail_exponent((Piece(-3.0),), (Piece(-0.1),)) == math.inf
    assert chain_tail_exponent((Piece(-3.0),), (Piece(-0.5),)) == 0.0
    # one side that dies out at once, and one that is left for ever with probability one half at each step
    assert chain_tail_exponent((Piece(3.0, weight=0.5), Piece(0.0, weight=0.5)), (Piece(0.0),)) == pytest.approx(
        math.log(2) / math.log(3), rel=1e-13
    )


@pytest.mark.parametrize("function", [lyapunov_exponent, tail_exponent])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [((math.nan, 1.0), "mean must be finite"), ((1.0, -0.1), "std must be a number of at least 0; got -0.1")],
)
def test_bad_input(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)
