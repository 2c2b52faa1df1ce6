"""Networks without recurrent weights: their moments are exact, and so is the prediction of what they prefer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrnn_theory import CTRNN, Divergence, Noise, NotApplicable
from ctrnn_theory.analysis.preference.memoryless import memoryless, memoryless_moments
from ctrnn_theory.analysis.preference.predicted import LEVELS, predicted_preference
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.training.tasks import Feedforward, Function, Maze, Model, PathIntegration

SIMULATED = 5.0  # standard errors
TASKS = {"constant input": Function(conditions=3, steps=12), "moving input": PathIntegration(conditions=3, steps=7)}


def network(task, n, gamma, activation, rng):
    sizes = (n, task.inputs), (task.outputs, n), (task.outputs,)
    return CTRNN(np.zeros((n, n)), rng.normal(size=n), activation, gamma, *(rng.normal(size=size) for size in sizes))


@settings(max_examples=15)
@given(
    st.sampled_from(sorted(TASKS)),
    st.integers(1, 6),
    st.floats(0.05, 1.0),
    st.sampled_from(["relu", "tanh", "sin"]),
    st.floats(0.0, 2.0),
    st.floats(0.0, 2.0),
    st.integers(0, 1000),
)
def test_moments_are_those_of_the_closure_which_is_exact_without_recurrence(name, n, gamma, f, inside, outside, seed):
    rng, task = np.random.default_rng(seed), TASKS[name]
    noise = Noise(inside=inside * rng.uniform(0.5, 1.0, n), outside=outside)
    model, episode = Model.of(network(task, n, gamma, f, rng), noise), task.drawn(seed_words(seed))
    levels = np.array([0.0, 0.6, 1.0])
    mean, variance = memoryless_moments(model, episode, levels)
    closed_mean, closed_variance = task.output_moments(model, episode, levels)
    size = np.abs(model.weights.W_out).sum() * (1.0 + np.abs(mean).max())
    np.testing.assert_allclose(mean, closed_mean, rtol=0, atol=1e-12 * size)
    np.testing.assert_allclose(variance, closed_variance, rtol=0, atol=1e-12 * size**2)


@pytest.mark.parametrize("name", TASKS)
def test_moments_are_those_of_a_loop_of_steps(name):
    task, rng, runs = TASKS[name], np.random.default_rng(3), 20_000
    net, noise = network(task, 4, 0.3, "relu", rng), Noise(inside=0.8, outside=0.3)
    episode = task.drawn(seed_words(0))
    h = np.zeros((runs, *episode.u.shape[1:2], 4))
    for t in range(len(episode.w)):
        a = episode.u[t % len(episode.u)] @ net.W_in.T + net.b
        y = np.maximum(a + 0.8 * rng.standard_normal(h.shape), 0.0) + 0.3 * rng.standard_normal(h.shape)
        h = 0.7 * h + 0.3 * y
    z = h @ net.W_out.T + net.b_out
    mean, variance = memoryless_moments(Model.of(net, noise), episode, np.array([1.0, 1.8]))
    error = z.std(axis=0) / np.sqrt(runs)
    assert np.all(np.abs(z.mean(axis=0) - mean[-1, 0]) < SIMULATED * error)
    assert np.max(np.abs(z.mean(axis=0) - mean[-1, 1]) / error) > 2.0 * SIMULATED
    # the variance of a sample of a nearly normal law has the relative standard error √(2/runs) for one output
    relative = np.abs(z.var(axis=0).sum(axis=-1) / variance[-1, 0] - 1.0)
    assert np.all(relative < SIMULATED * np.sqrt(3.0 / runs))
    assert np.max(np.abs(z.var(axis=0).sum(axis=-1) / variance[-1, 1] - 1.0)) > 2.0 * SIMULATED * np.sqrt(3.0 / runs)


def test_what_is_not_memoryless():
    rng = np.random.default_rng(0)
    net = network(TASKS["constant input"], 3, 0.5, "relu", rng)
    assert memoryless(Model.of(net, Noise(inside=[0.1, 0.2, 0.3])))
    shared, recurrent = Noise(inside=np.ones((3, 1))), CTRNN(np.eye(3), net.b, "relu", 0.5)
    coloured = Noise(inside=1.0, rho_inside=0.5)
    assert not any(memoryless(Model.of(net, noise)) for noise in (shared, coloured, Noise.dropout(0.5)))
    assert not memoryless(Model.of(recurrent, Noise(inside=1.0)))


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
