"""The kernels of training with the compiler off: bounds are checked, and the numbers are the same."""

import os
import subprocess
import sys

import numpy as np

SCRIPT = """
import sys
from dataclasses import replace
import numpy as np
from ctrnn_theory.activations import activation
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.training.tasks import Function, Maze, Model, PathIntegration

KEY = np.array([1, 2], np.uint64)
found = {}
for task, neurons in (
    (Function(conditions=3, steps=3, repeats=2), 5),
    (PathIntegration(conditions=2, steps=3, repeats=2), 2),
    (Maze(steps=3, conditions=2, repeats=2), 3),
):
    layout = task.layout(neurons)
    rng = np.random.default_rng(0)
    x = np.array([task.guess(layout, rng) + 0.1 for _ in range(2)]).T
    noise = Noise(inside=0.5, outside=np.linspace(0.1, 0.2, neurons))
    found[task.name] = task.simulated(Model(activation("relu"), 0.3, layout.weights(x), noise), KEY, 1)
    trials = task.trials(layout.network(x[:, 0], "relu", 0.3), noise, 2, KEY, 1)
    found[task.name + "_trials"] = trials.cost if trials.outputs is None else trials.outputs
    wide = task.layout(33)
    net = wide.network(task.guess(wide, rng), "relu", 0.3)
    net = replace(net, W=np.outer(rng.normal(size=33), rng.normal(size=33)) / 33)  # a kernel for low rank runs it
    for kind in ("inside", "outside", "gain_outside"):
        found[f"{task.name}_{kind}"] = task.trials(net, Noise(**{kind: 0.5}), 2, KEY, 1).cost
np.savez(sys.argv[1], **found)
"""


def test_without_jit(tmp_path):
    results = []
    for off in ("1", "0"):
        file = tmp_path / f"{off}.npz"
        subprocess.run([sys.executable, "-c", SCRIPT, file], check=True, env={**os.environ, "NUMBA_DISABLE_JIT": off})
        with np.load(file) as arrays:
            results.append({name: arrays[name] for name in arrays})
    assert results[0].keys() == results[1].keys()
    for name, interpreted in results[0].items():
        np.testing.assert_allclose(interpreted, results[1][name], rtol=1e-12, atol=1e-14)
