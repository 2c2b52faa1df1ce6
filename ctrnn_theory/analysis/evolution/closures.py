"""Mean and covariance in time by the closures, whose maps are iterated."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.evolution.course import Course, start_moments
from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.integrators.trajectory import drive_rows
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.choice import closure_of
from ctrnn_theory.stationary.closure.closure_map import ClosureMap
from ctrnn_theory.stationary.closure.cumulant_step import CumulantClosure
from ctrnn_theory.stationary.closure.cumulants import Cumulants
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.progress import Progress
from ctrnn_theory.support.types import FloatArray


def gaussian_closure(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None,
    steps: int,
    every: int,
    start: ArrayLike | StationaryLaw | None,
    progress: Progress,
) -> Course:
    """Iterate the Gaussian closure, and average f over v in voltage form."""
    closure, drive = closure_of(net, noise), drive_rows(net, u, steps)
    course = _iterate(closure, start_moments(net, start), drive, steps, every, progress)
    if net.form == "rate":
        return course
    std = np.sqrt(np.diagonal(course.covariance, axis1=1, axis2=2))
    return course._replace(rates=net.activation.smoothed(course.mean, std))


def cumulant_closure(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None,
    steps: int,
    every: int,
    start: ArrayLike | StationaryLaw | None,
    progress: Progress,
) -> Course:
    """Iterate the closure at the third cumulant."""
    state = start_moments(net, start)
    if isinstance(start, StationaryLaw) and "third_cumulant" in start.details:
        state = Cumulants(state.mean, state.covariance, start.details["third_cumulant"])
    return _iterate(CumulantClosure.of(net, noise), state, drive_rows(net, u, steps), steps, every, progress)


def _iterate(
    closure: ClosureMap, start: Moments, drive: FloatArray, steps: int, every: int, progress: Progress
) -> Course:
    n, rows = drive.shape[-1], np.broadcast_to(drive, (steps, drive.shape[-1]))
    state, mean, covariance = closure.begin(start[None])[0], [start.mean], [start.covariance]
    for k in range(steps // every * every):
        state = closure.driven_by(rows[k, None]).step(state[None])[0]
        if not (np.all(np.abs(state.mean) < BOUND) and np.all(np.diag(state.covariance) < BOUND**2)):
            raise Divergence(f"W must keep the state bounded; under noise it passes {BOUND:g} within {k + 1} steps")
        if (k + 1) % every == 0:
            mean.append(state.mean[:n])
            covariance.append(state.covariance[:n, :n])
            progress(k + 1, steps, "")
    return Course(np.array(mean), np.array(covariance))
