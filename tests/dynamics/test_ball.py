"""Balls in which the step of a large network contracts: against paths, norms and the test for small networks."""

import numpy as np
import pytest

from ctrnn_theory import Noise, activation, fixed_points, predict
from ctrnn_theory.dynamics import ball as module
from ctrnn_theory.dynamics.ball import Ball, Destination
from ctrnn_theory.dynamics.destination import destination
from ctrnn_theory.dynamics.linear_response import LARGE
from ctrnn_theory.dynamics.step import Step
from ctrnn_theory.model.network import CTRNN


def step_of(text, n=LARGE, seed=0, radius=0.8, gamma=0.1, std=0.0):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, n))
    W *= radius / np.max(np.abs(np.linalg.eigvals(W)))
    return Step.in_rates(activation(text), std, W, 0.5 * rng.standard_normal(n), gamma)


@pytest.mark.parametrize("text", ["tanh", "relu", "softplus", "sin"])
@pytest.mark.parametrize("std", [0.0, 0.3])
def test_the_step_contracts_on_a_ball_that_it_names(text, std):
    step = step_of(text, std=std)
    h = np.zeros(step.wiring.n)
    while (found := destination(step, h)) is None:
        h = step(h)
    ball = Ball.around(step, found[0])
    assert ball.top >= np.linalg.norm(ball.P, 2)
    rng = np.random.default_rng(1)
    tried = 0
    for scale in (1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0):
        for _ in range(20):
            x = scale * rng.standard_normal(h.size)
            if not ball.holds(ball.root + x):
                continue
            tried += 1
            y = rng.standard_normal(h.size)
            y *= rng.uniform() * ball.distance(ball.root + x) / ball.distance(ball.root + y)
            ahead = step(ball.root + x) - step(ball.root + y) + ball.root  # two states of the ball come nearer
            assert ball.distance(ahead) < ball.distance(ball.root + x - y)
    assert tried >= 20


@pytest.mark.parametrize("text", ["tanh", "relu", "softplus"])
@pytest.mark.parametrize("gamma", [1e-3, 0.1, 1.0])
def test_the_end_is_that_of_the_test_for_small_networks(text, gamma, monkeypatch):
    step = step_of(text, seed=2, gamma=gamma)
    net = CTRNN(step.wiring.U, step.wiring.c, text, gamma)
    law = predict(net, Noise(), method="deterministic")
    monkeypatch.setattr(module, "LARGE", 10**6)
    old = predict(net, Noise(), method="deterministic")
    assert law.converged
    np.testing.assert_allclose(law.mean, old.mean, rtol=0, atol=1e-13)


def test_an_unstable_start_stays_and_its_neighbours_leave():
    step = step_of("tanh", seed=3, radius=1.5)
    step = Step.in_rates(step.f, step.std, step.wiring.U, np.zeros(LARGE), step.wiring.gamma)
    root, stable = Destination(step)(np.zeros(LARGE))
    assert not stable
    np.testing.assert_array_equal(root, 0.0)
    assert Ball.around(step, root) is None
    assert Destination(step)(np.full(LARGE, 1e-5)) is None


def test_one_fixed_point_needs_no_search_for_others(monkeypatch):
    step = step_of("tanh", 2 * LARGE)
    net, noise = CTRNN(step.wiring.U, step.wiring.c, "tanh", 0.1), Noise(inside=0.1)
    expected = fixed_points(net)
    monkeypatch.setattr("ctrnn_theory.stationary.deterministic.fixed_points", lambda *_: pytest.fail("searched"))
    law = predict(net, noise, method="deterministic")
    assert law.converged
    assert len(expected) == 1
    np.testing.assert_allclose(expected[0].state, law.mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(predict(net, noise, method="small_noise").details["fixed_point"], law.mean)


def test_a_path_that_turns_away_finds_another_point():
    """Two blocks of bistable neurons: the path passes near a saddle, and its end is not the first root that is near."""
    net = CTRNN(1.5 * np.eye(LARGE), np.zeros(LARGE), "tanh")
    start = np.full(LARGE, 1e-6)
    start[1::2] = -1e-3
    law = predict(net, Noise(), method="deterministic", start=start)
    assert law.converged
    np.testing.assert_allclose(law.mean, 0.858559635 * np.sign(start), atol=1e-8)
