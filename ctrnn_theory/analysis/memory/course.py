"""Moments of what is remembered in time, and those of a network without noise, which are its path."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory.analysis.memory.problem import Problem
from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray


class Course(NamedTuple):
    """Moments of the values that are read at L levels of the noise."""

    mean: FloatArray
    """Mean (L, T, C, P)."""
    covariance: FloatArray
    """Covariance (L, T, C, P, P)."""
    uncertainty: FloatArray
    """Estimated error of the mean squared error (L, T)."""


def noiseless_course(net: CTRNN, smoothing: Noise, problem: Problem) -> Course:
    """Return what is read of a network without noise, L = 1, exactly; its activation is smoothed by a noise inside.

    Raises
    ------
    Divergence
        If the state grows without bound.
    """
    std, gain = smoothing.std("inside", net.n), np.sqrt(np.diag(smoothing.gain_covariance("inside", net.n)))
    f, gamma, (E, D) = NoisyActivation(net.activations[0], std, gain), float(net.gammas[0]), problem.factors
    every = np.concatenate([D, problem.weights.T], axis=1)
    X, R, read = problem.start @ every, problem.rank, []
    for t in range(problem.steps):
        if t < len(problem.inputs):
            drive = net.b if net.W_in is None else net.b + problem.inputs[t] @ net.W_in.T
        X = (1.0 - gamma) * X + gamma * f.value(X[:, :R] @ E.T + drive) @ every
        if not np.all(np.abs(X) < BOUND):  # also for NaN
            raise Divergence(f"W must keep the state bounded; what is read passes {BOUND:g} without noise")
        if (t + 1) % problem.every == 0:
            read.append(X[:, R:] + problem.offset)
    mean = np.array(read)[None]
    return Course(mean, np.zeros((*mean.shape, mean.shape[-1])), np.zeros(mean.shape[:2]))
