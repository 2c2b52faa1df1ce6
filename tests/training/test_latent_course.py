"""The closure in latent variables is the closure of the whole network, but for a remainder that is bounded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Noise
from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.training.tasks import Episode, Function, Model, PathIntegration, base
from ctrnn_theory.training.tasks import latent_course as module
from ctrnn_theory.training.tasks.latent_course import LatentMoments, latent_course
from ctrnn_theory.training.tasks.latent_network import LatentNetwork, LatentNoise
from tests.training.low_rank import solved

TASK = Function(conditions=3, steps=8)
LEVELS = np.array([0.0, 0.6, 1.0])
NOISES = {
    "inside": Noise(inside=0.7),
    "outside": Noise(outside=0.5),
    "unlike": Noise(inside=np.linspace(0.1, 1.0, 40), outside=0.2),
    "dropout": Noise.dropout(0.8, inside=0.4),
    "gains": Noise(inside=0.4, gain_outside=0.3, outside=np.ones((40, 1)) * 0.1),
    "gain inside": Noise(inside=0.4, gain_inside=0.3),
}


def random(n, rank, seed, activation="relu", inputs=1, outputs=2):
    """Return a random network of low rank."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n)) * 0.8 / n
    shapes = (n, inputs), (outputs, n), (outputs,)
    return CTRNN(W, rng.normal(size=n), activation, 0.3, *(rng.normal(size=shape) for shape in shapes))


def moments(task, model, episode, levels=LEVELS):
    """Return the moments of the output by the closure in latent variables, and by that of the whole network."""
    latent = task.output_moments(model, episode, levels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base.LatentNetwork, "of", lambda model: None)
        return latent, task.output_moments(model, episode, levels)


@pytest.mark.parametrize(
    ("activation", "noise"),
    [*(("tanh", noise) for name, noise in NOISES.items() if name != "gain inside"), ("relu", NOISES["gain inside"])],
)
def test_without_recurrence_both_closures_are_the_same(activation, noise):
    net = random(40, 0, 1, activation)
    (mean, variance), (known, spread) = moments(Two(), Model.of(net, noise), Two().episode(None))
    np.testing.assert_allclose(mean, known, rtol=0, atol=1e-12 * np.abs(known).max())
    np.testing.assert_allclose(variance, spread, rtol=0, atol=1e-12 * spread.max())


class Two(Function):
    """A function task with two outputs."""

    outputs = 2

    def __init__(self):
        super().__init__(conditions=3, steps=8)

    def episode(self, rng):
        episode = TASK.episode(rng)
        return Episode(episode.u, np.repeat(episode.y, 2, axis=2), episode.w)


@pytest.mark.parametrize("noise", [noise for name, noise in NOISES.items() if name != "gain inside"])
def test_closures_agree_to_what_is_left_out(noise):
    net = random(40, 2, 2, "tanh")
    (mean, variance), (known, spread) = moments(Two(), Model.of(net, noise), Two().episode(None))
    np.testing.assert_allclose(mean, known, rtol=0, atol=1e-5 * np.abs(known).max())
    np.testing.assert_allclose(variance[:, 1:], spread[:, 1:], rtol=2 * module.SMALL)
    assert not variance[:, 0].any()


def test_more_orders_agree_better():
    net = random(40, 2, 3, "tanh")
    model, episode = Model.of(net, Noise(inside=0.7)), Two().episode(None)
    (_, _), (_, spread) = moments(Two(), model, episode, np.ones(1))
    network, errors, bounds = LatentNetwork.of(model), [], []
    for orders in (1, 2, 3, 4):
        state = list(latent_course(network, model, episode, np.ones(1), orders))[-1]
        found = np.trace(state.covariance[:, 2:, 2:], axis1=1, axis2=2)
        errors.append(np.max(np.abs(found / spread[-1, 0] - 1.0)))
        bounds.append(state.left_out.max())
    assert np.all(np.diff(errors) < 0.0)
    assert errors[-1] < 1e-9
    assert np.all(np.array(errors) <= bounds)


@settings(max_examples=15)
@given(st.integers(1, 3), st.integers(0, 99), st.sampled_from(["relu", "tanh", "softplus"]), st.floats(0.0, 1.0))
def test_what_a_step_leaves_out_is_bounded(rank, seed, activation, sigma):
    """From a Gaussian state, the covariance that a step adds is exact but for the bound, at every number of orders."""
    n, rng = 36, np.random.default_rng(seed)
    model = Model.of(random(n, rank, seed, activation), Noise(inside=sigma))
    network, Q = LatentNetwork.of(model), rank + 2
    root = rng.standard_normal((Q, Q)) * rng.uniform(0.05, 0.6)
    V, drive = (root @ root.T)[None], rng.standard_normal((1, n))
    state = LatentMoments(rng.standard_normal((1, Q)), V, np.zeros(1))
    E, D = network.factors.E, network.decoders
    S = E @ V[:, :rank, :rank] @ E.T + sigma**2 * np.eye(n)
    C = covariance_matrices(model.f, drive + state.mean[:, :rank] @ E.T, S)
    exact = D.T @ C[0] @ D
    scale = np.diag(D.T @ (np.diag(C[0])[:, None] * D))
    noise = LatentNoise.of(network, model.noise, np.ones(1))
    errors = []
    for orders in (0, 1, 2, network.orders):
        found = module._response(network, noise, drive, state, orders, max(orders, 1))
        errors.append(np.max(np.abs(np.diag(found.covariance[0]) - np.diag(exact)) / scale))
        assert orders == 0 or errors[-1] <= found.left_out[0] + 1e-12
    assert errors[3] <= errors[0]


def test_the_second_order_is_needed_where_slopes_cancel():
    """Squares at zero have no slope, so that what they share is all of second order; a latent of noise drives them."""
    n = 64
    E = np.tile(np.random.default_rng(0).standard_normal((n // 2, 1)), (2, 1))
    D = np.repeat([[1.0, -1.0]], n // 2, axis=1) / np.sqrt(n)  # what the squares add to the latent variable cancels
    net = CTRNN(E @ D, 0.0, "x**2", 0.5, np.zeros((n, 1)), np.ones((1, n)) / n, [0.0])
    model, episode = Model.of(net, Noise(outside=0.5)), TASK.episode(None)
    assert LatentNetwork.of(model).rank == 1
    (_, variance), (_, known) = moments(TASK, model, episode, np.ones(1))
    np.testing.assert_allclose(variance, known, rtol=1e-12)
    network = LatentNetwork.of(model)
    state = list(latent_course(network, model, episode, np.ones(1), 1))[-1]
    assert state.covariance[0, 1, 1] < 0.7 * known[-1, 0, 0]
    assert state.left_out.max() > 0.3


@pytest.mark.parametrize("site", ["inside", "outside"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_moments_are_those_of_a_simulation(site, activation):
    task = PathIntegration(conditions=3, steps=40)
    net, noise = solved(256, 2, activation=activation), Noise(**{site: 1.0})
    key = np.array([3, 4], np.uint64)
    mean, variance = task.output_moments(Model.of(net, noise), task.drawn(key))
    trials = task.trials(net, noise, 1000, key)
    z = trials.outputs
    error = z.std(axis=0, ddof=1) / np.sqrt(1000)
    assert np.max(np.abs(z.mean(axis=0) - mean[:, 0].transpose(1, 0, 2)) / error) < 5.0
    squares = np.sum((z - z.mean(axis=0)) ** 2, axis=-1)
    spread, error = squares.mean(axis=0) * 1000 / 999, squares.std(axis=0, ddof=1) / np.sqrt(1000)
    assert np.max(np.abs(spread - variance[:, 0].T) / error) < 5.0
    assert np.max(np.abs(spread - 0.8 * variance[:, 0].T) / error) > 5.0


def test_levels_are_treated_in_parts_where_they_need_much_memory(monkeypatch):
    net = random(40, 2, 4)
    model, episode = Model.of(net, Noise(inside=0.5)), Two().episode(None)
    whole = Two().output_moments(model, episode, LEVELS)
    monkeypatch.setattr(module, "MOST_PRODUCTS", 1)
    monkeypatch.setattr(LatentNetwork, "orders", 3)  # for which there would be no room
    network = LatentNetwork.of(model)
    for one, other in zip(module.latent_output_moments(network, model, episode, LEVELS), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)


@pytest.mark.parametrize(
    ("net", "noise"),
    [
        (random(31, 1, 0), Noise(inside=0.5)),
        (random(40, 20, 0), Noise(inside=0.5)),
        (random(40, 1, 0, outputs=11), Noise(inside=0.5)),
        (random(40, 1, 0), Noise(inside=np.ones((40, 1)))),
        (random(40, 1, 0), Noise(inside=0.5, rho_inside=0.5)),
        (random(40, 1, 0), Noise(inside=0.5, gain_outside=np.ones((40, 1)))),
        (random(40, 1, 0), Noise(inside=0.5, common_gain_outside=0.1)),
    ],
)
def test_other_networks_and_noise_take_the_whole_closure(net, noise):
    assert LatentNetwork.of(Model.of(net, noise)) is None


def test_a_state_that_grows_has_infinite_variance():
    net = random(40, 1, 5)
    net = CTRNN(1e4 * np.abs(net.W), net.b, "relu", 0.5, net.W_in, net.W_out, net.b_out)
    model = Model.of(net, Noise(inside=1.0))
    assert LatentNetwork.of(model) is not None
    variance = Two().output_moments(model, Two().episode(None))[1]
    assert np.all(np.isposinf(variance[-1]))
