"""Mean and variance of one step of neurons and sources, from the Gaussian smoothing of the activations."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.stationary.markov.joint.step import JointStep
from ctrnn_theory.stationary.markov.one_step import moments_of
from ctrnn_theory.support.types import FloatArray


def moments_after(step: JointStep, states: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance (rows, M) of the state after a step from states (rows, M).

    With y = f(N(α + L ρ x, S)) and R the covariance of all that multiplies rates, it is
    E h' = (1-Γ) h + Γ (B E y + d + L' ρ x), and Cov r = C + R ∘ (C + E y E yᵀ) for C = Cov y. Where B mixes rates of
    neurons whose noise inside is correlated, the variance would need averages over pairs, and is NaN.
    """
    n, w = step.n, step.wiring
    alpha, remembered = step.alpha(states), step.rho * states[:, n:]
    fresh = 1.0 - step.rho**2
    own = step.own[0] ** 2 + np.sum(step.inside**2, axis=1) + step.source_inside**2 @ fresh
    s = np.sqrt(own + alpha**2 * (step.own[2] ** 2 + np.sum(step.gain_inside**2, axis=1)))
    a = alpha + remembered @ step.source_inside.T
    F, v = np.empty((2, *a.shape))
    for i, f in enumerate(step.f):
        with moments_of(f):
            F[:, i], v[:, i] = f.smoothed(a[:, i], s[:, i]), f.smoothed_variance(a[:, i], s[:, i])
    mean = (1.0 - w.gamma) * states[:, :n] + w.gamma * (w.target(F) + remembered @ step.source_outside.T)
    C = v[:, :, None] * np.eye(n)
    covariance = C + gain_covariance(step) * (C + F[:, :, None] * F[:, None, :])
    added = step.own[1] ** 2 + np.sum(step.outside**2, axis=1) + step.source_outside**2 @ fresh
    variance = w.gamma**2 * (np.einsum("ij,rjk,ik->ri", w.write, covariance, w.write) + added)
    inside = np.concatenate([step.inside, step.gain_inside, step.source_inside], axis=1)
    if step.mixes and np.any(np.sum(inside != 0.0, axis=0) > 1):
        variance[:] = np.nan
    sources = np.broadcast_to(fresh, remembered.shape)
    return np.concatenate([mean, remembered], axis=1), np.concatenate([variance, sources], axis=1)


def gain_covariance(step: JointStep) -> FloatArray:
    """Return the covariance R (N, N) of all that multiplies rates, whose mean is one."""
    H, k = step.gain_outside, step.common
    product = (1.0 + H @ H.T + np.diag(step.own[3] ** 2)) * (1.0 + k @ k.T)
    covariance: FloatArray = product * (1.0 + np.diag((1.0 - step.keep) / step.keep)) - 1.0
    return covariance
