"""The error of the velocity along the mean path, against slow loops, the general closure and simulation."""

import numpy as np
import pytest
from scipy.special import ndtr

import ctrnn_theory as ct
from ctrnn_theory.integrators.normals import LANES, seed_words
from ctrnn_theory.training.tasks import Episode, Maze, OpenLoop
from ctrnn_theory.training.tasks.agents import computed, moved
from ctrnn_theory.training.tasks.maze_world import RAYS, sense
from ctrnn_theory.training.tasks.mean_path import velocity_error


def network(n=12, recurrent=0.0, seed=0):
    rng = np.random.default_rng(seed)
    W = recurrent * rng.standard_normal((n, n))
    readout = rng.standard_normal((2, n)) / n
    return ct.CTRNN(
        W, rng.uniform(-1, 1, n), "relu", 0.2, W_in=rng.standard_normal((n, 10)), W_out=readout, b_out=[0.3, 0.1]
    )


def slow(task, net, sigma, outside):
    """The mean path and the errors along it, by the closed forms of the relu."""
    p, m, V = task.starts, np.zeros((task.conditions, net.n)), 0.0
    total, path = np.zeros(2), [p]
    for t in range(task.steps):
        u, goal = computed(sense, p, 10, task.world[2]).T, task.expert(p).T
        a = u @ net.W_in.T + net.b
        z, density = a / sigma, np.exp(-0.5 * (a / sigma) ** 2) / np.sqrt(2.0 * np.pi)
        F = a * ndtr(z) + sigma * density
        v = (a**2 + sigma**2) * ndtr(z) + a * sigma * density - F**2 + outside**2
        m, V = 0.8 * m + 0.2 * F, 0.64 * V + 0.04 * v
        out = m @ net.W_out.T + net.b_out
        total += np.mean(np.sum((out - goal) ** 2, axis=1)), np.mean(V @ np.sum(net.W_out**2, axis=0))
        p = moved(task.world, t, p, out.T)
        path.append(p)
    return np.array(path), *(total / task.steps)


def test_against_a_slow_loop():
    task, net, noise = Maze(steps=30), network(), ct.Noise(inside=0.7, outside=0.3)
    found = velocity_error(task, net, noise, [0.5, 1.0])
    for k, level in enumerate((0.5, 1.0)):
        path, bias, variance = slow(task, net, 0.7 * level, 0.3 * level)
        np.testing.assert_allclose(found.states[k], path, atol=1e-12)
        np.testing.assert_allclose([found.bias[k], found.variance[k]], [bias, variance], rtol=1e-10)
    np.testing.assert_array_equal(found.loss, found.bias + found.variance)


def test_the_general_closure_agrees_without_recurrence():
    task, noise = Maze(steps=10), ct.Noise(inside=0.7, outside=0.3)
    net = network(n=5)
    tiny = ct.CTRNN(np.full((5, 5), 1e-300), net.b, "relu", 0.2, W_in=net.W_in, W_out=net.W_out, b_out=net.b_out)
    quick, general = (velocity_error(task, one, noise, [0.0, 1.0]) for one in (net, tiny))
    np.testing.assert_allclose(general.states, quick.states, atol=1e-10)
    np.testing.assert_allclose([general.bias, general.variance], [quick.bias, quick.variance], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("recurrent", [0.0, 0.2])
@pytest.mark.parametrize("contact", ["slide", "stop"])
def test_without_noise_it_is_the_simulated_loss(recurrent, contact):
    task, net = Maze(steps=30, cost="velocity", contact=contact), network(recurrent=recurrent)
    found, simulated = (
        velocity_error(task, net, ct.Noise(inside=1.0), [0.0]),
        task.trials(net, ct.Noise(), 1, seed_words(0)),
    )
    assert found.loss[0] == pytest.approx(simulated.cost.mean(), rel=1e-9)
    assert found.variance[0] == pytest.approx(0.0, abs=1e-15)


class Replayed(OpenLoop):
    """The inputs of a path, with what the expert does there as targets."""

    name, summary, inputs, outputs, repeats = "replayed", "a test", 10, 2, 1

    def __init__(self, given):
        object.__setattr__(self, "given", given)

    def episode(self, rng):
        return self.given


@pytest.mark.parametrize("recurrent", [0.0, 0.1])
def test_against_simulation_along_the_mean_path(recurrent):
    task, net, noise = Maze(steps=25), network(recurrent=recurrent), ct.Noise(inside=0.8)
    found = velocity_error(task, net, noise, [1.0])
    places = found.states[0, :-1]
    u = np.array([computed(sense, p, 10, task.world[2]).T for p in places])
    y = np.array([task.expert(p).T for p in places])
    found_by = Replayed(Episode(u, y, np.full(25, 1 / 25))).trials(net, noise, 4000, seed_words(3))
    closure = 0.0 if recurrent == 0.0 else 0.02  # it is exact only without recurrence
    cost = found_by.cost.mean(axis=1)
    assert abs(cost.mean() - found.loss[0]) < 5.0 * cost.std() / np.sqrt(4000) + closure * found.loss[0]
    batches = found_by.outputs.reshape(20, 200, 4, 25, 2).var(axis=1, ddof=1).sum(axis=-1).mean(axis=(1, 2))
    error = batches.std() / np.sqrt(20)
    assert abs(batches.mean() - found.variance[0]) < 5.0 * error + closure * found.variance[0]
    assert 10.0 * error < found.variance[0]


def test_any_number_of_agents():
    task, rng = Maze(), np.random.default_rng(0)
    states, z = rng.uniform(0.0, 1.0, (2, LANES + 3)), rng.standard_normal((2, LANES + 3))
    kept = states.copy()
    whole = moved(task.world, 0, states, z)
    parts = np.concatenate(
        [moved(task.world, 0, states[:, i : i + 1], z[:, i : i + 1]) for i in range(LANES + 3)], axis=1
    )
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(states, kept)
    seen = computed(sense, states, RAYS, task.world[2])
    np.testing.assert_array_equal(seen, computed(sense, states, RAYS + 2, task.world[2])[:RAYS])


def test_levels_are_made_sure_of():
    for levels in ([], [-0.5]):
        with pytest.raises(ValueError, match="levels must be at least one number, none below 0; got "):
            velocity_error(Maze(), network(), ct.Noise(inside=1.0), levels)
