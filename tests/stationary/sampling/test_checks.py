"""The check that trajectories have mixed: chance does not raise it, and attractors do."""

import numpy as np
import pytest

from ctrnn_theory.stationary.sampling.checks import remembers


def halves_and_ends(parts):
    return parts[:2].mean(axis=0), parts[2:].mean(axis=0), parts[0], parts[-1]


@pytest.mark.parametrize("trajectories", [64, 128, 512])
def test_chance_is_not_memory(trajectories):
    """The largest correlation of a thousand neurons is four to five standard deviations of one."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        assert not remembers(*halves_and_ends(rng.normal(size=(4, trajectories, 1000))))


@pytest.mark.parametrize("trajectories", [64, 128, 512])
def test_attractors_are_memory(trajectories):
    """One neuron of a thousand has trajectories around -1 and around 1, with fluctuations of a fifth."""
    rng = np.random.default_rng(1)
    parts = 0.2 * rng.normal(size=(4, trajectories, 1000))
    parts[:, :, 3] += np.sign(rng.normal(size=trajectories))
    assert remembers(*halves_and_ends(parts))


@pytest.mark.parametrize("trajectories", [64, 128, 512])
def test_a_rare_event_is_no_memory(trajectories):
    """A neuron that is silent but for one event of one trajectory, in the middle of the run, or early and decaying."""
    parts = 1e-3 * np.random.default_rng(2).normal(size=(4, trajectories, 2))
    parts[1:3, 5, 0] = 1.0
    parts[:, :, 1], parts[:, 7, 1] = 0.0, [1e-3, 1e-5, 1e-7, 1e-9]
    assert not remembers(*halves_and_ends(parts))
