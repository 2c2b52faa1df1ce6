"""Slow manifolds of the mean of a step: where it goes from unstable fixed points to stable ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from ctrnn_theory.stationary.markov.latent.fixed_points import LatentPoint, drift, slopes
from ctrnn_theory.stationary.markov.latent.step import LatentStep
from ctrnn_theory.support.types import FloatArray

NEAR = 1e-4
"""Distance from a fixed point, relative to the domain, at which a curve begins or ends."""
LONGEST = 1e6
"""Time constants for which the drift is followed."""
ACCURATE = 1e-8
"""Relative error of a step of the integrator."""


@dataclass(frozen=True)
class LatentCurve:
    """A curve along the drift, from one end over an unstable fixed point to the other end."""

    latent: FloatArray
    """Latent variables (K, R)."""
    ends: tuple[bool, bool]
    """Whether the first and the last of them lie at a stable fixed point."""


def slow_manifold(step: LatentStep, points: Sequence[LatentPoint], within: FloatArray) -> tuple[LatentCurve, ...]:
    """Return the curves that leave the fixed points of one unstable direction in a box (R, 2), along the drift."""
    width = np.ptp(within, axis=1)
    stable = np.array([point.latent for point in points if point.stable]).reshape(-1, step.rank)
    found = []
    for point in points:
        values, vectors = np.linalg.eig(slopes(step, point.latent[None])[0])
        if np.sum(values.real > 0.0) != 1:
            continue
        away = vectors[:, np.argmax(values.real)].real
        away = NEAR * away / np.max(np.abs(away) / width)
        (back, left), (ahead, right) = (_followed(step, point.latent + s * away, stable, within) for s in (-1.0, 1.0))
        found.append(LatentCurve(np.concatenate([back[::-1], point.latent[None], ahead]), (left, right)))
    return tuple(found)


def _followed(step: LatentStep, start: FloatArray, stable: FloatArray, within: FloatArray) -> tuple[FloatArray, bool]:
    """Return the path (K, R) of the drift to a stable point or out of the box, and whether it ends at the point."""
    width = np.ptp(within, axis=1)

    def distance(t: float, latent: FloatArray) -> float:
        return float(np.min(np.max(np.abs(stable - latent) / width, axis=1), initial=np.inf) - NEAR)

    def inside(t: float, latent: FloatArray) -> float:
        return float(np.min(np.concatenate([latent - within[:, 0], within[:, 1] - latent]) / np.tile(width, 2)))

    distance.terminal = inside.terminal = True  # type: ignore[attr-defined]
    path = solve_ivp(
        lambda t, latent: drift(step, latent[None])[0],
        (0.0, LONGEST),
        start,
        method="LSODA",
        events=(distance, inside) if len(stable) else (inside,),
        rtol=ACCURATE,
        atol=ACCURATE * float(width.max()),
    )
    arrived = bool(len(stable) and path.t_events[0].size)
    latent = np.asarray(path.y.T)
    if arrived:
        last = stable[np.argmin(np.max(np.abs(stable - latent[-1]) / width, axis=1))]
        latent = np.concatenate([latent, last[None]])
    return latent, arrived
