"""Calls on threads; what a function like map must do is in tests/test_places.py."""

import time

import pytest

from ctrnn_theory.support.workers import for_each, longest


@pytest.mark.parametrize("workers", [1, 3, None, map])
def test_each_item_once(workers):
    done = []
    for_each(done.append, range(20), workers)
    assert sorted(done) == list(range(20))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_longest_call(workers):
    assert 0.2 <= longest(time.sleep, [0.0, 0.2, 0.05], workers) < 5.0
