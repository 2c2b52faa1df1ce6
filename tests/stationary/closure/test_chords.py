"""Chord steps of large networks, against the map, and Anderson mixing by itself."""

import numpy as np
import pytest

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.chords import Anderson, chords
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments

N = 40


def closure_of(name, radius, noise, gamma=0.2):
    rng = np.random.default_rng(2)
    W = rng.normal(size=(N, N))
    W *= radius / np.max(np.abs(np.linalg.eigvals(W)))
    return GaussianClosure.of(CTRNN(W, 0.3 * rng.normal(size=N), name, gamma), noise)


@pytest.mark.parametrize("name", ["relu", "tanh", "softplus"])
@pytest.mark.parametrize(
    "noise", [Noise(inside=0.5), Noise(outside=0.4), Noise(inside=np.full((N, 1), 0.6), outside=0.1)]
)
def test_the_end_is_where_the_map_goes(name, noise):
    closure = closure_of(name, 0.7, noise)
    state = Moments.point(np.zeros((1, N)))
    for _ in range(4):
        state = closure.step(state)
    found = chords(closure, state, closure.spread(state), 1e-12)
    assert found.converged
    assert found.positive
    assert found.residual <= 1e-9
    for _ in range(600):  # the slowest mode of the covariance decays as (1 - γ (1 - 0.7))^2t
        state = closure.step(state)
    np.testing.assert_allclose(found.state.mean, state.mean, rtol=0.0, atol=1e-11)
    np.testing.assert_allclose(found.state.covariance, state.covariance, rtol=0.0, atol=1e-12)


def test_no_end_without_a_stable_response():
    closure = closure_of("identity", 1.5, Noise(inside=0.5))
    state = Moments.point(np.zeros((1, N)))
    assert not chords(closure, state, closure.spread(state), 1e-12).converged


def follow(J, steps):
    """Mix the steps g(x) = -J x of an iteration from a vector of ones."""
    mixing, x = Anderson(4), np.ones(len(J))
    for _ in range(steps):
        x = mixing.next(x, -J @ x)
    return mixing, x


def test_mixing_solves_small_linear_problems_exactly():
    """Four differences span all directions of four unknowns."""
    J = np.diag([0.3, 0.8, 1.4, 1.9]) + 0.1 * np.triu(np.ones((4, 4)), 1)
    mixing, x = follow(J, 6)
    np.testing.assert_allclose(x, 0.0, atol=1e-10)
    assert mixing.positive()


def test_a_repelling_fixed_point_is_noticed():
    """The iteration x ← x - J x diverges along an eigenvector of a negative eigenvalue; mixing converges even so."""
    J = np.diag([0.5, 0.9, 1.1, -0.4])
    mixing, x = follow(J, 6)
    np.testing.assert_allclose(x, 0.0, atol=1e-10)
    assert not mixing.positive()
    assert not mixing.attracting()


def test_an_iteration_that_overshoots_more_and_more_is_noticed():
    mixing, x = follow(np.diag([0.5, 0.9, 1.1, 2.3]), 6)
    np.testing.assert_allclose(x, 0.0, atol=1e-10)
    assert mixing.positive()
    assert not mixing.attracting()
