"""Trial environments of neurogym as tasks."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.training.tasks import from_neurogym

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the library itself
    neurogym = pytest.importorskip("neurogym", reason="neurogym is in the extra interop")
    from neurogym.envs.registration import all_envs

NAMES = sorted({name.partition("-")[0] for name in all_envs()} - {"AnnubesEnv"})
"""All environments but one that needs settings of its own."""
WITHOUT = {"Bandit", "DawTwoStep", "EconomicDecisionMaking", "Null"}
"""Environments that reward and have no ground truth."""


def test_a_task_holds_the_trials_of_the_environment():
    task = from_neurogym("PerceptualDecisionMaking", trials=5, rng=2, dt=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env = neurogym.make("PerceptualDecisionMaking-v0", dt=20).unwrapped
        env.seed(2)
        for trial in range(5):
            env.new_trial()
            assert np.array_equal(task.u[:, trial], env.ob.astype(np.float64))
            assert np.array_equal(task.y[:, trial].argmax(axis=-1), env.gt)
    assert np.array_equal(task.y.sum(axis=-1), np.ones(task.y.shape[:2]))
    again, other = (from_neurogym("PerceptualDecisionMaking-v0", trials=5, rng=rng, dt=20) for rng in (2, 3))
    assert np.array_equal(again.u, task.u)
    assert not np.array_equal(other.u, task.u)


@pytest.mark.parametrize("name", NAMES)
def test_every_environment_with_a_ground_truth_is_a_task(name):
    if name in WITHOUT:
        with pytest.raises(NotApplicable, match=f"{name} has no ground truth"):
            from_neurogym(name, trials=2)
        return
    task = from_neurogym(name, trials=3)
    task.check()
    assert task.u.shape[:2] == task.y.shape[:2] == (task.w.size, 3)
    assert task.name == name


def test_shorter_trials_go_on_with_their_last_step():
    task = from_neurogym("ReadySetGo", trials=20)
    steps = [int(np.flatnonzero(np.any(np.diff(task.y[:, i], axis=0), axis=1)).max(initial=0)) for i in range(20)]
    assert len(set(steps)) > 1
    assert np.array_equal(task.y[-1], task.y[-2])


def test_the_preference_of_a_network_on_a_task():
    task = from_neurogym("GoNogo", trials=4, rng=0)
    rng = np.random.default_rng(1)
    net = ct.CTRNN(
        0.3 * rng.standard_normal((5, 5)),
        0.1,
        "relu",
        0.2,
        rng.standard_normal((5, 3)),
        rng.standard_normal((2, 5)),
        [0, 0],
    )
    found = ct.preference(net, task, [0.0, 0.5, 1.0], noise=ct.Noise(inside=0.3), repeats=64)
    error = np.hypot(found.standard_error[1:], 0.02 * found.loss[1:])  # of the closure, 2 % of the loss at most here
    assert np.all(np.abs(found.predicted_bias + found.predicted_variance - found.loss)[1:] < 5.0 * error)
    assert "GoNogo" in repr(found)


def test_what_is_no_environment_is_refused():
    with pytest.raises(ValueError, match=r"environment must be one of .*ReadySetGo.*; got 'Nothing'"):
        from_neurogym("Nothing")
    with pytest.raises(ValueError, match="environment must be a name, or an environment without settings; got 3"):
        from_neurogym(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env = neurogym.make("GoNogo-v0")
    assert np.array_equal(from_neurogym(env, trials=2).u, from_neurogym("GoNogo", trials=2).u)
