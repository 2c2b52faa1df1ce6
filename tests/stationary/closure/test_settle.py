"""Following the Gaussian closure: to where the map goes, at a cost that does not depend on how slowly it goes there."""

import numpy as np
import pytest

from ctrnn_theory.activations import activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import gaussian_closure
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure, closure_step
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.settle import settle
from ctrnn_theory.stationary.closure.strides import stride

PAIR = [[1.5, -0.2], [0.2, 1.5]]
GAMMAS = [1.0, 0.1, 1e-3, 1e-6]


def batch(name, W, b, gamma, sigma):
    """Networks (B, N, N), (B, N) with noise inside."""
    count, n = b.shape
    noise = np.broadcast_to(sigma**2 * np.eye(n), W.shape)
    return GaussianClosure(activation(name), W, np.full(count, gamma), b, noise, np.zeros(W.shape))


def rate_of(net, noise, law):
    """Largest change of mean and covariance in a time constant, relative to the state."""
    rate = GaussianClosure.of(net, noise).rate(Moments(law.mean, law.covariance)[None])
    variance = np.max(np.diag(law.covariance))
    size = np.max(np.abs(law.mean)) + np.sqrt(variance)
    return np.max(np.abs(rate.mean)) / size + np.max(np.abs(rate.covariance)) / variance


def cases(gamma):
    rng = np.random.default_rng(5)
    W = rng.normal(size=(8, 8))
    W *= 0.9 / np.max(np.abs(np.linalg.eigvals(W)))
    return {
        "tanh": (CTRNN.single(0.8, 0.5, "tanh", gamma), Noise(inside=0.7)),
        "bistable": (CTRNN.single(1.5, 0.0, "tanh", gamma), Noise(outside=0.5)),
        "pair": (CTRNN(PAIR, [0.0, 0.05], "tanh", gamma), Noise(outside=0.6)),
        "slow": (CTRNN.single(0.9999, 0.1, "relu", gamma), Noise(inside=0.3)),
        "eight": (CTRNN(W, rng.normal(size=8), "relu", gamma), Noise(inside=0.5)),
    }


@pytest.mark.parametrize("name", list(cases(0.1)))
@pytest.mark.parametrize("gamma", GAMMAS)
def test_work_does_not_grow_as_steps_get_small(name, gamma):
    net, noise = cases(gamma)[name]
    law = gaussian_closure.solve(net, noise)
    assert law.converged
    assert law.details["iterations"] <= 256  # log(1/γ) enters: so many times the covariance grows by a factor
    assert rate_of(net, noise, law) <= 1e-9  # rounding, where much nearly cancels


def test_slow_network_reaches_its_fixed_point():
    """Mean b/(1-w) and variance γσ²/((1-w)(2-γ(1-w))) of a linear network, far above the kink."""
    for w in (0.999, 0.999999):
        law = gaussian_closure.solve(CTRNN.single(w, 0.1, "relu", 1e-5), Noise(inside=0.3))
        k = 1.0 - w
        assert law.mean[0] == pytest.approx(0.1 / k, rel=1e-9)
        assert law.covariance[0, 0] == pytest.approx(1e-5 * 0.09 / (k * (2.0 - 1e-5 * k)), rel=1e-8)


def test_bistable_pair():
    """Coupled so strongly that the mean and the covariance spiral into their fixed point together."""
    net, noise = cases(0.1)["pair"]
    law = gaussian_closure.solve(net, noise)
    np.testing.assert_allclose(law.mean, [-0.2269, 0.0714], atol=5e-4)  # of 10^4 steps of the map
    assert law.details["iterations"] <= 200


@pytest.mark.parametrize("name", ["identity", "relu"])
def test_strides_of_linear_networks_are_exact(name):
    rng = np.random.default_rng(2)
    W, b, k = 0.4 * rng.normal(size=(3, 2, 2)), 9.0 + rng.normal(size=(3, 2)), 2 ** np.array([0, 3, 5])
    closures = batch(name, W, b, 0.2, 0.1)
    state = Moments(9.0 + rng.normal(size=(3, 2)), np.broadcast_to(0.01 * np.eye(2), W.shape).copy())
    taken = stride(closures, state, closures.rate(state), np.array([0, 3, 5]))
    assert taken.good.all()
    for i in range(3):
        m, V = state.mean[i], state.covariance[i]
        for _ in range(k[i]):
            m, V = closure_step(closures.f, W[i], 0.2, b[i], closures.inside[i], closures.outside[i], m, V)
        np.testing.assert_allclose(taken.state.mean[i], m, rtol=1e-12)
        np.testing.assert_allclose(taken.state.covariance[i], V, rtol=1e-11, atol=1e-16)


def test_accepted_strides_are_near_the_steps():
    """And strides that are too long are refused."""
    closures = batch("erf", np.full((6, 1, 1), 1.8), np.full((6, 1), 0.1), 0.01, 0.3)
    state = Moments(np.full((6, 1), -0.4), np.full((6, 1, 1), 1e-3))
    level = np.array([0, 2, 4, 5, 6, 12])
    taken = stride(closures, state, closures.rate(state), level)
    assert taken.good[:3].all()
    assert not taken.good[-1]
    for i in np.flatnonzero(taken.good):
        m, V = state.mean[i], state.covariance[i]
        for _ in range(2 ** level[i]):
            m, V = closure_step(closures.f, closures.W[i], 0.01, closures.drive[i], closures.inside[i], 0.0, m, V)
        assert abs(taken.state.mean[i] - m) <= 2e-3 * (abs(m) + np.sqrt(V[0]))
        assert taken.state.covariance[i] == pytest.approx(V, rel=0.05)


def test_ends_where_the_map_goes():
    """Two neurons, several attractors: 20 networks from random starts, against 500 steps of the map."""
    rng = np.random.default_rng(1)
    W, b, start = (
        rng.normal(size=(30, 2, 2)) + 1.6 * np.eye(2),
        0.2 * rng.normal(size=(30, 2)),
        rng.normal(size=(30, 2)),
    )
    closures = batch("hardtanh", W, b, 0.1, 0.3)
    zero = np.zeros_like(W)
    end = settle(closures, Moments(start, zero))
    m, V = start, zero
    for _ in range(500):
        m, V = closure_step(closures.f, W, 0.1, b, closures.inside, zero, m, V)
    at_rest = np.max(np.abs(closures.rate(Moments(m, V)).mean), axis=1) < 1e-8
    assert at_rest.sum() > 14
    assert end.settled[at_rest].all()
    np.testing.assert_allclose(end.state.mean[at_rest], m[at_rest], atol=1e-5)
    assert len(np.unique(np.sign(m[at_rest]).round(), axis=0)) > 2  # or there would be nothing to confuse


def test_neighbours_do_not_matter():
    rng = np.random.default_rng(4)
    W, b = rng.normal(size=(6, 2, 2)), rng.normal(size=(6, 2))
    closures, zero = batch("relu", W, b, 0.1, 0.5), Moments(np.zeros((6, 2)), np.zeros((6, 2, 2)))
    whole = settle(closures, zero)
    for i in range(6):
        which = np.array([i])
        alone = settle(closures[which], zero[which])
        assert (0 in alone.growing) == (i in whole.growing)
        if alone.settled[0]:
            np.testing.assert_allclose(alone.state.mean[0], whole.state.mean[i], rtol=1e-11, atol=1e-12)


def test_a_bottleneck_is_passed():
    """Just past the saddle-node bifurcation of tanh, 2h + b: the path slows down to 1e-5 and goes on."""
    h = -np.sqrt(0.5)  # where the slope of tanh(2h + b) is 1
    fold = np.arctanh(h) - 2.0 * h
    for gamma in (0.1, 1e-4):
        for push, sign in ((1e-5, 1.0), (-1e-5, -1.0)):
            net = CTRNN.single(2.0, fold + push, "tanh", gamma)
            law = gaussian_closure.solve(net, Noise(), start=[-1.0])
            assert law.converged
            assert np.sign(law.mean[0] - h - 0.1) == sign


@pytest.mark.parametrize("gamma", [0.1, 1e-5])
def test_a_cycle_is_reported_at_bounded_cost(gamma):
    law = gaussian_closure.solve(
        CTRNN([[2.0, -3.0], [3.0, 2.0]], 0.0, "tanh", gamma), Noise(inside=0.1), start=[0.5, 0]
    )
    assert not law.converged
    assert law.details["iterations"] <= 512
    assert np.all(np.abs(law.mean) < 0.1)  # the cycle is symmetric about the origin
    assert np.all(law.std > 0.3)  # and its phase is part of the spread


@pytest.mark.parametrize("b", [0.0, 0.2])
def test_an_alternation_of_two_values_ends_the_path_early(b):
    """A path that goes to and fro over a range that does not shrink is given up well before its strides run out."""
    net, noise, start = CTRNN.single(-3.0, b, "tanh", 1.0), Noise(inside=0.1), [0.5]
    law = gaussian_closure.solve(net, noise, start=start)
    assert not law.converged
    assert law.details["iterations"] <= 256  # two windows after the patience of 128 strides
    state = gaussian_closure.step(net, noise, start, [[0.0]])
    for _ in range(100):
        before, state = state, gaussian_closure.step(net, noise, state.mean, state.covariance)
    assert abs(state.mean[0] - before.mean[0]) > 1.5
    np.testing.assert_allclose(law.mean, 0.5 * (state.mean + before.mean), atol=1e-3)
    gap = 0.5 * (state.mean[0] - before.mean[0])
    within = 0.5 * (state.covariance[0, 0] + before.covariance[0, 0])
    np.testing.assert_allclose(law.covariance[0, 0], within + gap**2, rtol=1e-3)
