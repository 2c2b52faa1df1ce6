"""Tasks that are given as arrays."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import ctrnn_theory as ct
from ctrnn_theory.training.settings import find_task
from ctrnn_theory.training.tasks import Given

LEVELS = [0.0, 0.5, 1.0]


def network(n=4, inputs=1, outputs=1):
    rng = np.random.default_rng(1)
    W, W_out = 0.3 * rng.standard_normal((n, n)), rng.standard_normal((outputs, n)) / n
    return ct.CTRNN(W, 0.2, "relu", 0.2, rng.standard_normal((n, inputs)), W_out, np.zeros(outputs))


def test_the_arrays_of_a_task_give_the_numbers_of_the_task():
    task, net, noise = find_task("function", conditions=5, steps=30), network(), ct.Noise(inside=0.5)
    u, y, w = task.episode(np.random.default_rng(0))
    options = {"noise": noise, "repeats": 8, "rng": 3}
    expected = ct.preference(net, task, LEVELS, **options)
    wide = np.repeat(u, 30, axis=0)
    for arrays in [(u, y, w), (wide, y, 7.0 * w), (u, y, w > 0.0), (wide.tolist(), y, w)]:
        found = ct.preference(net, arrays, LEVELS, **options)
        assert np.array_equal(found.loss, expected.loss)
        assert np.array_equal(found.predicted_bias, expected.predicted_bias)
    single = ct.preference(net, tuple(np.float32(array) for array in (u, y, w)), LEVELS, **options)
    assert np.allclose(single.loss, expected.loss, rtol=1e-5)
    other = ct.preference(net, (u, y + 1.0, w), LEVELS, **options)
    assert not np.allclose(other.loss, expected.loss, rtol=0.1)


def test_weights_are_equal_by_default_and_a_result_does_not_repeat_the_arrays():
    task = Given.of(np.zeros((20, 3, 2)), np.zeros((20, 3, 1)))
    assert np.allclose(task.w, 0.05)
    found = ct.preference(network(inputs=2), (task.u, task.y), LEVELS, repeats=3, predict=False)
    assert json.loads(json.dumps(found.to_dict()))["task"] == {
        "name": "given",
        "steps": 20,
        "trials": 3,
        "inputs": 2,
        "outputs": 1,
        "repeats": 8,
    }


def test_a_readout_without_a_bias_is_one_of_zeros():
    net = network()
    arrays = np.zeros((10, 2, 1)), np.ones((10, 2, 1))
    without = dataclasses.replace(net, b_out=None)
    found, expected = (ct.preference(one, arrays, LEVELS, repeats=3).loss for one in (without, net))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((np.zeros((5, 2, 1)),), "task must be .inputs, targets. or .inputs, targets, weights.; got 1 arrays"),
        ((np.zeros((5, 2)), np.zeros((5, 2, 1))), r"inputs must have shape \(time, trial, channel\); got \(5, 2\)"),
        ((np.zeros((5, 2, 1)), np.zeros((4, 2, 1))), "targets must have 5 steps, or one if they are constant; got 4"),
        ((np.zeros((5, 2, 1)), np.zeros((5, 3, 1))), "targets must have the 2 trials of inputs.*; got 3"),
        ((np.zeros((5, 2, 1)), np.zeros((5, 2, 1)), np.zeros(5)), "weights must be at least 0, and one of them above"),
        ((np.zeros((5, 2, 1)), np.zeros((5, 2, 1)), [1, 1, 1, 1, -1]), "weights must be at least 0"),
        ((np.full((5, 2, 1), np.nan), np.zeros((5, 2, 1))), "inputs must be finite"),
        ((np.zeros((5, 2, 3)), np.zeros((5, 2, 1))), r"W_in of the network must have shape \(4, 3\); got \(4, 1\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        ct.preference(network(), arrays)


def test_tensors_are_taken_as_they_are():
    torch = pytest.importorskip("torch", reason="PyTorch is in the extra interop")
    u, y = np.random.default_rng(0).standard_normal((2, 20, 3, 1)).astype(np.float32)
    w = np.arange(20) >= 10
    expected = ct.preference(network(), (u, y, w), LEVELS, repeats=4, predict=False)
    tensors = torch.from_numpy(u).requires_grad_(), torch.from_numpy(y), torch.from_numpy(w)
    found = ct.preference(network(), tensors, LEVELS, repeats=4, predict=False)
    assert np.array_equal(found.loss, expected.loss)
