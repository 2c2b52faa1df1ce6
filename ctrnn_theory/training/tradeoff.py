"""Bias against variance in two numbers, K and ν, and the critical noise that they give."""

from __future__ import annotations

import math

import numpy as np

from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.rollout import Key
from ctrnn_theory.training.tasks import Model, OpenLoop, Task

LEVELS = np.array([0.0, 1.0])


def critical(K: float | None, nu: float | None) -> float | None:
    """Return the critical noise σ_c = √(ν/2K) in units of the training noise, or None if K and ν are not known.

    Examples
    --------
    >>> critical(2.0, 1.0), critical(0.0, 1.0)
    (0.5, inf)
    """
    if K is None or nu is None:
        return None
    return math.sqrt(nu / (2.0 * K)) if K > 0.0 else math.inf


def predicted_tradeoff(task: Task, model: Model, key: Key) -> dict[str, float | None]:
    """Return K and ν of one network by the Gaussian closure in time, for the conditions of a key.

    K is the mean of |E z(1) - E z(0)|² and ν the variance of z(1), for outputs z at levels of the noise. Both are None
    for a closed-loop task, where the closure grows without bound, and where it does not fit into memory.
    """
    none: dict[str, float | None] = {"K": None, "nu": None}
    if not isinstance(task, OpenLoop):
        return none
    episode = task.drawn(key)
    w: FloatArray = episode.w[episode.w > 0.0]
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = task.output_moments(model, episode, LEVELS)
            K = float(w @ np.sum((mean[:, 1] - mean[:, 0]) ** 2, axis=-1).mean(axis=-1))
            nu = float(w @ variance[:, 1].mean(axis=-1))
    except ValueError:
        return none
    return {"K": K, "nu": nu} if math.isfinite(K) and math.isfinite(nu) else none
