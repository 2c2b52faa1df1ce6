"""The guard that decides between attractors, for large networks made of bistable neurons."""

import numpy as np
import pytest

from ctrnn_theory.activations import activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import gaussian_closure
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure, closure_step
from ctrnn_theory.stationary.closure.guard import leads_to, walk, walks_to
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.settle import settle
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.errors import Divergence

N = 40


def bistable(gamma=0.1, noise=0.1):
    """Forty neurons, each of which has a state above zero and one below, and their closure."""
    net = CTRNN(2.0 * np.eye(N), 0.0, "tanh", gamma)
    return GaussianClosure.of(net, Noise(inside=noise))


def followed(closure, state, steps):
    for _ in range(steps):
        state = closure.step(state)
    return state


def test_walks_to_the_own_end_and_no_other():
    closure, rng = bistable(), np.random.default_rng(0)
    start = Moments.point(rng.choice([-1.0, 1.0], size=(1, N)) * rng.uniform(0.05, 1.5, size=(1, N)))
    end = followed(closure, start, 400)
    other = Moments(np.where(np.arange(N) == 7, -end.mean, end.mean), end.covariance)
    near = followed(closure, start, 8)
    assert walks_to(closure, near, end, closure.rate(end))[0]
    assert not walks_to(closure, near, other, closure.rate(other))[0]
    later = followed(closure, start, 60)
    assert leads_to(closure, later, end)[0]
    assert not leads_to(closure, later, other)[0]


def test_no_way_to_an_unstable_end():
    closure = bistable()
    origin = followed(closure, Moments.point(np.zeros((1, N))), 50)  # it stays there by symmetry
    assert not walks_to(closure, origin, origin, closure.rate(origin))[0]


def test_a_walk_leaves_an_unstable_point_and_tells_so():
    """From near the origin, where the response is unstable and the map is linear."""
    closure = bistable()
    mean, spread = np.full((1, N), 0.01), np.full((1, N), 0.1)
    assert not walk(closure, mean, spread, 0.0)[1][0]
    walked, contracting = walk(closure, mean, spread, 8.0)
    assert contracting[0]
    assert np.max(np.abs(closure.drift(walked, spread))) < 0.05
    assert np.min(walked) > 0.9


@pytest.mark.parametrize("name", ["tanh", "hardtanh"])
def test_large_networks_end_where_the_map_goes(name):
    """N = 36 with many attractors, random starts, against 300 steps of the map; those still moving are left out."""
    rng, n, count = np.random.default_rng(5), 36, 4
    W = rng.normal(size=(count, n, n)) * 0.15 / np.sqrt(n)
    W = W + np.swapaxes(W, 1, 2) + 1.6 * np.eye(n)
    b, start, zero = 0.1 * rng.normal(size=(count, n)), rng.normal(size=(count, n)), np.zeros((count, n, n))
    noise = np.broadcast_to(0.04 * np.eye(n), W.shape)
    closures = GaussianClosure(activation(name), W, np.full(count, 0.2), b, noise, zero)
    end = settle(closures, Moments(start, zero))
    m, V = start, zero
    for _ in range(300):
        m, V = closure_step(closures.f, W, 0.2, b, noise, zero, m, V)
    at_rest = np.max(np.abs(closures.rate(Moments(m, V)).mean), axis=1) < 1e-6
    assert at_rest.sum() >= 3
    assert end.settled[at_rest].all()
    np.testing.assert_allclose(end.state.mean[at_rest], m[at_rest], atol=1e-5)


def test_arnoldi_reports_the_spectral_radius():
    rng, n = np.random.default_rng(3), 220
    net = CTRNN(rng.normal(size=(n, n)) * 0.7 / np.sqrt(n), 0.1, "relu", 0.2)
    law = gaussian_closure.solve(net, Noise(inside=0.3))
    closure = GaussianClosure.of(net, Noise(inside=0.3))
    A = closure.response(closure.slope(Moments(law.mean, law.covariance)[None]))[0]
    assert law.details["spectral_radius"] == pytest.approx(np.max(np.abs(np.linalg.eigvals(A))), abs=1e-11)
    assert np.linalg.eigvalsh(law.covariance)[0] >= 0.0


def test_silent_neurons_of_a_large_network_have_no_variance():
    """Their rows leave no Cholesky factor; eigenvalues take over."""
    rng, n = np.random.default_rng(3), 48
    b = np.where(np.arange(n) < 8, -10.0, 0.5)
    law = gaussian_closure.solve(CTRNN(rng.normal(size=(n, n)) * 0.4 / np.sqrt(n), b, "relu", 0.2), Noise(inside=0.1))
    assert law.converged
    assert np.all(np.diag(law.covariance)[:8] <= 1e-15)
    assert np.all(np.diag(law.covariance)[8:] > 1e-6)


def test_trials_where_f_has_no_moments_are_given_up():
    """The closure of exp settles from zero, and trials beyond overflow."""
    rng, n = np.random.default_rng(3), 40
    W = -np.abs(rng.normal(size=(n, n))) * 0.4 / n
    law = gaussian_closure.solve(CTRNN(W, 0.1, "exp(x)", 0.2), Noise(inside=0.1))
    assert law.converged
    with pytest.raises(Divergence):
        predict(CTRNN(-8.0 * W, 1.0, "exp(x)", 0.2), Noise(inside=0.1))


def test_a_singular_linear_response_is_no_error():
    """A line of fixed points, on which the mean stays where it starts, and the covariance grows."""
    with pytest.raises(Divergence):
        predict(CTRNN(np.eye(N), 0.0, "identity", 0.5), Noise(inside=0.1), start=np.full(N, 0.5))
