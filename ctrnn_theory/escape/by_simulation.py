"""Escape by simulation: passages between cores, small sets around the attractors, counted over many trajectories.

A trajectory belongs to the core that it visited last. Passages from one core to the next, over the time spent
belonging to the first, converge to the rates that the spectrum of the step gives, since the returns over a barrier
right after it was crossed are not counted (C. Schütte et al., Markov state models based on milestoning, J. Chem.
Phys. 134, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from ctrnn_theory.activations.gaussian.covariance import covariance_matrix
from ctrnn_theory.dynamics.basins import basin_of
from ctrnn_theory.dynamics.linear_response import linear_covariance
from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.integrators.ensemble import BOUND, Ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray, IntArray

HELD = 0.8  # share of a Gaussian law of the attractor's that its core holds
SMALLEST = 0.05  # standard deviation that a core is given at least, as a part of the distance to the next
REACH = 2.0  # times the core that lies within the basin too: a state on the core's edge seldom leaves at once
SHRINK = 0.9
MERGED = 0.25  # of the distance of two attractors: nearer than that, smoothing has made one of them
WELL_INSIDE = 0.6  # share of the core's first radius below which the barrier is in the bulk of the law
DIRECTIONS = 64  # in which a core is checked to lie in its basin
CHECKED = 0.25  # time constants between looks at the state
CHUNK = 2_000_000  # numbers recorded between looks at the counts


@dataclass(frozen=True, eq=False)
class Cores:
    """Ellipsoids around the B attractors, each within its basin."""

    centres: FloatArray
    """Where the noise-smoothed network settles from the attractor, (B, N)."""
    whiten: FloatArray
    """A state h is in a core if |whiten (h - centre)| is at most 1, (B, N, N)."""
    clear: bool
    """Whether each core holds the bulk of a Gaussian law there, without reaching out of the basin."""

    def labels(self, states: FloatArray) -> IntArray:
        """Core that each state (..., N) is in, -1 for none."""
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
    """What was counted."""

    counts: FloatArray
    """Passages from core (row) to core (column), (B, B)."""
    time: FloatArray
    """Steps that trajectories belonged to each core, (B,)."""
    steps: int
    """Steps of each trajectory."""


def find_cores(net: CTRNN, noise: Noise, drive: FloatArray, points: FloatArray) -> Cores:
    """Cores of the stable fixed points (B, N): the Gaussian law of the local linear step, cut to the basin."""
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
            if radius < 1e-3 * first:
                break
        clear &= radius > WELL_INSIDE * first
        whiten.append(np.linalg.inv(radius * root))
    return Cores(centres, np.array(whiten), clear)


def smoothed_centres(net: CTRNN, noise: Noise, drive: FloatArray, points: FloatArray) -> tuple[FloatArray, bool]:
    """Where the noise-smoothed network settles from each stable point (B, N), and whether smoothing merges some.

    A point that it settles to outside the point's own basin is left as it is; where some merge, all are.
    """
    f, sigma = net.activation, noise.std("inside", net.n)
    if not sigma.any():
        return points, False
    settled = [settle(f, sigma, net.W, drive, net.gamma, point).fixed_point for point in points]
    ends = np.where(np.isnan(settled), points, settled)  # a point from which smoothing leads to none is left as well
    if np.any(_distances(ends) < MERGED * _distances(points)):
        return points, True
    own = basin_of(net, drive, ends, points) == np.arange(len(points))
    return np.where(own[:, None], ends, points), False


def _distances(points: FloatArray) -> FloatArray:
    """Distance of each pair of points (B, N), infinite on the diagonal, (B, B)."""
    gaps: FloatArray = np.sqrt(np.sum((points[:, None] - points) ** 2, axis=2)) + np.diag(np.full(len(points), np.inf))
    return gaps


def _local_covariance(net: CTRNN, noise: Noise, drive: FloatArray, centre: FloatArray) -> FloatArray:
    """Covariance of the linear step at a centre (N, N), zero where that is not stable."""
    a, inside = net.W @ centre + drive, noise.covariance("inside", net.n)
    slope = net.activation.smoothed(a, np.sqrt(np.diag(inside)), 1)
    innovation = covariance_matrix(net.activation, a, inside) + noise.covariance("outside", net.n)
    V = linear_covariance(net.W, slope, net.gamma, innovation)
    return np.zeros((net.n, net.n)) if V is None else V


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
    """Follow trajectories, as many from each core, until `enough` passages have left each, or for max_steps.

    A trajectory that has left its core is put back after a while, so that every core is left equally often or seldom.
    """
    count = len(cores.centres)
    ensemble = Ensemble(net, noise, drive, None, max(trajectories, count), rng, workers)
    n, followed = ensemble.h.shape
    home = np.arange(followed) % count
    ensemble.place(cores.centres)
    every = max(1, round(CHECKED / net.gamma))
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
        away = belongs[-1] != home
        ensemble.h[:, away] = cores.centres[home[away]].T
    return Passages(counts, time, steps)


def _last_visited(first: IntArray, labels: IntArray) -> IntArray:
    """Core last visited at each of T times, (T + 1, K): `first` (K,) before any, labels (T, K) with -1 for none."""
    belongs = np.concatenate([first[None], labels])
    at = np.where(belongs >= 0, np.arange(len(belongs))[:, None], 0)
    visited: IntArray = np.take_along_axis(belongs, np.maximum.accumulate(at, axis=0), axis=0)
    return visited
