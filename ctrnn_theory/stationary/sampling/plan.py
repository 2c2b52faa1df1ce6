"""The plan of a simulation: the start dies away, and a pilot run decides on the control variates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ctrnn_theory.dynamics.linear_response import spectral_radius
from ctrnn_theory.integrators.ensemble import Averages, Ensemble
from ctrnn_theory.stationary.sampling.control_variates import (
    Model,
    Modes,
    covariance_control,
    mean_control,
    mean_slopes,
    rate_control,
)
from ctrnn_theory.support.types import FloatArray

PIECE = 2e8  # neuron-steps after which the table is checked, and the run can be interrupted
DECAY = 30.0  # relaxation times of the burn-in: e^-30 is 1e-13
PILOT = 10.0  # relaxation times of the pilot run
PATIENCE = 1e8  # largest burn-in in neuron-steps, or
LONGEST = 100.0  # in time constants, if those are longer
SAMPLED = 0.5  # time constants between samples, since consecutive steps are nearly alike
SLOWEST = 1e-12  # smallest relaxation rate per step that is assumed, so that times are finite

# Steps of a large network are dear, so that its run is planned to be hardly longer than it must be.
LARGE = 128  # neurons of a large network
TRAJECTORIES, FEW = 512, 128  # trajectories by default, and those of a large network, since all need a burn-in
SELDOM = 1.0  # time constants between samples of a large network; 6 % more steps are needed, and half the observations
NEGLIGIBLE = 1e-3  # part of the target that is left of the start before the measuring begins
SHORTEST = 12.0  # relaxation times of a large network's burn-in at least; its pilot run counts as burn-in too


@dataclass(frozen=True, eq=False)
class Plan:
    """The decisions before the run is measured."""

    M: FloatArray | None
    """Matrix of the control variate (N, M), or None."""
    rate: FloatArray | None
    """That of the mean rates of a network in voltage form, or None."""
    modes: Modes | None
    """What the control variate of the covariance needs, or None if it is not used."""
    pilot: Averages
    """Averages over the pilot run. They are no part of the result: M must be independent of its factor."""
    every: int
    """Steps between samples."""
    pilot_steps: int
    """Steps of the pilot run."""
    quiet: bool
    """Whether there is no noise at all, so that one trajectory is enough."""
    controlled: bool
    """Whether control variates are measured at all."""
    relaxations: float
    """Relaxation times of the linear response in the burn-in; infinite if that is not stable."""
    least: int
    """Fewest steps to measure."""
    further: int
    """Fewest steps by which the measuring goes on if the target is missed."""


def default_trajectories(n: int) -> int:
    """Return the number of trajectories of N neurons that are simulated if the user asks for none."""
    return FEW if n >= LARGE else TRAJECTORIES


def relaxation_times(n: int, target_se: float | None, moved: float) -> float:
    """Return the relaxation times of the burn-in, for a start that is so far away from the mean."""
    if n < LARGE:
        return DECAY
    whole = DECAY if target_se is None else math.log(max(moved, target_se) / (NEGLIGIBLE * target_se))
    return max(SHORTEST, min(DECAY, whole) - PILOT)


def plan_run(
    model: Model,
    ensemble: Ensemble,
    control_variate: bool,
    quiet: bool,
    target_se: float | None = None,
) -> Plan:
    """Let the start die away, and decide how to measure."""
    n, gamma = model.n, model.whole.wiring.gamma
    large, slow = n >= LARGE, float(gamma.min())
    every = max(1, int((SELDOM if large else SAMPLED) / float(gamma.max())))
    time = math.ceil(PILOT / slow)
    ensemble.advance(time)
    first = measured(ensemble, time, every, ensemble.states.mean(axis=0))
    decay = 1.0 - spectral_radius(model.jacobian(mean_slopes(model, first)))
    speed = max(decay, SLOWEST)
    longest = max(math.ceil(LONGEST / slow), int(PATIENCE / ensemble.h.size))
    moved = float(np.max(np.abs(first.means().mean(axis=0) - ensemble.start)))
    wanted = relaxation_times(n, target_se, moved)
    ensemble.advance(max(1, min(math.ceil(wanted / speed), longest) - ensemble.steps))
    relaxations = decay * ensemble.steps if decay > 0.0 else np.inf
    if control_variate:
        # the table has no covariances between neurons within a step
        ensemble.tabulate(first.low, first.high, ensemble.taken.separate)
    length = max(time, min(math.ceil(PILOT / speed), longest // 4))
    pilot = measured(ensemble, length, every, ensemble.states.mean(axis=0), control_variate)
    least, further = (length, max(1, length // 4)) if large and target_se is not None else (2 * length, 2 * length)
    M = modes = rate = None
    if control_variate:
        slopes = mean_slopes(model, pilot)
        modes = covariance_control(model, slopes, pilot)
        M = mean_control(model, slopes, pilot)
        rate = rate_control(model, pilot, M) if pilot.rate.size else None
    return Plan(M, rate, modes, pilot, every, length, quiet, control_variate, relaxations, least, further)


def measured(ensemble: Ensemble, steps: int, every: int, centre: FloatArray, residual: bool = True) -> Averages:
    """Return averages over about `steps` steps, which are measured in pieces."""
    left = max(1, round(steps / every))
    piece = max(1, int(PIECE / (ensemble.h.size * every)))
    averages = ensemble.measure(min(piece, left), every, centre, residual)
    while (left := left - piece) > 0:
        averages = averages + ensemble.measure(min(piece, left), every, centre, residual)
    return averages
