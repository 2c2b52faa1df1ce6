"""Simulation beside the prediction of an audit, for some of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.analysis.audit.given import Given
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.results import Readable, counted
from ctrnn_theory.support.types import FloatArray, IntArray
from ctrnn_theory.support.workers import Workers
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.rollout import run_open
from ctrnn_theory.training.tasks.base import lanes
from ctrnn_theory.training.tasks.episode import Episode

TRIALS = 1024  # trials of each checked condition in time


@dataclass(frozen=True, eq=False, repr=False)
class Check(Readable):
    """Mean outputs by simulation in M of the conditions of an audit."""

    conditions: IntArray
    """Numbers of these conditions (M,)."""
    output: FloatArray
    """Mean outputs under noise (M, P), or (T, M, P) in time; NaN where there is none."""
    standard_error: FloatArray
    """Standard error of ``output``, over independent trajectories."""
    messages: tuple[str, ...]
    """What limits each of them, (M,); empty if nothing does."""

    def _headline(self) -> str:
        return f"simulation of {counted(len(self.conditions), 'condition')}"


def simulated(net: CTRNN, noise: Noise, given: Given, count: int, rng: Any, workers: Workers) -> Check | None:
    """Simulate `count` conditions, evenly over them; None for a network without outputs, or for no conditions."""
    count = min(count, given.conditions)
    if net.W_out is None or count == 0:
        return None
    at = ((np.arange(count) + 0.5) * given.conditions / count).astype(np.intp)
    chosen = given.some(at)
    key = seed_words(rng)
    if not given.constant:
        return _in_time(net, noise, chosen, at, key, workers)
    none = np.full(len(net.W_out), np.nan)
    outputs, errors, messages = [], [], []
    seeds = np.random.SeedSequence([int(word) for word in key]).spawn(at.size)
    for u, seed in zip(chosen.u[0], seeds, strict=True):
        try:
            law = predict(net, noise, u if u.size else None, "simulation", rng=seed, workers=workers)
        except (NotApplicable, Divergence) as error:
            outputs.append(none)
            errors.append(none)
            messages.append(str(error))
            continue
        z = law.details["trajectory_rates"] @ net.W_out.T
        outputs.append(z.mean(axis=0) + (0.0 if net.b_out is None else net.b_out))
        errors.append(z.std(axis=0, ddof=1) / np.sqrt(len(z)) if len(z) > 1 else np.zeros(z.shape[1]))
        messages.append(law.message)
    return Check(at, np.array(outputs), np.array(errors), tuple(messages))


def _in_time(net: CTRNN, noise: Noise, given: Given, at: IntArray, key: Any, workers: Workers) -> Check:
    """Simulate trials that begin at zero."""
    steps, conditions, P = len(given.u), at.size, len(net.W_out) if net.W_out is not None else 0
    episode = Episode(given.u, np.zeros((1, conditions, P)), np.full(steps, 1.0 / steps))
    count = TRIALS * conditions
    try:
        _, out = run_open(Model.of(net, noise), lanes(episode, count), key, workers, record=True)
    except NotApplicable as reason:
        none = np.full((steps, conditions, P), np.nan)
        return Check(at, none, none, (str(reason),) * conditions)
    z = out[0][..., :count].reshape(steps, P, TRIALS, conditions)
    with np.errstate(over="ignore", invalid="ignore"):  # a state that grows without bound
        moments = z.mean(axis=2), z.std(axis=2, ddof=1) / np.sqrt(TRIALS)
    bounded = np.all(np.isfinite(moments[1]), axis=(0, 1))
    mean, spread = (np.where(bounded, x, np.nan).transpose(0, 2, 1) for x in moments)
    return Check(at, mean, spread, tuple("" if one else "the state grows without bound" for one in bounded))
