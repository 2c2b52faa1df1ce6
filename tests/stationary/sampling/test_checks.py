"""The check that trajectories have mixed: chance does not raise it, and attractors do."""

import numpy as np
import pytest

from ctrnn_theory.stationary.sampling.checks import remembers


@pytest.mark.parametrize("trajectories", [64, 128, 512])
def test_chance_is_not_memory(trajectories):
    """The largest correlation of a thousand neurons is four to five standard deviations of one."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        early, late = rng.normal(size=(2, trajectories, 1000))
        assert not remembers(early, late)


@pytest.mark.parametrize("trajectories", [64, 128, 512])
def test_attractors_are_memory(trajectories):
    """One neuron of a thousand has trajectories around -1 and around 1, with fluctuations of a fifth."""
    rng = np.random.default_rng(1)
    early, late = 0.2 * rng.normal(size=(2, trajectories, 1000))
    side = np.sign(rng.normal(size=trajectories))
    early[:, 3] += side
    late[:, 3] += side
    assert remembers(early, late)
