"""The preference of a network by prediction alone, which is exact without recurrent weights."""

import numpy as np
import pytest

from ctrnn_theory import CTRNN, Divergence, Noise, NotApplicable
from ctrnn_theory.analysis.preference.predicted import LEVELS, predicted_preference
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.training.tasks import Feedforward, Function, Maze, Model, PathIntegration

SIMULATED = 5.0  # standard errors
TASKS = {"constant input": Function(conditions=3, steps=12), "moving input": PathIntegration(conditions=3, steps=7)}


def network(task, n, gamma, activation, rng):
    sizes = (n, task.inputs), (task.outputs, n), (task.outputs,)
    return CTRNN(np.zeros((n, n)), rng.normal(size=n), activation, gamma, *(rng.normal(size=size) for size in sizes))


@pytest.mark.parametrize("name", TASKS)
def test_moments_are_those_of_a_loop_of_steps(name):
    task, rng, runs = TASKS[name], np.random.default_rng(3), 5_000
    net, noise = network(task, 40, 0.3, "relu", rng), Noise(inside=0.8, outside=0.3)
    episode = task.drawn(seed_words(0))
    h = np.zeros((runs, *episode.u.shape[1:2], 40))
    for t in range(len(episode.w)):
        a = episode.u[t % len(episode.u)] @ net.W_in.T + net.b
        y = np.maximum(a + 0.8 * rng.standard_normal(h.shape), 0.0) + 0.3 * rng.standard_normal(h.shape)
        h = 0.7 * h + 0.3 * y
    z = h @ net.W_out.T + net.b_out
    mean, variance = task.output_moments(Model.of(net, noise), episode, np.array([1.0, 2.0]))
    error = z.std(axis=0) / np.sqrt(runs)
    assert np.all(np.abs(z.mean(axis=0) - mean[-1, 0]) < SIMULATED * error)
    assert np.max(np.abs(z.mean(axis=0) - mean[-1, 1]) / error) > 2.0 * SIMULATED
    # the variance of a sample of a nearly normal law has the relative standard error √(2/runs) for one output
    relative = np.abs(z.var(axis=0).sum(axis=-1) / variance[-1, 0] - 1.0)
    assert np.all(relative < SIMULATED * np.sqrt(3.0 / runs))
    assert np.max(np.abs(z.var(axis=0).sum(axis=-1) / variance[-1, 1] - 1.0)) > 2.0 * SIMULATED * np.sqrt(3.0 / runs)


def test_a_neuron_at_its_kink_prefers_a_third_of_its_noise():
    """In units of the weight's square the loss is (1 - 2 s + s²)/2π + s² (1/2 - 1/2π): least at s = 1/π."""
    net = CTRNN([[0.0]], 0.0, "relu", 1.0, W_in=[[0.0]], W_out=[[1.0]], b_out=[-1 / np.sqrt(2 * np.pi)])
    found = predicted_preference(net, Feedforward(conditions=2, target="0*x"), Noise(inside=1.0))
    assert found.preferred == pytest.approx(1 / np.pi, abs=LEVELS[-1] / 3000)
    assert found.ratio == pytest.approx(np.pi / (np.pi - 1), rel=1e-5)
    assert (found.K, found.nu) == (pytest.approx(0.5 / np.pi), pytest.approx(0.5 - 0.5 / np.pi))
    assert found.loss == pytest.approx(found.nu + found.squared_bias)
    assert found.sigma_c == pytest.approx(np.sqrt(0.5 * (np.pi - 1)))


def test_what_cannot_be_predicted_is_refused():
    net = network(Maze(), 4, 0.2, "relu", np.random.default_rng(0))
    with pytest.raises(NotApplicable, match="maze"):
        predicted_preference(net, Maze(), Noise(inside=1.0))
    growing = CTRNN([[20.0]], 0.1, "relu", 1.0, W_in=[[1.0]], W_out=[[1.0]], b_out=[0.0])
    with pytest.raises(Divergence):
        predicted_preference(growing, Function(), Noise(inside=1.0))
