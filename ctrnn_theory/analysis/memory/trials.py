"""The error of what is remembered in time, by simulation of the network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.analysis.memory.problem import Problem
from ctrnn_theory.integrators.ensemble import BOUND, Ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import Workers

CHUNK = 2**21
"""Numbers of a simulation that are held in memory at a time, 16 MB; at least one recorded time is held."""


class Trials(NamedTuple):
    """Squared error of what is read over M trials of each of C conditions, the mean over conditions."""

    systematic: FloatArray
    """Squared distance of the mean from the target (T,); its estimate is unbiased and may fall below zero."""
    random: FloatArray
    """Total variance (T,)."""
    squared_error: FloatArray
    """The sum of both (T,)."""
    standard_error: FloatArray
    """Standard error of the sum (T,), over trials, with conditions fixed."""


def run_trials(
    net: CTRNN, noise: Noise, problem: Problem, count: int, key: NDArray[np.uint64], workers: Workers
) -> Trials:
    """Simulate trials of all conditions; without noise, one of each."""
    count = 1 if noise.is_zero else count
    seeds = np.random.SeedSequence([int(word) for word in key]).spawn(problem.conditions)
    rows = problem.inputs if net.W_in is None else problem.inputs @ net.W_in.T
    if problem.inputs.shape[1] == 1:  # conditions have the same input, and run side by side
        drive = net.b + (rows[:, 0] if net.W_in is not None else np.zeros((1, net.n)))
        read = _read(net, noise, drive, np.tile(problem.start, (count, 1)), problem, seeds[0], workers)
        z = read.reshape(len(read), count, problem.conditions, -1)
    else:
        drives = np.swapaxes(net.b + rows, 0, 1)
        each = [
            _read(net, noise, drive, np.tile(start, (count, 1)), problem, seed, workers)
            for drive, start, seed in zip(drives, problem.start, seeds, strict=True)
        ]
        z = np.stack(each, axis=2)
    return _measured(z - problem.target[:, None])


def _read(
    net: CTRNN,
    noise: Noise,
    drive: FloatArray,
    starts: FloatArray,
    problem: Problem,
    seed: np.random.SeedSequence,
    workers: Workers,
) -> FloatArray:
    """Return what is read (T, M, P) of trajectories from start states (M, N), with W_in u + b (steps or 1, N)."""
    M, n = starts.shape
    ensemble = Ensemble(net, noise, drive if len(drive) > 1 else drive[0], None, M, seed, workers)
    ensemble.place(starts)
    times, most, found = len(problem.target), max(1, CHUNK // (M * n)), []
    for first in range(0, times, most):
        h = ensemble.record(min(most, times - first), problem.every, M)
        if not np.all(np.abs(h) < BOUND):  # also for NaN
            raise Divergence(f"W must keep the state bounded; a state passes {BOUND:g} within {ensemble.steps} steps")
        found.append(h @ problem.weights.T + problem.offset)
    return np.concatenate(found)


def _measured(error: FloatArray) -> Trials:
    """Return the parts of the squared error from errors (T, M, C, P)."""
    M = error.shape[1]
    mean, square = error.mean(axis=1), np.sum(error**2, axis=-1)
    if M == 1:
        found = square[:, 0].mean(axis=1)
        return Trials(found, np.zeros_like(found), found, np.zeros_like(found))
    variance = np.sum(error.var(axis=1, ddof=1), axis=-1).mean(axis=1)
    systematic = np.sum(mean**2, axis=-1).mean(axis=1) - variance / M
    spread = np.sqrt(np.mean(square.var(axis=1, ddof=1), axis=1) / (M * square.shape[2]))
    return Trials(systematic, variance, square.mean(axis=(1, 2)), spread)
