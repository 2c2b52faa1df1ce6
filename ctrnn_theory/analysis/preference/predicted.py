"""The preference of a network for noise by prediction alone, without a simulation."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ctrnn_theory.analysis.preference.curve import least
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.overflow import growth
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.training.tasks import Model, OpenLoop, Task
from ctrnn_theory.training.tasks.base import expected_loss

LEVELS = np.arange(16) / 10.0
"""Levels of the noise, in units of the training noise."""
TRAINED = 10
"""Place of the training noise among them."""


class PredictedPreference(NamedTuple):
    """What :class:`~ctrnn_theory.Preference` holds, as far as it can be predicted."""

    preferred: float
    """Level of least loss, in units of the training noise."""
    ratio: float
    """Loss without noise over the least loss."""
    K: float
    """Squared shift of the mean output between no noise and the training noise."""
    nu: float
    """Variance of the output at the training noise."""
    squared_bias: float
    """Squared output bias at the training noise."""
    loss: float
    """Loss at the training noise."""
    loss_without_noise: float
    """Loss without noise."""

    @property
    def sigma_c(self) -> float:
        """Critical noise √(ν/2K), in units of the training noise."""
        return math.sqrt(self.nu / (2.0 * self.K)) if self.K > 0.0 else math.inf


def predicted_preference(net: CTRNN, task: Task, noise: Noise, rng: Any = 0) -> PredictedPreference:
    """Predict the preference of a network for the noise that it was trained with.

    The prediction is by the Gaussian closure in time, which is exact for a network without recurrent weights: its
    pre-activation is that of the network without noise. `rng` is the seed of a task that draws its inputs.

    Raises
    ------
    NotApplicable
        If the task is closed-loop, since its inputs depend on what the network does.
    Divergence
        If the state grows without bound.

    Examples
    --------
    >>> from ctrnn_theory.training.settings import find_task
    >>> net = CTRNN([[0.0]], 0.0, "relu", gamma=1.0, W_in=[[0.0]], W_out=[[1.0]], b_out=[-1 / np.sqrt(2 * np.pi)])
    >>> found = predicted_preference(net, find_task("feedforward", target="0*x"), Noise(inside=1.0))
    >>> round(found.preferred, 2), round(found.K, 6)             # 1/π, and 1/2π
    (0.32, 0.159155)
    """
    if not isinstance(task, OpenLoop):
        raise NotApplicable(f"a prediction does not take {task.name}, whose inputs depend on the network")
    episode = task.drawn(seed_words(rng))
    with growth(net, noise):
        mean, variance = task.output_moments(Model.of(net, noise), episode, LEVELS)
    if not np.all(np.isfinite(variance)):
        raise Divergence(f"W must keep the state bounded; at level {LEVELS[-1]:g} of the noise it passes 1e12")
    squared_bias, nu = expected_loss(episode, mean, variance)
    loss = squared_bias + nu
    preferred, lowest = least(LEVELS, loss)
    moved = np.sum((mean[:, TRAINED] - mean[:, 0]) ** 2, axis=-1).mean(axis=-1)
    K = float(episode.w[episode.w > 0.0] @ moved)
    numbers = (preferred, loss[0] / lowest, K, nu[TRAINED], squared_bias[TRAINED], loss[TRAINED], loss[0])
    return PredictedPreference(*map(float, numbers))
