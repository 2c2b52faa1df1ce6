"""Moments over one sign against mpmath: parabolic cylinder functions for normals, quadrature for truncated ones."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from ctrnn_theory.numerics.half_moments import Piece, excess, log_moment, mean_log

DIGITS = 30


def closed(mean, std, p):
    """E[A^p; A > 0] = s^p Γ(p+1)/√(2π) e^(-z²/4) D_{-p-1}(-z)."""
    m, s, p = map(mp.mpf, (mean, std, p))
    z = m / s
    return s**p * mp.gamma(p + 1) / mp.sqrt(2 * mp.pi) * mp.exp(-z * z / 4) * mp.pcfd(-p - 1, -z)


@settings(max_examples=60, deadline=None)
@given(
    z=st.floats(-20, 20),
    std=st.floats(1e-3, 10).map(lambda s: round(s, 6)),
    p=st.one_of(st.floats(0, 3), st.floats(3, 400)),
)
def test_a_normal_has_the_closed_form(z, std, p):
    with mp.workdps(DIGITS):
        expected = float(mp.log(closed(z * std, std, p)))

    assert log_moment((Piece(z * std, std),), p) == pytest.approx(expected, rel=1e-13, abs=1e-13)


@settings(max_examples=15, deadline=None)
@given(
    z=st.floats(-6, 6),
    ends=st.tuples(st.floats(0, 5), st.floats(0, 5)).map(sorted).filter(lambda e: e[1] - e[0] > 1e-3),
    p=st.floats(0.01, 30),
)
def test_a_truncated_normal_is_the_integral(z, ends, p):
    with mp.workdps(DIGITS):
        peak = (z + math.sqrt(z * z + 4 * p)) / 2
        inside = [x for x in (peak - 1, peak, peak + 1) if ends[0] < x < ends[1]]
        top = min(max(peak, ends[0]), ends[1])  # taken out, since the error of quad is absolute
        scaled = mp.quad(
            lambda x: (x / top) ** p * mp.exp((top - x) * (top + x - 2 * z) / 2), [ends[0], *inside, ends[1]]
        )
        expected = mp.log(scaled) + p * mp.log(top) + mp.log(mp.npdf(top, z, 1))
    assert log_moment((Piece(z, 1.0, 1.0, *ends),), p) == pytest.approx(float(expected), rel=1e-12, abs=1e-12)


def test_a_piece_far_in_the_tail_is_not_lost():
    """E[A²; A > 12] for a standard normal A, from φ and Φ: 12 φ(12) + Φ(-12)."""
    expected = 12 * math.exp(-72) / math.sqrt(2 * math.pi) + ndtr(-12)
    assert log_moment((Piece(0.0, 1.0, 1.0, 12.0),), 2.0) == pytest.approx(math.log(expected), rel=1e-14)


@given(z=st.floats(-30, 30))
def test_order_zero_is_the_probability(z):
    assert log_moment((Piece(z, 1.0),), 0.0) == pytest.approx(float(mp.log(mp.ncdf(z))), rel=1e-13, abs=1e-15)


@given(m=st.floats(-3, 3), s=st.floats(0.01, 3), p=st.floats(0.01, 0.49))
def test_the_change_is_the_moment_less_the_probability(m, s, p):
    probability, change = excess((Piece(m, s),), p)
    moment = math.exp(log_moment((Piece(m, s),), p))
    assert probability + change == pytest.approx(moment, rel=1e-13)
    assert probability == pytest.approx(ndtr(m / s), rel=1e-12)


@given(m=st.floats(-3, 3), s=st.floats(0.01, 3))
def test_the_change_is_p_times_the_mean_of_the_logarithm_as_p_vanishes(m, s):
    piece = (Piece(m, s),)
    _, change = excess(piece, 1e-30)
    assert change == pytest.approx(1e-30 * mean_log(piece), rel=1e-12)


def test_atoms():
    atoms = (Piece(2.0, weight=0.3), Piece(-1.0, weight=0.5), Piece(0.0, weight=0.2))
    assert log_moment(atoms, 3.0) == pytest.approx(math.log(0.3 * 8))
    assert excess(atoms, 0.25) == pytest.approx((0.3, 0.3 * (2**0.25 - 1)))
    assert log_moment((Piece(-1.0),), 1.0) == -math.inf


def test_pieces_add_up():
    """A normal is its part below one and its part above."""
    parts = (Piece(0.4, 0.7, upper=1.0), Piece(0.4, 0.7, lower=1.0))
    for p in (0.0, 0.3, 2.5, 40.0):
        assert log_moment(parts, p) == pytest.approx(log_moment((Piece(0.4, 0.7),), p), rel=1e-13, abs=1e-14)
    np.testing.assert_allclose(mean_log(parts), mean_log((Piece(0.4, 0.7),)), rtol=1e-13)
