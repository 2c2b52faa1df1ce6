"""Moments of the output of a network without recurrent weights, which are exact at any number of neurons."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.activations.gaussian.smoothing import smoothed, smoothed_variance
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.tasks import Episode


def memoryless(model: Model) -> bool:
    """Return whether a model is one network without recurrent weights whose neurons have white noise of their own."""
    own = all(np.ndim(std) < 2 for std in (model.noise.inside, model.noise.outside))
    return model.plain and own and len(model.weights.W) == 1 and not model.weights.W.any()


def memoryless_moments(model: Model, episode: Episode, levels: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean (T, L, C, P) and the total variance (T, L, C) of the output at L levels of the noise.

    The T steps are those with a weight in the loss. Without recurrent weights the pre-activation a = W_in u + b is that
    of the network without noise, and the states of the neurons are independent, so that mean and variance of a state
    follow from the smoothed activation by themselves::

        m' = (1-γ) m + γ F(a; σ_in),    V' = (1-γ)² V + γ² (Var f(a + σ_in ξ) + σ_out²)

    Both begin at zero. A constant input leaves the variance γ/(2-γ) of what enters.

    Parameters
    ----------
    model
        A model for which :func:`memoryless` holds.
    episode
        Inputs of C conditions.
    levels
        Factors of the noise (L,).
    """
    gamma, weights, n = model.gamma, model.weights, model.weights.b.shape[1]
    readout, square = weights.W_out[0].T, (weights.W_out[0] ** 2).sum(axis=0)
    inside, outside = (levels[:, None, None] * model.noise.std(site, n) for site in ("inside", "outside"))
    shape = len(levels), episode.u.shape[1]
    mean, variance = np.zeros((*shape, readout.shape[1])), np.zeros(shape)
    means, variances = [], []
    for t, w in enumerate(episode.w):
        if t < len(episode.u):
            a = weights.b[0] + episode.u[t] @ weights.W_in[0].T
            into = smoothed(model.f, a, inside) @ readout
            spread = (smoothed_variance(model.f, a, inside) + outside**2) @ square
        mean = (1.0 - gamma) * mean + gamma * into
        variance = (1.0 - gamma) ** 2 * variance + gamma**2 * spread
        if w > 0.0:
            means.append(mean + weights.b_out[0])
            variances.append(variance)
    return np.array(means), np.array(variances)
