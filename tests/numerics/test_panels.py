"""Panels are halved until each is resolved: where, how far, and in which order the caller learns of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.numerics.panels import double_until_steady, halve_until_resolved, halves


def test_halves_cover_their_panels():
    left, right = halves(np.array([0.0, 2.0]), np.array([1.0, 4.0]))
    np.testing.assert_array_equal(left, [0.0, 2.0, 0.5, 3.0])
    np.testing.assert_array_equal(right, [0.5, 3.0, 1.0, 4.0])


@given(feature=st.floats(0.0, 1.0), width=st.floats(1e-3, 1.0))
def test_panels_tile_the_interval_and_are_narrow_where_they_must_be(feature, width):
    def resolved(left, right, parent):
        return (right - left <= width) | (right < feature) | (left > feature)

    left, right = halve_until_resolved(np.array([0.0, 0.5]), np.array([0.5, 1.0]), resolved)
    order = np.argsort(left)
    left, right = left[order], right[order]
    assert left[0] == 0.0
    assert right[-1] == 1.0
    np.testing.assert_array_equal(left[1:], right[:-1])
    assert np.all(resolved(left, right, None))
    assert len(left) <= 2 * (2 + np.log2(1.0 / width)) + 2


def test_each_round_gets_the_parents_of_its_panels():
    rounds = []

    def resolved(left, right, parent):
        if parent is not None:
            before_left, before_right = rounds[-1]
            assert np.all((before_left[parent] <= left) & (right <= before_right[parent]))
            np.testing.assert_array_equal(before_right[parent] - before_left[parent], 2.0 * (right - left))
        rounds.append((left, right))
        return left * (right - left) < 0.1

    left, right = halve_until_resolved(np.arange(4.0), np.arange(1.0, 5.0), resolved)
    assert len(rounds) > 3
    settled = [parts for part in rounds for parts in zip(*part, strict=True) if parts[0] * (parts[1] - parts[0]) < 0.1]
    assert list(zip(left, right, strict=True)) == settled  # round by round, in order


def test_too_many_panels_are_refused_by_the_caller():
    def require_few(settled, pending):
        if settled + 2 * pending > 100:
            raise ValueError(f"{settled} and {pending}")

    with pytest.raises(ValueError, match=r"^0 and 64$"):
        halve_until_resolved(np.zeros(1), np.ones(1), lambda a, b, parent: np.zeros(a.shape, dtype=bool), require_few)


def test_nothing_to_halve():
    left, right = halve_until_resolved(np.empty(0), np.empty(0), lambda a, b, parent: pytest.fail("called"))
    assert left.size == right.size == 0


def test_a_rule_is_doubled_until_its_value_is_steady():
    tried = []

    def value(panels):
        tried.append(panels)
        return 1.0 + 1.0 / panels**4

    result, steady = double_until_steady(value, lambda before, now: abs(now - before) < 1e-4, 3, 1000)
    assert steady
    assert tried == [3, 6, 12, 24]
    assert result == value(24)
    result, steady = double_until_steady(value, lambda before, now: before == now, 3, 20)
    assert not steady
    assert result == value(12)
