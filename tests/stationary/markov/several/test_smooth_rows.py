"""Averages over noise inside that are interpolated in the pre-activation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from ctrnn_theory.activations import activation
from ctrnn_theory.stationary.markov.several import operator as operator_module
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.stationary.markov.several.operator import NetworkStep
from ctrnn_theory.stationary.markov.several.smooth_rows import along_lines, interpolation, nodes_needed
from ctrnn_theory.stationary.markov.several.state_box import with_breaks


def interpolation_error(q: float, count: int, jumps: np.ndarray) -> float:
    """Largest error on [-q, q] for E sign(a + ξ - jump) = 2 Φ(a - jump) - 1, with s = 1."""
    t = np.linspace(-1.0, 1.0, 301)
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    known, values = (2.0 * ndtr(q * x[:, None] - jumps) - 1.0 for x in (nodes, t))
    return float(np.max(np.abs(interpolation(t, nodes) @ known - values)))


@given(st.floats(1e-3, 30.0), st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=5))
def test_a_jump_that_noise_smooths_is_resolved_to_rounding(q, jumps):
    assert interpolation_error(q, nodes_needed(q), q * np.array(jumps)) < 1e-14


@pytest.mark.parametrize("q", [0.3, 3.0, 30.0])
def test_half_the_nodes_are_not_enough(q):
    assert interpolation_error(q, nodes_needed(q) // 2, np.zeros(1)) > 1e-12


def test_one_value_needs_one_node_and_hardly_any_noise_more_than_any_grid_has():
    assert nodes_needed(0.0) == 1
    assert nodes_needed(np.inf) > 1e9


def test_lines_of_any_length_and_order_are_interpolated():
    rng, seen = np.random.default_rng(0), []
    h = np.repeat([0.3, -1.0, 0.1], [400, 1, 300])
    order = rng.permutation(len(h))
    h, a = h[order], rng.uniform(-0.5, 0.5, len(h))

    def average(h, a):
        seen.append(len(h))
        return np.stack([h * ndtr(a), ndtr(a - h), 0.0 * a, 0.0 * a], axis=1)

    np.testing.assert_allclose(along_lines(average, h, a, 1.0), average(h, a), atol=1e-14)
    assert seen[0] < 100
    assert np.array_equal(along_lines(average, h, a, 1e-3), average(h, a))  # too many nodes: every point by itself


@pytest.mark.parametrize("f", ["tanh", "relu", "step"])
def test_rows_of_the_operator_are_the_same(f, monkeypatch):
    """Rows from which no step leaves the box; the quadrature of others steps over the bend at its end."""
    W = np.array([[0.3, -0.2, 0.1], [0.2, 0.1, 0.0], [-0.1, 0.3, 0.2]])
    step = NetworkStep(activation(f), W, np.full(3, 0.1), 0.1, 0.04 * np.eye(3), np.zeros((3, 3)))
    grid = ChebyshevGrid(np.full(3, -1.0), np.full(3, 2.0), (10, 10, 10))
    step = with_breaks(step, grid.low, grid.high)
    lines = step.rows(grid, grid.points, step.order(grid))
    monkeypatch.setattr(operator_module, "along_lines", lambda average, h, a, s: average(h, a))
    points = step.rows(grid, grid.points, step.order(grid))
    inside = ~points.over.any(axis=(1, 2))
    assert np.mean(inside) > 0.5
    for one, other in zip(lines.factors, points.factors, strict=True):
        assert not np.array_equal(one, other)
        np.testing.assert_allclose(one[inside], other[inside], atol=1e-13)
