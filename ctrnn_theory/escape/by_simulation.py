"""Escape by simulation: passages between cores, small sets around the attractors, are counted.

A trajectory belongs to the core that it visited last. The number of passages from one core to another, over the time
for which trajectories belonged to the first, converges to the rates that the spectrum of the step gives, since a return
over a barrier right after a crossing does not count (C. Schütte et al., J. Chem. Phys. 134, 204105, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import chi2

from ctrnn_theory.activations.gaussian.covariance import covariance_matrix
from ctrnn_theory.dynamics.basins import basin_of
from ctrnn_theory.dynamics.linear_response import LinearLaw
from ctrnn_theory.dynamics.settle import follow
from ctrnn_theory.dynamics.step import Step
from ctrnn_theory.integrators.ensemble import BOUND, Ensemble
from ctrnn_theory.model.augmented import Augmented
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

HELD = 0.8  # probability that a core holds of a Gaussian law around its attractor
SMALLEST = 0.05  # smallest standard deviation of a core, in units of the distance to the nearest other core
REACH = 2.0  # size, in units of the core, of what must lie within the basin: then a state seldom leaves at once
SHRINK = 0.9  # factor by which a core that reaches out of its basin shrinks
LEAST = 1e-3  # size, in units of the first one, at which a core is not made smaller any more
MERGED = 0.25  # distance of two smoothed attractors, in units of the original one, below which they have merged
WELL_INSIDE = 0.6  # size of a core, in units of the first one, below which the barrier lies in the bulk of the law
DIRECTIONS = 64  # random directions in which a core is checked to lie in its basin
CHECKED = 0.25  # time, in units of τ, between checks of the core in which a state is
CHUNK = 2_000_000  # numbers that are recorded between checks of the counts, 16 MB


@dataclass(frozen=True, eq=False)
class Cores:
    """Ellipsoids around the B attractors, each within its basin."""

    centres: FloatArray
    """States to which the noise-smoothed network settles from the attractors, (B, N)."""
    whiten: FloatArray
    """Matrices (B, N, N): a state h is in a core if |whiten (h - centre)| is at most 1."""
    clear: bool
    """Whether each core holds the bulk of a Gaussian law there, without reaching out of the basin."""

    def labels(self, states: FloatArray) -> IntArray:
        """Return the number of the core in which each state (..., N) is, -1 for none."""
        distance = np.stack(
            [
                np.sum(((states - centre) @ whiten.T) ** 2, axis=-1)
                for centre, whiten in zip(self.centres, self.whiten, strict=True)
            ]
        )
        nearest: IntArray = np.where(np.min(distance, axis=0) <= 1.0, np.argmin(distance, axis=0), -1)
        return nearest


@dataclass(frozen=True, eq=False)
class Passages:
    """Passages between cores that were counted."""

    counts: FloatArray
    """Number of passages from the core of the row to that of the column, (B, B)."""
    time: FloatArray
    """Number of steps for which trajectories belonged to each core, (B,)."""
    steps: int
    """Number of steps of each trajectory."""


def find_cores(net: CTRNN, noise: Noise, drive: FloatArray, points: FloatArray) -> Cores:
    """Return the cores of the stable fixed points (B, N).

    Each is an ellipsoid of the Gaussian law of the linear step at the attractor, made smaller until its basin holds it.
    """
    centres, merged = smoothed_centres(net, noise, drive, points)
    gaps = _distances(centres)
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((DIRECTIONS, net.n))
    directions = np.concatenate([directions, np.eye(net.n), -np.eye(net.n)])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    first = math.sqrt(chi2.ppf(HELD, net.n))
    whiten, clear = [], not merged
    for i, centre in enumerate(centres):
        V = _local_covariance(net, noise, drive, centre) + (SMALLEST * np.min(gaps[i])) ** 2 * np.eye(net.n)
        root = np.linalg.cholesky(V)
        radius = first
        while np.any(basin_of(net, drive, centre + REACH * radius * directions @ root.T, points) != i):
            radius *= SHRINK
            if radius < LEAST * first:
                break
        clear &= radius > WELL_INSIDE * first
        whiten.append(np.linalg.inv(radius * root))
    return Cores(centres, np.array(whiten), clear)


def smoothed_centres(net: CTRNN, noise: Noise, drive: FloatArray, points: FloatArray) -> tuple[FloatArray, bool]:
    """Return where the noise-smoothed network settles from the stable points (B, N), and whether some of them merge.

    A point stays as it is if the network settles outside its basin; if some merge, all points stay as they are.
    """
    if not noise.std("inside", net.n).any() and not np.any(noise.gain_inside):
        return points, False
    step = Step.of(replace(net, b=drive), None, noise)
    settled = [follow(step, point).fixed_point for point in points]
    ends = np.where(np.isnan(settled), points, settled)  # without a fixed point, the point stays as well
    if np.any(_distances(ends) < MERGED * _distances(points)):
        return points, True
    own = basin_of(net, drive, ends, points) == np.arange(len(points))
    return np.where(own[:, None], ends, points), False


def _distances(points: FloatArray) -> FloatArray:
    """Return the distance of each pair of points (B, N), infinite on the diagonal, (B, B)."""
    gaps: FloatArray = np.sqrt(np.sum((points[:, None] - points) ** 2, axis=2)) + np.diag(np.full(len(points), np.inf))
    return gaps


def _local_covariance(net: CTRNN, noise: Noise, drive: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the stationary covariance (N, N) of the linear step at a centre, zero where that is not stable."""
    f, whole = net.activation, Augmented.of(replace(net, b=drive), noise)
    a, (gain, R) = whole.wiring.preactivation(centre), (noise.gain_covariance(site, net.n) for site in SITES)
    argument = whole.inner + gain * np.outer(a, a)
    std = np.sqrt(np.diag(argument))
    F, felt = f.smoothed(a, std), f.smoothed(a, std, 1)
    C = covariance_matrix(f, a, argument)
    scatter = C + R * (C + np.outer(F, F)) - felt[:, None] * whole.inner * felt
    slope = NoisyActivation(f, np.sqrt(np.diag(whole.inner)), np.sqrt(np.diag(gain))).slope(a)
    law = LinearLaw.of(whole, slope, felt, scatter)
    return np.zeros((net.n, net.n)) if law is None else law.states


def count_passages(
    net: CTRNN,
    noise: Noise,
    drive: FloatArray,
    cores: Cores,
    *,
    enough: float,
    max_steps: int,
    trajectories: int,
    rng: Any,
    workers: int | Callable[..., Any] | None,
) -> Passages:
    """Simulate equally many trajectories from each core until `enough` passages have left each, or for `max_steps`.

    A trajectory that has left its core is put back after a while, so that every core keeps its trajectories.
    """
    count = len(cores.centres)
    ensemble = Ensemble(net, noise, drive, None, max(trajectories, count), rng, workers)
    n, followed = ensemble.h.shape
    home = np.arange(followed) % count
    ensemble.place(cores.centres)
    every = max(1, round(CHECKED / float(np.max(net.gamma))))
    counts, time, steps = np.zeros((count, count)), np.zeros(count), 0
    while steps < max_steps and np.any(counts.sum(axis=1) < enough):
        times = max(1, min(CHUNK // (len(home) * n), math.ceil((max_steps - steps) / every)))
        path = ensemble.record(times, every, len(home))
        if not np.all(np.abs(path[-1]) < BOUND):  # also for NaN
            raise Divergence(f"W must keep the state bounded; a state has passed {BOUND:g}")
        belongs = _last_visited(home, cores.labels(path))
        before, after = belongs[:-1].ravel(), belongs[1:].ravel()
        time += every * np.bincount(before, minlength=count)
        np.add.at(counts, (before[before != after], after[before != after]), 1.0)
        steps += times * every
        _bring_home(ensemble, cores.centres, home, belongs[-1] != home)
    return Passages(counts, time, steps)


def _bring_home(ensemble: Ensemble, centres: FloatArray, home: IntArray, away: BoolArray) -> None:
    """Put trajectories that have left their core back to it.

    Sources of coloured noise that have carried a state away would do so again at once. So their states are taken, with
    those of the neurons, from trajectories that are at home.
    """
    ensemble.h[:, away] = centres[home[away]].T
    if not ensemble.sources.size:
        return
    for core in range(len(centres)):
        gone, present = (np.flatnonzero((home == core) & where) for where in (away, ~away))
        if len(present):
            ensemble.g[:, gone] = ensemble.g[:, present[np.arange(len(gone)) % len(present)]]


def _last_visited(first: IntArray, labels: IntArray) -> IntArray:
    """Return the core visited last at each of T times, (T + 1, K), from `first` (K,) and labels (T, K), -1 for none."""
    belongs = np.concatenate([first[None], labels])
    at = np.where(belongs >= 0, np.arange(len(belongs))[:, None], 0)
    visited: IntArray = np.take_along_axis(belongs, np.maximum.accumulate(at, axis=0), axis=0)
    return visited
