"""Where the noise-free map settles: against closed forms and plain iteration, however slow the approach."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from ctrnn_theory import Divergence, activation
from ctrnn_theory.dynamics.roots import one_neuron
from ctrnn_theory.dynamics.settle import MOST_STEPS, follow, settle, settle_inputs
from ctrnn_theory.dynamics.slow_path import MOST_STRIDES
from ctrnn_theory.dynamics.step import Step
from ctrnn_theory.model.network import CTRNN
from tests.large_networks import network

SLOW_GAMMAS = (1.0, 0.1, 1e-5)


def end_of(text, W, b, gamma, start=None, std=0.0):
    b = np.atleast_1d(np.asarray(b, dtype=float))
    start = np.zeros(b.size) if start is None else np.atleast_1d(np.asarray(start, dtype=float))
    return follow(Step.in_rates(activation(text), std, np.atleast_2d(np.asarray(W, dtype=float)), b, gamma), start)


@pytest.mark.parametrize("gamma", SLOW_GAMMAS)
@pytest.mark.parametrize("std", [0.0, 0.3])
@pytest.mark.parametrize("text", ["identity", "relu"])
@pytest.mark.parametrize("w", [0.999, 1.0 - 1e-6, 1.0 - 1e-9])
def test_linear_network_however_slow(text, w, gamma, std):
    end = end_of(text, w, 0.1, gamma, std=std)
    assert end.converged
    assert end.stable
    assert end.state[0] == pytest.approx(0.1 / (1.0 - w), rel=1e-14)
    assert end.steps < 100


@pytest.mark.parametrize("gamma", SLOW_GAMMAS)
def test_slow_alternating_approach(gamma):
    end = end_of("identity", -1.0 + 1e-7, 0.1, gamma, 3.0)
    assert end.state[0] == pytest.approx(0.1 / (2.0 - 1e-7), rel=1e-14)


def test_a_slow_mode_of_several_neurons():
    # one eigenvalue of W is 1 - 1e-8, along (1, 1)
    W = [[0.5, 0.5 - 1e-8], [0.5 - 1e-8, 0.5]]
    for text in ("identity", "relu"):
        end = end_of(text, W, [0.1, 0.2], 0.1)
        np.testing.assert_allclose(end.state, np.linalg.solve(np.eye(2) - W, [0.1, 0.2]), rtol=1e-7)
        assert end.converged


@pytest.mark.parametrize("gamma", SLOW_GAMMAS)
def test_slow_and_curved(gamma):
    # softplus is far from its straight part at the start; log(1 + e^a) = h
    w = 1.0 - 1e-6
    end = end_of("softplus", w, 0.1, gamma)
    expected = brentq(lambda h: np.logaddexp(0.0, w * h + 0.1) - h, 0.0, 1e6, xtol=1e-9)
    assert end.state[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("gamma", [0.1, 1e-5])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_side_of_an_unstable_point_decides(gamma, side):
    end = end_of("tanh", 1.5, side * 1e-12, gamma)
    assert end.converged
    assert end.state[0] == pytest.approx(side * 0.858559635, abs=1e-8)


@pytest.mark.parametrize("gamma", [0.1, 1e-5])
@pytest.mark.parametrize("gap", [1e-3, 1e-7, 1e-11])
def test_ghosts_are_passed_and_points_are_not(gamma, gap):
    """At a saddle-node two points of tanh, w = 2, meet: beyond it their ghost takes 1/√gap time constants."""
    a = np.arccosh(np.sqrt(2.0))
    b = 2.0 * np.tanh(a) - a  # of the saddle-node at h = -tanh(a)
    before, after = end_of("tanh", 2.0, b - gap, gamma, -1.0), end_of("tanh", 2.0, b + gap, gamma, -1.0)
    assert before.converged
    assert after.converged
    distance = np.sqrt(gap) / np.cosh(a) ** 2  # of the stable point to the saddle-node, to leading order
    assert before.state[0] < -np.tanh(a) - 0.4 * distance
    assert before.state[0] > -np.tanh(a) - 3.0 * distance
    assert after.state[0] > 0.9


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    text=st.sampled_from(["tanh", "relu", "softplus", "sin"]),
    n=st.integers(1, 4),
    gamma=st.sampled_from([0.02, 0.1, 0.5, 1.0]),
)
def test_end_is_that_of_plain_iteration(seed, text, n, gamma):
    rng = np.random.default_rng(seed)
    W, b, start = 1.6 * rng.standard_normal((n, n)) / np.sqrt(n), rng.standard_normal(n), rng.standard_normal(n)
    try:
        end = end_of(text, W, b, gamma, start)
    except Divergence:
        end = None
    f, h = activation(text), np.array(start)
    for _ in range(4000):
        before, h = h, (1.0 - gamma) * h + gamma * f(W @ h + b)
        if not np.max(np.abs(h)) < 1e12:
            break
    moved = np.max(np.abs(h - before))
    if end is None:  # or it grows too slowly to have got there
        assert not np.max(np.abs(h)) < 1e12 or moved > 1e-6
    elif end.converged:
        assert np.max(np.abs(end.state - h)) < 1e-9 * (1.0 + np.max(np.abs(h))) + 1e4 * moved
    else:
        assert moved > 1e-14 * np.max(np.abs(h))


@pytest.mark.parametrize(
    ("text", "w", "b", "start"),
    [
        ("identity", 1.0, 0.1, 0.0),
        ("identity", 1.0 + 1e-6, 0.1, 0.0),
        ("relu", 2.0, 0.5, 0.0),
        ("x**2", 1.0, 0.5, 0.0),
        ("softplus", 1.0, 0.5, 0.0),
        ("identity", -3.0, 0.5, 0.0),
        ("x**3", 1.0, 0.0, 1.0 + 1e-9),
    ],
)
def test_growth_however_slow(text, w, b, start):
    for gamma in (1.0, 1e-5):
        if gamma == 1e-5 and w < 0.0:
            continue  # which decays
        with pytest.raises(Divergence, match="passes 1e\\+12"):
            end_of(text, w, b, gamma, start)


def test_growth_of_several_neurons_at_a_small_step():
    with pytest.raises(Divergence, match="passes 1e\\+12"):
        end_of("relu", [[1.0, 0.9], [0.9, 1.0]], [0.5, 0.2], 1e-5)


def test_growth_of_the_smoothing():
    for text in ("x**2", "exp(x)"):
        with pytest.raises(Divergence, match="passes 1e\\+12"):
            end_of(text, 1.0, 0.5, 1.0, std=0.3)


def test_marginal_points():
    still = end_of("identity", 1.0, 0.0, 0.1, 3.0)
    assert (still.state[0], still.converged, still.stable) == (3.0, True, False)
    assert "start lies on" in still.remark("the network")
    ever_slower = end_of("tanh", 1.0, 0.0, 0.1, 1.0)  # h ~ √(3/2t)
    assert ever_slower.converged
    assert abs(ever_slower.state[0]) < 1e-6


def test_cycles_are_no_fixed_points():
    pair = end_of("tanh", -3.0, 0.2, 1.0, 3.0)  # of two states
    assert not pair.converged
    assert np.all(np.isnan(pair.fixed_point))
    assert abs(pair.state[0]) < 0.01  # their mean
    W = [[8.02, 13.98], [-5.53, 5.26]]
    for gamma in (0.1, 8.1e-4):
        begin = time.process_time()
        cycle = end_of("tanh", W, [0.25, -0.39], gamma)
        assert not cycle.converged
        assert cycle.steps <= MOST_STEPS + MOST_STRIDES
        assert time.process_time() - begin < 5.0  # 20 s by plain iteration


def test_cost_does_not_grow_with_the_time_constant():
    net = ("tanh", [[0.9, -0.3], [0.4, 0.8]], [0.05, -0.1])
    ends = [end_of(*net, gamma) for gamma in (1e-3, 1e-5, 1e-7, 1e-9)]
    assert all(end.converged for end in ends)
    steps = [end.steps for end in ends]
    assert max(steps) < 1500  # and of plain iteration, of the order of 1e10


@pytest.mark.parametrize("start", [-7.3, -1.2, 0.4, 3.1, 12.0])
@pytest.mark.parametrize("b", [-0.7, 2.6])
def test_a_monotone_path_ends_at_the_first_point_in_its_way(start, b):
    f, w = activation("x/2 + 2*sin(3*x)"), 1.2
    roots = np.sort([h for _, h in one_neuron(f, w, b).found])
    ahead = f(w * start + b) > start
    expected = roots[roots > start].min() if ahead else roots[roots < start].max()
    end = follow(Step.in_rates(f, 0.0, np.array([[w]]), np.array([b]), 0.01), np.array([start]))
    assert end.state[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("f", ["softplus", "relu"])
def test_a_long_chain_settles(f):
    """Its eigenvectors are all but parallel, so that the norm of their inverse overflows; some relus are exactly 0."""
    net = network("chain", 160, f)
    end = end_of(f, net.W, net.b, net.gamma)
    assert end.converged
    assert end.stable


@pytest.mark.parametrize("form", ["rate", "voltage"])
def test_many_inputs_at_once_settle_where_each_does(form):
    rng = np.random.default_rng(2)
    W, gamma = 0.9 * rng.normal(size=(5, 5)) / np.sqrt(5), [0.1, 0.2, 0.3, 0.4, 0.5]
    net = CTRNN(W, rng.normal(size=5), ["tanh", "relu", "softplus", "relu", "tanh"], gamma, rng.normal(size=(5, 2)))
    net, inputs = replace(net, form=form), rng.normal(size=(4, 2))
    for end, u in zip(settle_inputs(net, inputs), inputs, strict=True):
        assert end.converged
        np.testing.assert_allclose(end.state, settle(net, u).state, rtol=0.0, atol=1e-12)


def test_of_many_inputs_each_says_what_becomes_of_it():
    """x² settles for small inputs alone; two neurons that inhibit each other end between their attractors."""
    calm, wild = settle_inputs(CTRNN([[0.5]], 0.0, "Max(0, x)**2", 0.2, [[1.0]]), np.array([[0.1], [50.0]]))
    assert calm.converged
    assert isinstance(wild, Divergence)
    between, aside = settle_inputs(
        CTRNN([[0.0, -3.0], [-3.0, 0.0]], 1.0, "tanh", 0.2, np.eye(2)), np.array([[0.0, 0.0], [0.1, 0.0]])
    )
    assert not between.stable
    assert "path" in between.reason("the network")
    assert aside.stable
