"""Decoders that imitate an expert in the maze."""

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.activations import activation
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.training.decoders import imitation
from ctrnn_theory.training.decoders.encoders import draw_encoders
from ctrnn_theory.training.decoders.imitation import imitate
from ctrnn_theory.training.tasks import Maze
from ctrnn_theory.training.tasks.mean_path import velocity_error

INSIDE, OUTSIDE = ct.Noise(inside=1.0), ct.Noise(outside=1.0)


def solved(task, neurons=32, seed=0, noise=INSIDE, f="relu"):
    rng = np.random.default_rng(seed)
    encoders = draw_encoders(task.latent(rng, 0.2), neurons, 1.5, 2.0, rng)
    return imitate(activation(f), encoders, task, noise, 0.2, rng)


def test_decoders_minimise_the_squared_error_over_points_and_noise():
    """Against least squares on the points and on a root of the covariance, as rows of their own."""
    rng, n = np.random.default_rng(0), 6
    sums, rows, targets = imitation._Sums(n, 2), [], []
    C = np.zeros((n, n))
    for _ in range(3):
        L = rng.standard_normal((n, n))
        for _ in range(2):
            h, r = rng.standard_normal((40, n)) + 1.0, rng.standard_normal((40, 2))
            sums.add(h, r)
            rows.append(h)
            targets.append(r)
        W_out, b_out, left = sums.decoders(L @ L.T)
        C += L @ L.T / 3
    h, r = np.concatenate(rows), np.concatenate(targets)
    G = h.T @ h / len(h) + C
    ridge = 1e-6 * np.trace(G) / n
    root = np.linalg.cholesky(C + ridge * np.eye(n)).T * np.sqrt(len(h))
    system = np.block([[h, np.ones((len(h), 1))], [root, np.zeros((n, 1))]])
    expected, *_ = np.linalg.lstsq(system, np.concatenate([r, np.zeros((n, 2))]), rcond=None)
    np.testing.assert_allclose(np.vstack([W_out.T, b_out]), expected, rtol=1e-8)
    np.testing.assert_allclose(left, W_out @ C @ W_out.T, rtol=1e-12)


def test_the_same_rng_gives_the_same_decoders():
    task = Maze(steps=15)
    first, again, other = solved(task), solved(task), solved(task, seed=1)
    np.testing.assert_array_equal(again.W_out, first.W_out)
    assert first.D.shape == (32, 0)
    assert not np.allclose(other.W_out, first.W_out)


@pytest.mark.parametrize(
    "noise", [ct.Noise(inside=0.5, gain_outside=0.3), ct.Noise.dropout(0.8), ct.Noise(outside=0.1)]
)
def test_other_noise_and_activations_are_taken(noise):
    found = solved(Maze(steps=10, compass=False), 24, noise=noise, f="tanh")
    assert np.all(np.isfinite(found.W_out))


def successes(net, task, noise):
    return task.trials(net, noise, 16, seed_words(5)).success.mean()


def test_a_network_finds_its_way_under_noise_and_not_without_it():
    task = Maze()
    net = ct.train(task, neurons=256, noise=INSIDE, method="decoders", rng=3, workers=1).network
    assert net.gamma == 0.2
    assert successes(net, task, INSIDE) > 0.7
    assert successes(net, task, ct.Noise()) <= 0.5
    assert successes(ct.noise_free(net, INSIDE), task, ct.Noise()) == 1.0


@pytest.mark.slow
def test_medians_over_seeds():
    task, inside, outside, levels = Maze(cost="velocity"), [], [], np.arange(16) / 10
    for seed in range(5):
        for noise, kept in ((INSIDE, inside), (OUTSIDE, outside)):
            net = ct.train(task, neurons=256, noise=noise, method="decoders", rng=seed, workers=1).network
            cost = [task.trials(net, noise.scaled(s), 16, seed_words(5)).cost.mean() for s in levels]
            smooth = ct.noise_free(net, noise)
            runs = (net, ct.Noise()), (net, noise), (smooth, ct.Noise())
            kept.append([levels[np.argmin(cost)], *(successes(one, task, with_noise) for one, with_noise in runs)])
            error = velocity_error(task, net, noise, [0.0]).loss
            np.testing.assert_allclose(error, cost[0], rtol=1e-9)
    preferred, without, full, smoothed = np.median(inside, axis=0)
    assert 0.75 <= preferred <= 1.0
    assert without <= 0.25
    assert full >= 0.78
    assert smoothed >= 0.95
    preferred, without, _, _ = np.median(outside, axis=0)
    assert preferred <= 0.15
    assert without >= 0.9
