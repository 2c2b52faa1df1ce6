"""Every fixed point of one neuron: against closed forms, polynomial roots and dense scans."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, activation, fixed_points
from ctrnn_theory.dynamics.fixed_points import FixedPoints
from ctrnn_theory.dynamics.roots import one_neuron


def preactivations(text, w, d):
    return np.sort([a for a, _ in one_neuron(activation(text), w, d).found])


@pytest.mark.parametrize(
    ("text", "w", "d", "state"),
    [
        ("relu", 0.99, 10.0, 1000.0),
        ("relu", 0.99, 1e9, 1e11),
        ("identity", 1.0 - 1e-9, 0.1, 0.1 / 1e-9),
        ("softplus", 1e-9, 1e9, 1e9 + 1.0),
        ("tanh", 1e-6, 0.3, np.tanh(0.3)),
        ("gelu", -1e6, 3.0, 0.0),
    ],
)
def test_one_far_root(text, w, d, state):
    found = fixed_points(CTRNN.single(w, d, text))
    assert found.complete
    assert [point.state[0] for point in found] == pytest.approx([state], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("w", "d"), [(300.0, 0.0), (300.0, 0.7), (-45.0, 2.0), (1e3, 1e9)])
def test_sine_has_as_many_roots_as_a_dense_scan_sees(w, d):
    found = preactivations("sin", w, d)
    grid = d + np.linspace(-1.1 * abs(w), 1.1 * abs(w), 2_000_002)
    signs = np.sign(grid - w * np.sin(grid) - d)
    assert len(found) == np.count_nonzero(signs[1:] != signs[:-1])
    assert len(found) == 191 or (w, d) != (300.0, 0.0)
    np.testing.assert_allclose(found - w * np.sin(found), d, atol=1e-12 * abs(w) * (1.0 + abs(d)))


@settings(max_examples=30)
@given(
    roots=st.lists(st.integers(-400, 400).map(lambda k: k / 100), min_size=3, max_size=3),
    kink=st.sampled_from([-10.0, 0.3]),
)
def test_polynomials(roots, kink):
    """With x - f(x) = (x - r₁)(x - r₂)(x - r₃) above a kink, the roots above it are fixed points for w = 1."""
    gaps = np.abs(np.subtract.outer(roots, [*roots, kink]) + 10.0 * np.eye(3, 4))
    if gaps.min() < 1e-2:
        return
    product = "*".join(f"(x - ({root!r}))" for root in roots)
    f = f"Piecewise((x - 1, x < {kink!r}), (x - {product}, True))"
    np.testing.assert_allclose(preactivations(f, 1.0, 0.0), np.sort([r for r in roots if r > kink]), atol=1e-9)


@given(w=st.floats(1.0001, 1e6), share=st.floats(-1.5, 1.5))
def test_tanh_has_three_roots_between_its_saddle_nodes(w, share):
    a = np.arccosh(np.sqrt(w))
    edge = w * np.tanh(a) - a
    if abs(abs(share) - 1.0) < 1e-9 or edge < 1e-9:
        return
    found = one_neuron(activation("tanh"), w, share * edge)
    assert not found.remarks
    assert len(found.found) == (3 if abs(share) < 1.0 else 1)


@pytest.mark.parametrize("gap", [1e-4, 1e-8, 1e-12])
def test_roots_that_lie_close_together(gap):
    """Two roots of tanh at √gap from each other near a saddle-node, and none beyond it."""
    a = np.arccosh(np.sqrt(2.0))
    b = 2.0 * np.tanh(a) - a
    near = [x for x in preactivations("tanh", 2.0, b - gap) if x < 0.0]
    # r = a - 2 tanh(a) - b bends by r'' = 2 tanh(a)·(2 sech² a) = √2 there
    assert np.diff(near) == pytest.approx([2.0 * np.sqrt(2.0 * gap / np.sqrt(2.0))], rel=0.02)
    assert len(preactivations("tanh", 2.0, b + gap)) == 1


def test_what_rounding_hides_is_said():
    fork = fixed_points(CTRNN.single(1.0, 0.0, "tanh"))
    assert [point.state[0] for point in fork] == [0.0]
    assert not fork.complete
    assert "cannot be distinguished" in fork.message
    split = fixed_points(CTRNN.single(1.0 + 1e-9, 0.0, "tanh"))
    np.testing.assert_allclose([point.state[0] for point in split], np.sqrt(3e-9) * np.array([-1, 0, 1]), rtol=1e-6)
    assert split.complete
    line = fixed_points(CTRNN.single(1.0, 0.0, "relu"))
    assert "all states at pre-activations between a = 0 and a = inf" in line.message
    assert "lost to rounding" in fixed_points(CTRNN.single(1.0, 0.5, "softplus")).message
    assert "too many" in fixed_points(CTRNN.single(1.0, 0.1, "x*sin(x)")).message


def test_kinks_and_jumps():
    assert preactivations("relu", 2.0, 1e-13).size == 0
    np.testing.assert_allclose(preactivations("relu", 2.0, -1e-13), [-1e-13, 1e-13], rtol=1e-12)
    np.testing.assert_allclose(preactivations("Abs(sin(x))", 30.0, 0.0)[:2], [0.0, 3.0403], atol=1e-3)
    np.testing.assert_array_equal(preactivations("step", 1.0, -0.5), [-0.5, 0.0, 0.5])
    np.testing.assert_allclose(preactivations("smoothed(hardtanh, 0.1)", 3.0, 0.0), [-3.0, 0.0, 3.0], atol=1e-12)


def test_several_neurons_say_whether_the_search_is_complete():
    assert fixed_points(CTRNN(np.full((3, 3), 0.9), np.ones(3), "relu")).complete
    assert fixed_points(CTRNN(np.full((3, 3), 0.3), np.ones(3), "tanh")).complete  # it contracts
    found = fixed_points(CTRNN(1.5 * np.eye(2), np.zeros(2), "tanh"))
    assert not found.complete
    assert "512 starts" in found.message
    assert not fixed_points(CTRNN(np.eye(2), np.zeros(2), "relu")).complete


def test_a_result_is_a_tuple_that_can_be_sent():
    found = fixed_points(CTRNN.single(1.0, 0.0, "tanh"))
    for again in (pickle.loads(pickle.dumps(found)), copy.copy(found), copy.deepcopy(found)):
        assert isinstance(again, FixedPoints)
        assert (len(again), again.complete, again.message) == (1, False, found.message)
    assert FixedPoints() == ()
    assert FixedPoints().complete
