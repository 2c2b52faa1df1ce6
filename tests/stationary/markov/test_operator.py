"""The matrix of the operator: quadrature, interpolation, and P on functions for which it is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrnn_theory.stationary.markov.operator import ChebyshevPanels, Step, gaussian_nodes, summed
from ctrnn_theory.stationary.markov.operator_kernel import scatter

ROUNDING = 1e-13  # sums of some hundred terms of order one


@given(cuts=st.lists(st.floats(-20.0, 20.0), max_size=6), order=st.sampled_from([16, 24]))
def test_gaussian_moments_with_any_cuts(cuts, order):
    rows, xi, weights = gaussian_nodes(np.array([cuts, cuts]).reshape(2, -1), 9.0, order)
    for row in (0, 1):
        for power, exact in ((0, 1.0), (1, 0.0), (2, 1.0), (4, 3.0), (6, 15.0)):
            assert weights[rows == row] @ xi[rows == row] ** power == pytest.approx(exact, abs=20 * ROUNDING)


@given(cut=st.floats(-6.0, 6.0))
def test_a_cut_makes_a_kink_exact(cut):
    _, xi, weights = gaussian_nodes(np.array([[cut]]), 8.5, 16)
    density = math.exp(-0.5 * cut**2) / math.sqrt(2.0 * math.pi)
    assert weights @ np.maximum(xi - cut, 0.0) == pytest.approx(
        density - cut * 0.5 * math.erfc(cut / math.sqrt(2.0)), abs=ROUNDING
    )


def test_interpolation_is_exact_for_a_panel_s_degree():
    panels = ChebyshevPanels(np.array([-1.0, 0.2, 0.5, 3.0]))
    x = np.linspace(-1.0, 3.0, 101)
    g = np.stack([panels.nodes**15 / 3.0**15, np.ones(len(panels.nodes))], axis=1)
    assert np.allclose(panels.values(x, g), np.stack([x**15 / 3.0**15, np.ones(101)], axis=1), rtol=0.0, atol=ROUNDING)
    assert len(panels.nodes) == 3 * 15 + 1
    assert np.all(np.diff(panels.nodes) > 0.0)


def test_a_function_may_jump_at_an_edge_that_says_so():
    panels = ChebyshevPanels(np.array([-1.0, 0.25, 2.0]), jumps=np.array([0.25]))
    g = np.where(panels.nodes < 0.25, panels.nodes, 5.0)[:, None]
    x = np.array([-1.0, 0.0, 0.2499, 0.2501, 2.0])
    assert np.allclose(panels.values(x, g)[:, 0], [-1.0, 0.0, 0.2499, 5.0, 5.0], rtol=0.0, atol=1e-12)
    assert len(panels.nodes) == 32


@pytest.mark.parametrize(("inside", "outside"), [(0.5, 0.0), (0.0, 0.5), (0.3, 0.4)])
def test_the_operator_on_one_state_and_square(inside, outside):
    """For f(a) = a: P 1 = 1, P h = A h + γ b, P h² = (A h + γ b)² + γ² (σ_in² + σ_out²), A = 1 - γ + γ w."""
    w, b, gamma = 0.4, 0.1, 0.3
    step = Step(lambda x: x, w, b, gamma, inside, outside)
    panels = ChebyshevPanels(np.linspace(-6.0, 6.0, 7))
    diffused = step.diffusion(panels, panels.nodes, 16) if inside and outside else None
    h = np.linspace(-1.0, 1.0, 9)  # so far from the ends that no step leaves the panels
    rows = step.rows(panels, h, 16, diffused)
    moved = (1.0 - gamma + gamma * w) * h + gamma * b
    assert np.allclose(rows[:, :-2].sum(axis=1), 1.0, rtol=0.0, atol=ROUNDING)
    assert np.allclose(rows[:, :-2] @ panels.nodes, moved, rtol=0.0, atol=10 * ROUNDING)
    square = moved**2 + gamma**2 * (inside**2 + outside**2)
    assert np.allclose(rows[:, :-2] @ panels.nodes**2, square, rtol=0.0, atol=100 * ROUNDING)
    assert np.all(np.abs(rows[:, -2:]) < ROUNDING)


def test_the_overstep_of_the_panels_is_counted():
    panels = ChebyshevPanels(np.array([0.0, 0.5, 1.0]))
    matrix = panels.averages(np.array([0, 0, 1]), np.array([-0.5, 0.25, 3.0]), np.array([0.5, 0.5, 1.0]), 2)
    assert matrix[:, -2:] == pytest.approx(np.array([[0.25, 0.0], [0.0, 2.0]]))
    assert matrix[:, :-2] @ panels.nodes == pytest.approx(np.array([0.125, 1.0]))  # moved to the nearer end


def test_the_kernel_without_the_compiler():
    rng = np.random.default_rng(0)
    edges, rows = np.array([0.0, 0.5, 0.75, 1.0]), np.sort(rng.integers(0, 3, 50))
    points, weights = rng.uniform(-0.2, 1.2, 50), rng.uniform(size=50)
    for compiled, plain in zip(
        scatter(edges, rows, points, weights, 3), scatter.py_func(edges, rows, points, weights, 3), strict=True
    ):
        assert np.allclose(compiled, plain, rtol=0.0, atol=ROUNDING)


@given(seed=st.integers(0, 2**32 - 1), panels=st.integers(1, 6), count=st.integers(1, 5))
def test_numpy_gives_the_same_bits_as_the_kernel(seed, panels, count):
    rng = np.random.default_rng(seed)
    edges, rows = np.linspace(-1.0, 2.0, panels + 1), np.sort(rng.integers(0, count, 200)).astype(np.int64)
    points, weights = rng.uniform(-1.5, 2.5, 200), rng.uniform(size=200)
    points[:20] = rng.choice(edges, 20)
    for compiled, plain in zip(
        scatter(edges, rows, points, weights, count), summed(edges, rows, points, weights, count), strict=True
    ):
        np.testing.assert_array_equal(compiled, plain)
