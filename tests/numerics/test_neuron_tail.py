"""Far from the origin the moments of a step of the neuron itself are those of the matrix; the exponent follows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.numerics.half_moments import log_moment
from ctrnn_theory.numerics.kesten import tail_exponent
from ctrnn_theory.numerics.neuron_tail import neuron_multipliers, neuron_tail_exponent
from ctrnn_theory.support.errors import NotApplicable

KINDS = ({"gain_inside": 0.9}, {"gain_outside": 0.9}, {"keep": 0.6})
NEURONS = ((0.8, 0.3), (-2.5, 0.6), (0.9, 1.0), (-3.0, 0.9))
FAR = 1e12


def matrix(w, gamma, slopes, p, **kind):
    up, down = neuron_multipliers(w, gamma, slopes, **kind)
    parts = ((up, _mirrored(up)), (_mirrored(down), down))
    return np.array([[math.exp(log_moment(part, p)) for part in row] for row in parts])


def _mirrored(pieces):
    return tuple(piece.mirrored() for piece in pieces)


def walk(w, gamma, slopes, start, steps, count, rng, gain_inside=0.0, gain_outside=0.0, keep=1.0):
    """States of the neuron after some steps, by its definition, with a threshold of its own."""
    h = np.full(count, start)
    for _ in range(steps):
        x = (w * h + 0.3) * (1 + gain_inside * rng.standard_normal(count))
        y = np.where(x > 0, slopes[1] * x, slopes[0] * x)
        y = y * (1 + gain_outside * rng.standard_normal(count)) * (rng.random(count) < keep) / keep
        h = (1 - gamma) * h + gamma * y
    return h


def errors(neuron, slopes, kind, guessed):
    """Errors, in standard errors, of E[|h|^1.5; sign] after three steps from far above and far below."""
    p, steps, count, found = 1.5, 3, 40_000, []
    rng = np.random.default_rng(5)
    first, second = (np.linalg.matrix_power(matrix(*neuron, guessed, q, **kind), steps) for q in (p, 2 * p))
    spread = np.sqrt(np.maximum(second - first**2, 0.0) / count) + 1e-9 * first + 1e-12
    for row, start in enumerate((FAR, -FAR)):
        h = walk(*neuron, slopes, start, steps, count, rng, **kind) / FAR
        for column, side in enumerate((h > 1e-9, h < -1e-9)):
            values = np.where(side, np.abs(h), 0.0) ** p
            found.append(abs(values.mean() - first[row, column]) / spread[row, column])
    return max(found)


@pytest.mark.parametrize("slopes", [(0.0, 1.0), (0.2, 1.0), (1.0, 0.4), (-0.5, 1.0)])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: next(iter(kind)))
@pytest.mark.parametrize("neuron", NEURONS, ids=str)
def test_the_moments_of_three_steps(neuron, kind, slopes):
    assert errors(neuron, slopes, kind, slopes) < 5.0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: next(iter(kind)))
def test_other_slopes_have_other_moments(kind):
    assert errors((-2.5, 0.6), (0.2, 1.0), kind, (1.0, 0.2)) > 5.0
    assert errors((-2.5, 0.6), (0.2, 1.0), kind, (0.3, 1.0)) > 5.0


@settings(deadline=None)
@given(
    w=st.floats(-3, 3),
    gamma=st.floats(0.05, 1),
    slopes=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    gain=st.floats(0.1, 1.5),
    kind=st.sampled_from(["gain_inside", "gain_outside"]),
)
def test_at_the_exponent_the_radius_is_one(w, gamma, slopes, gain, kind):
    exponent = neuron_tail_exponent(w, gamma, slopes, **{kind: gain})
    if 1e-3 < exponent < 1e3:
        logarithm = math.log(max(abs(np.linalg.eigvals(matrix(w, gamma, slopes, exponent, **{kind: gain})))))
        assert logarithm == pytest.approx(0.0, abs=1e-11 * max(1.0, exponent))
        below = matrix(w, gamma, slopes, 0.5 * exponent, **{kind: gain})
        assert max(abs(np.linalg.eigvals(below))) < 1.0


@given(w=st.floats(-3, 3), gamma=st.floats(0.05, 1), gain=st.floats(0.0, 1.5))
def test_a_linear_neuron_is_a_kesten_process_wherever_the_noise_is(w, gamma, gain):
    expected = tail_exponent(1 - gamma + gamma * w, gamma * abs(w) * gain)
    for kind in ("gain_inside", "gain_outside"):
        found = neuron_tail_exponent(w, gamma, **{kind: gain})
        assert found == pytest.approx(expected, rel=1e-8, abs=1e-8)


def test_reflection():
    """-f(-x) has the two slopes exchanged, and the same exponent."""
    for kind in KINDS:
        for neuron in NEURONS:
            assert neuron_tail_exponent(*neuron, (0.1, 0.9), **kind) == pytest.approx(
                neuron_tail_exponent(*neuron, (0.9, 0.1), **kind), rel=1e-12
            )


def test_saturation_leaves_all_moments():
    for kind in KINDS:
        assert neuron_tail_exponent(3.0, 1.0, (0.0, 0.0), **kind) == math.inf
        assert neuron_tail_exponent(3.0, 0.2, (0.0, 0.0), **kind) == math.inf


def test_without_multiplicative_noise_stability_decides():
    assert neuron_tail_exponent(0.9, 0.3) == math.inf
    assert neuron_tail_exponent(1.1, 0.3, (0.0, 1.0)) == 0.0
    assert neuron_tail_exponent(-3.0, 1.0, (0.1, 1.0)) == math.inf  # 3 in one step, 0.3 in the next
    assert neuron_tail_exponent(-3.0, 1.0, (0.4, 1.0)) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"w": math.nan}, "w must be finite"),
        ({"gamma": 0.0}, r"gamma must be a number in \(0, 1\]; got 0.0"),
        ({"slopes": (0.0, math.inf)}, "slopes must be finite"),
        ({"gain_outside": -1.0}, "gain_outside must be a number of at least 0"),
        ({"keep": 0.0}, "keep must be a number in"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        neuron_tail_exponent(**{"w": 0.5, "gamma": 0.1} | arguments)


def test_two_kinds_of_noise_are_refused():
    with pytest.raises(NotApplicable, match="one kind of multiplicative noise at a time"):
        neuron_tail_exponent(0.5, 0.1, gain_inside=0.1, gain_outside=0.1)
