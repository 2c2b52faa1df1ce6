"""Rules of few points keep the moments of a law of many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory.stationary.markov.joint.compression import compressed


@given(seed=st.integers(0, 2**32), count=st.integers(1, 8), shift=st.floats(-5.0, 5.0))
@settings(max_examples=50, deadline=None)
def test_moments_below_twice_the_number_of_nodes_are_kept(seed, count, shift):
    rng = np.random.default_rng(seed)
    x, w = rng.uniform(-1.0, 1.0, (3, 40)) + shift, rng.uniform(size=(3, 40))
    w /= w.sum(axis=1, keepdims=True)
    nodes, weights = compressed(x, w, count)
    assert np.all(weights >= 0.0)
    for power in range(2 * count):
        wanted = np.sum(w * (x - shift) ** power, axis=1)
        assert np.sum(weights * (nodes - shift) ** power, axis=1) == pytest.approx(wanted, abs=1e-13)


def test_a_moment_beyond_is_not_kept():
    x = np.linspace(-1.0, 1.0, 101)[None]
    nodes, weights = compressed(x, np.full(x.shape, 1.0 / 101), 3)
    assert abs(np.sum(weights * nodes**6) - np.mean(x**6)) > 1e-3


@pytest.mark.parametrize("points", [[0.5], [0.0, 1.0], [-1.0, 0.0, 3.0]])
def test_a_law_of_fewer_points_is_itself(points):
    """Such as the value 0 or 1/p that dropout leaves of a rate."""
    x, w = np.repeat(points, 4)[None], np.full((1, 4 * len(points)), 0.25 / len(points))
    nodes, weights = compressed(x, w, 4)
    for power in range(8):
        assert np.sum(weights * nodes**power) == pytest.approx(np.mean(np.array(points) ** power), abs=1e-13, rel=1e-13)
