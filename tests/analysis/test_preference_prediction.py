"""A preference may be predicted alone, for networks of low rank of any size."""

import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

import ctrnn_theory as ct
from ctrnn_theory import CTRNN
from ctrnn_theory.training.tasks import Feedforward, Function, Maze, velocity_error
from tests.training.low_rank import solved

TASK = Function(conditions=5, steps=60)
LEVELS = [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5]
NET = solved(128)


def test_prediction_alone_is_that_beside_a_simulation():
    """It is the same curve; and the simulation agrees with it, and not with that of another network."""
    alone = ct.preference(NET, TASK, LEVELS, simulate=False)
    both = ct.preference(NET, TASK, LEVELS, repeats=300)
    np.testing.assert_array_equal(alone.predicted_loss, both.predicted_loss)
    assert alone.predicted_preferred == both.predicted_preferred
    assert (alone.K, alone.nu, alone.predicted_ratio) == (both.K, both.nu, both.predicted_ratio)
    np.testing.assert_allclose(both.predicted_loss, both.loss, rtol=0.1)
    assert abs(both.preferred - both.predicted_preferred) < 0.05
    assert both.predicted_ratio == pytest.approx(both.ratio, rel=0.1)
    assert both.simulated_sigma_c == pytest.approx(both.sigma_c, rel=0.05)
    assert both.predicted_ratio > 2.0
    other = ct.preference(solved(128, seed=1), TASK, LEVELS, simulate=False)
    assert np.max(np.abs(other.predicted_loss / both.loss - 1.0)) > 0.1


def test_what_is_not_simulated_is_none():
    found = ct.preference(NET, TASK, [0.0, 1.0], simulate=False)
    measured = ("loss", "standard_error", "bias", "variance", "success", "runaway", "preferred", "interval", "ratio")
    assert [getattr(found, name) for name in measured] == [None] * len(measured)
    assert (found.repeats, found.simulated_K, found.simulated_nu, found.simulated_sigma_c) == (0, None, None, None)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["predicted_loss"] == found.predicted_loss.tolist()
    lines = found.table().splitlines()
    assert lines[1].startswith("predicted preferred level ")
    assert lines[3].startswith("K = ")
    assert lines[4].split() == ["level", "predicted", "loss", "predicted", "bias²"]
    ax = found.plot()
    assert {line.get_label() for line in ax.get_lines()} >= {"noise inside, predicted", "squared bias", "variance"}
    plt.close(ax.figure)
    assert set(found.to_xarray().data_vars) == {"predicted_loss", "predicted_bias", "predicted_variance"}


def test_both_ways_to_the_critical_noise_are_shown():
    both = ct.preference(NET, TASK, [0.0, 1.0], repeats=20)
    assert f"; simulated {both.simulated_sigma_c:.4g}" in both.table()
    simulated = ct.preference(NET, TASK, [0.0, 1.0], repeats=20, predict=False)
    assert simulated.sigma_c == simulated.simulated_sigma_c == both.simulated_sigma_c
    assert "; simulated" not in simulated.table()


def test_a_layer_of_many_neurons_is_its_closed_form():
    task, rng = Feedforward(conditions=4), np.random.default_rng(0)
    net = CTRNN(np.zeros((300, 300)), rng.normal(size=300), "relu", 1.0, rng.normal(size=(300, 1)),
                rng.normal(size=(1, 300)) / 300, [0.0])  # fmt: skip
    found = ct.preference(net, task, LEVELS, simulate=False)
    episode = task.episode(None)
    a, s = episode.u[0] @ net.W_in.T + net.b, np.array(LEVELS)[:, None, None]
    mean, v = net.activation.smoothed(a, s) @ net.W_out[0], net.activation.smoothed_variance(a, s) @ net.W_out[0] ** 2
    loss = (mean - episode.y[0, :, 0]) ** 2 + v
    np.testing.assert_allclose(found.predicted_loss, loss.mean(axis=1), rtol=1e-11)


def maze(cost):
    task, rng = Maze(cost=cost, steps=20, conditions=2), np.random.default_rng(0)
    net = CTRNN(np.zeros((40, 40)), rng.normal(size=40), "relu", 0.2, rng.normal(size=(40, task.inputs)),
                rng.normal(size=(2, 40)) / 20, [0.0, 0.0])  # fmt: skip
    return task, net


def test_the_velocity_in_the_maze_is_predicted_along_the_mean_path():
    task, net = maze("velocity")
    found = ct.preference(net, task, [0.0, 0.5, 1.0], repeats=50)
    along = velocity_error(task, net, found.noise, [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(found.predicted_loss, along.loss)
    assert found.loss[0] == pytest.approx(along.loss[0], rel=1e-9)  # agents without noise take the path
    assert (found.K, found.nu, found.sigma_c) == (None, None, None)
    alone = ct.preference(net, task, [0.0, 0.5, 1.0], simulate=False)
    np.testing.assert_array_equal(alone.predicted_loss, along.loss)
    assert "critical" not in alone.table()
    plt.close(alone.plot().figure)


def test_another_cost_in_the_maze_is_not_predicted():
    task, net = maze("way")
    assert ct.preference(net, task, [0.0, 1.0], repeats=3).predicted_loss is None
    with pytest.raises(ValueError, match="simulate must be True, unless a loss is predicted; got False for maze"):
        ct.preference(net, task, [0.0, 1.0], simulate=False)
    with pytest.raises(ValueError, match="simulate must be True"):
        ct.preference(NET, TASK, simulate=False, predict=False)


def test_a_closure_that_grows_is_refused_without_a_simulation():
    wild = replace(NET, W=1e4 * np.abs(NET.W))
    with pytest.raises(ct.Divergence, match="closure"):
        ct.preference(wild, Function(conditions=1, steps=400), simulate=False)


def test_full_rank_keeps_the_closure_of_all_neurons(monkeypatch):
    rng = np.random.default_rng(2)
    net = CTRNN(
        rng.normal(size=(40, 40)) / 20, 0.0, "relu", 0.3, rng.normal(size=(40, 1)), rng.normal(size=(1, 40)), [0.0]
    )
    task = Function(conditions=2, steps=4)
    taken = ct.preference(net, task, [0.5, 1.0], simulate=False)
    monkeypatch.setattr("ctrnn_theory.training.tasks.base.LatentNetwork.of", lambda model: None)
    again = ct.preference(net, task, [0.5, 1.0], simulate=False)
    np.testing.assert_array_equal(taken.predicted_loss, again.predicted_loss)
