"""How a simulation is measured: the start dies away, and a pilot run decides on the control variates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ctrnn_theory.dynamics.settle import jacobian, spectral_radius
from ctrnn_theory.integrators.ensemble import Averages, Ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.sampling.control_variates import controls_covariance, mean_control, mean_slopes
from ctrnn_theory.support.types import FloatArray

PIECE = 2e8  # neuron-steps between looks at the table and the interrupt key
DECAY = 30.0  # e-folds that the start is given to die away: e^-30 is 1e-13
PILOT = 10.0  # relaxation times that a pilot run averages over
PATIENCE = 2e8  # neuron-steps that the start is given at most, or
LONGEST = 100.0  # time constants, where those are longer
SAMPLED = 0.5  # time constants between samples: consecutive steps say nearly the same


@dataclass(frozen=True, eq=False)
class Plan:
    """What is settled before the measuring starts."""

    M: FloatArray | None
    """Matrix of the control variate (N, N), or None."""
    slopes: FloatArray | None
    """Slopes (N,) that the control variate of the covariance is made with, or None."""
    pilot: Averages
    """The run that it was settled from, no part of the result: M must not depend on what it multiplies."""
    every: int
    """Steps between samples."""
    pilot_steps: int
    """Steps of the pilot run."""
    quiet: bool
    """Whether there is no noise at all, so that one trajectory tells all."""
    controlled: bool
    """Whether control variates are measured at all."""
    relaxations: float
    """Relaxation times of the linear response that the start was given; infinite where that is not stable."""


def plan_run(
    net: CTRNN, noise: Noise, drive: FloatArray, ensemble: Ensemble, control_variate: bool, quiet: bool
) -> Plan:
    """Let the start die away, and settle how to measure."""
    every = max(1, int(SAMPLED / net.gamma))
    time = math.ceil(PILOT / net.gamma)
    ensemble.advance(time)
    first = measured(ensemble, time, every, ensemble.states.mean(axis=0))
    slopes = mean_slopes(net, noise, drive, first)
    decay = 1.0 - spectral_radius(jacobian(net.W, slopes, net.gamma))
    rate = max(decay, 1e-12)
    longest = max(math.ceil(LONGEST / net.gamma), int(PATIENCE / ensemble.h.size))
    ensemble.advance(max(1, min(math.ceil(DECAY / rate), longest) - ensemble.steps))
    relaxations = decay * ensemble.steps if decay > 0.0 else np.inf
    if control_variate:
        separate = np.ndim(noise.inside) < 2  # else what neurons share within a step is not in the table
        ensemble.tabulate(first.low, first.high, separate)
    length = max(time, min(math.ceil(PILOT / rate), longest // 4))
    pilot = measured(ensemble, length, every, ensemble.states.mean(axis=0), control_variate)
    if not control_variate:
        return Plan(None, None, pilot, every, length, quiet, False, relaxations)
    slopes = mean_slopes(net, noise, drive, pilot)
    kept = slopes if controls_covariance(net, slopes, pilot) else None
    return Plan(mean_control(net, slopes, pilot), kept, pilot, every, length, quiet, True, relaxations)


def measured(ensemble: Ensemble, steps: int, every: int, centre: FloatArray, residual: bool = True) -> Averages:
    """Measure for about `steps` steps, in pieces."""
    left = max(1, round(steps / every))
    piece = max(1, int(PIECE / (ensemble.h.size * every)))
    averages = ensemble.measure(min(piece, left), every, centre, residual)
    while (left := left - piece) > 0:
        averages = averages + ensemble.measure(min(piece, left), every, centre, residual)
    return averages
