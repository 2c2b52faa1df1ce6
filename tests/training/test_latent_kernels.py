"""The kernels for low rank give the trials that the others give, to rounding."""

import numpy as np
import pytest

from ctrnn_theory import CTRNN, Noise
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.training import rollout
from ctrnn_theory.training.tasks import Function, Maze, Model, PathIntegration

N = 37
KEY = np.array([1, 2], np.uint64)
NOISES = {
    "none": Noise(),
    "inside": Noise(inside=0.5),
    "outside": Noise(outside=np.linspace(0.1, 0.5, N)),
    "both": Noise(inside=0.5, outside=0.2),
    "factor": Noise(inside=np.random.default_rng(0).normal(size=(N, 3))),
    "all kinds": Noise.dropout(
        0.7, inside=0.5, outside=0.1, rho_inside=0.9, gain_inside=0.1, gain_outside=0.2, common_gain_outside=0.1
    ),
}


def network(task, rank=2, seed=0, gamma=0.3):
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((N, rank)) @ rng.standard_normal((rank, N)) / N
    shapes = (N, task.inputs), (task.outputs, N), (task.outputs,)
    return CTRNN(W, rng.normal(size=N), "tanh", gamma, *(rng.normal(size=shape) / 3 for shape in shapes))


def both(monkeypatch, run):
    """Return what a call gives with the kernels for low rank, and without them."""
    kept, taken = [], rollout._latent
    for low in (taken, lambda model: None):
        monkeypatch.setattr(rollout, "_latent", low)
        kept.append(run())
    return kept


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
@pytest.mark.parametrize("task", [Function(conditions=3, steps=12), PathIntegration(conditions=2, steps=12)])
def test_open_loops(monkeypatch, task, noise):
    net = network(task)
    assert rollout._latent(Model.of(net, noise)).rank == 2
    low, full = both(monkeypatch, lambda: task.trials(net, noise, 30, KEY, 1))
    np.testing.assert_allclose(low.outputs, full.outputs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(low.cost, full.cost, rtol=1e-11)
    assert np.ptp(low.outputs, axis=0).max() > (1e-3 if noise.title != "none" else -1.0)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_closed_loops(monkeypatch, noise):
    task = Maze(steps=12, conditions=2)
    net = network(task)
    low, full = both(monkeypatch, lambda: task.paths(net, noise, 2 * LANES, KEY, 1))
    np.testing.assert_allclose(low[0], full[0], rtol=1e-11)
    np.testing.assert_allclose(low[1], full[1], rtol=0, atol=1e-12)


class Fixed:
    """A pace that does not change."""

    def __init__(self, steps):
        self.steps = steps

    def lasted(self, steps, seconds):
        pass


@pytest.mark.parametrize("noise", [NOISES["inside"], NOISES["outside"], NOISES["all kinds"]])
def test_trials_do_not_depend_on_the_cut_or_the_threads(monkeypatch, noise):
    task, found = PathIntegration(conditions=2, steps=300), []
    for steps, workers in ((10**9, 1), (1, 2), (100, 1), (299, 2)):
        monkeypatch.setattr(rollout, "Pace", lambda *_, steps=steps: Fixed(steps))
        found.append(task.trials(network(task), noise, LANES, KEY, workers))
    for each in found[1:]:
        assert np.array_equal(each.cost, found[0].cost)
        assert np.array_equal(each.outputs, found[0].outputs)


@pytest.mark.parametrize(
    "changes", [{"rank": N}, {"rank": 0}, {"gamma": np.linspace(0.1, 0.9, N)}], ids=["full", "none", "gammas"]
)
def test_other_networks_keep_their_kernel(changes):
    assert rollout._latent(Model.of(network(Function(), **changes), Noise(inside=1.0))) is None


def test_many_networks_keep_their_kernel():
    model = Model.of(network(Function()), Noise(inside=1.0))
    assert (
        rollout._latent(model._replace(weights=type(model.weights)(*(np.repeat(a, 2, 0) for a in model.weights))))
        is None
    )
