"""Trial environments of neurogym as open-loop tasks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.support.arguments import integer, positive_integer, shown
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks.given import Given


def from_neurogym(
    environment: Any,
    trials: int = 64,
    *,
    rng: int = 0,
    weights: ArrayLike | None = None,
    repeats: int = 8,
    **settings: Any,
) -> Given:
    """Return a trial environment of neurogym as a task: observations are inputs, ground truth is the target.

    Actions of a discrete choice become targets of one channel for each action, one for the right action and zero for
    the others. What the network does changes nothing: the trials are drawn in advance. A trial that is shorter than the
    longest goes on with its last observation and its last target.

    Parameters
    ----------
    environment
        Name such as "PerceptualDecisionMaking-v0" (the version may be left out), or an environment.
    trials
        Number of trials that are drawn.
    rng
        Seed of the environment, an int.
    weights
        Weight of each step in the loss (time,), see :meth:`Given.of`.
    repeats
        Runs of each trial in a loss by simulation.
    **settings
        Settings of the environment, such as ``dt=20``.

    Returns
    -------
    Given
        The task.

    Raises
    ------
    ValueError
        If the environment is unknown, or an argument is out of range.
    NotApplicable
        If the environment has no ground truth, as one that rewards.
    ImportError
        If neurogym is not installed.

    Examples
    --------
    >>> from_neurogym("PerceptualDecisionMaking", trials=10, dt=20)       # doctest: +SKIP
    Given: 10 trials of 110 steps, 3 inputs, 3 outputs
    """
    count, seed = positive_integer("trials", trials), integer("rng", rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, about its own metadata
        env, name = _environment(environment, settings)
        env.seed(seed)
        drawn = [_trial(env, name) for _ in range(count)]
    steps = max(len(u) for u, _ in drawn)
    u, y = (np.stack([_longer(array, steps) for array in arrays], axis=1) for arrays in zip(*drawn, strict=True))
    return Given.of(u, y, weights, name=name, repeats=repeats)


def _environment(environment: Any, settings: dict[str, Any]) -> tuple[Any, str]:
    """Return the trial environment without wrappers, and its name."""
    if not isinstance(environment, str):
        if settings or not hasattr(getattr(environment, "unwrapped", None), "new_trial"):
            raise ValueError(
                f"environment must be a name, or an environment without settings; got {shown(environment)}"
            )
        return environment.unwrapped, type(environment.unwrapped).__name__
    try:
        import neurogym
        from neurogym.envs.registration import all_envs
    except ImportError as error:
        raise ImportError('neurogym must be installed: pip install "ctrnn-theory[interop]"') from error
    names = {known.partition("-")[0]: known for known in all_envs()}
    name = environment.partition("-")[0]
    if name not in names:
        raise ValueError(f"environment must be one of {', '.join(sorted(names))}; got {environment!r}")
    return neurogym.make(names[name], **settings).unwrapped, name


def _trial(env: Any, name: str) -> tuple[FloatArray, FloatArray]:
    """Draw a trial, and return its observations (T, K) and targets (T, P)."""
    env.new_trial()
    if not getattr(env, "_ob_built", False) or not getattr(env, "_gt_built", False):
        raise NotApplicable(f"{name} has no ground truth for each step, which a target must be")
    u, truth = np.asarray(env.ob, dtype=np.float64), np.asarray(env.gt)
    if hasattr(env.action_space, "n"):
        first = int(getattr(env.action_space, "start", 0))
        truth = np.asarray(truth.ravel()[:, None] == first + np.arange(env.action_space.n))
    return u.reshape(len(u), -1), truth.astype(np.float64).reshape(len(truth), -1)


def _longer(array: FloatArray, steps: int) -> FloatArray:
    return np.concatenate([array, np.repeat(array[-1:], steps - len(array), axis=0)])
