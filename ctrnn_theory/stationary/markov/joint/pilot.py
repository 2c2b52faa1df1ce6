"""A few simulated steps, which say where the state of a network and its sources lives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory.stationary.markov.joint.step import JointStep
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray

TRAJECTORIES = 512
MOST_STEPS = 2000  # of the pilot
BOUND = 1e9  # size of a state that has been carried away
WIDTHS = 7.5  # standard deviations on each side of a first box
BEYOND = 0.3  # part of the range seen by which a box passes it at least


class Pilot(NamedTuple):
    """Where trajectories were seen."""

    low: FloatArray
    """Lower corner (M,) of a box that should hold the law."""
    high: FloatArray
    """Upper corner (M,)."""


def pilot(step: JointStep, start: FloatArray) -> Pilot:
    """Follow trajectories from a state (N,) and return a first box.

    It need not be exact, since the solver widens it until no probability leaves it.

    Raises
    ------
    Divergence
        If a trajectory grows beyond 1e9.
    """
    rng = np.random.default_rng(0)
    n, longest = step.n, max(float(np.max(1.0 / step.wiring.gamma)), float(np.max(1.0 / (1.0 - step.rho), initial=1.0)))
    steps = int(min(MOST_STEPS, 20.0 * longest + 50))
    states = np.concatenate([np.tile(start, (TRAJECTORIES, 1)), rng.standard_normal((TRAJECTORIES, len(step.rho)))], 1)
    seen = []
    for k in range(steps):
        states = advance(step, states, rng)
        if not np.all(np.abs(states[:, :n]) < BOUND):
            raise Divergence("noise carries the state beyond 1e9: no stationary law is found")
        if k >= steps // 2:
            seen.append(np.stack([states.mean(0), states.var(0), states.min(0), states.max(0)]))
    mean, variance = np.mean(seen, axis=0)[:2]
    least, most = np.min(seen, axis=0)[2], np.max(seen, axis=0)[3]
    std = np.sqrt(variance + np.var(np.array(seen)[:, 0], axis=0))
    reach = np.maximum(WIDTHS * std, 1e-9 * (1.0 + np.abs(mean)))
    slack = BEYOND * (most - least)
    low, high = np.minimum(mean - reach, least - slack), np.maximum(mean + reach, most + slack)
    low[n:], high[n:] = -WIDTHS, WIDTHS
    return Pilot(low, high)


def advance(step: JointStep, states: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return states (rows, M) after one random step."""
    n = step.n
    z, own = rng.standard_normal((len(states), step.shared)), rng.standard_normal((4, len(states), n))
    alpha = step.alpha(states)
    argument = alpha * (1.0 + z @ step.gain_inside.T) + z @ step.inside.T
    argument = argument + step.sources(states, z) @ step.source_inside.T
    argument = argument + np.hypot(step.own[0], step.own[2] * alpha) * own[0]
    y = np.stack([f(argument[:, i]) for i, f in enumerate(step.f)], axis=1)
    kept = np.where(rng.random(y.shape) < step.keep, 1.0 / step.keep, 0.0) if np.any(step.keep < 1.0) else 1.0
    r = y * (1.0 + z @ step.gain_outside.T + step.own[3] * own[1]) * (1.0 + z @ step.common.T) * kept
    w = step.wiring
    h = step.shift(states, z) + w.gamma * (r @ w.write.T + step.own[1] * own[2])
    return np.concatenate([h, step.sources(states, z)], axis=1)
