"""Decoders: the readout weights that follow a latent system with the least squared error under noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.decoders.encoders import Encoders
from ctrnn_theory.training.decoders.moments import moments
from ctrnn_theory.training.tasks.latent import Latent

RIDGE = 1e-6
"""Ridge λ over the mean of the diagonal of the matrix that is solved."""


class Decoders(NamedTuple):
    """Weights that read latent variables x = Dᵀ h and outputs z = W_out h + b_out from the state h of N neurons."""

    D: FloatArray
    """Decoders of the latent variables, (N, R)."""
    W_out: FloatArray
    """Decoders of the outputs, (P, N); the first P columns of D if the outputs are latent variables."""
    b_out: FloatArray
    """Constants of the outputs, (P,); zero if there are latent variables."""


def decoders(
    f: Activation, encoders: Encoders, latent: Latent, noise: Noise, gamma: float, outputs: int | None = None
) -> Decoders:
    """Solve the decoders of a latent system for given encoders, under noise.

    The decoders minimise the mean squared error over the sampled points of the latent system and over the noise::

        ⟨|Dᵀ F - r|²⟩ + tr Dᵀ C D + λ |D|²,   r = x + change/γ,   λ = 1e-6 tr G/N,   G = ⟨F Fᵀ⟩ + C

    with F the mean of the rates at a point and C the covariance that noise leaves in the state. Then a step of the
    network, x' = (1-γ) x + γ Dᵀ y, is x + change on average. There is no constant, so that a trial from h = 0 begins
    at x = 0. Outputs that are no latent variables are solved likewise for r = y. They have a constant b_out if there is
    no memory, R = 0; with memory, an output should be right from the first steps on, when the state is still small and
    a constant would stand alone.

    Parameters
    ----------
    f
        Activation.
    encoders
        Weights that drive the neurons.
    latent
        The system, with M points.
    noise
        Noise of the network, of any kind that :func:`~ctrnn_theory.training.decoders.moments.moments` takes.
    gamma
        Step over time constant.
    outputs
        Number P of outputs, if they are the first of the latent variables; R by default.

    Raises
    ------
    NotApplicable
        If nothing is known of what the leak leaves of the noise.
    ValueError
        If a moment is not finite.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> from ctrnn_theory.training.decoders.encoders import draw_encoders
    >>> u, x = np.linspace(-1, 1, 100)[:, None], np.zeros((100, 0))
    >>> latent = Latent("y = u²", u, x, x, u**2)
    >>> encoders = draw_encoders(latent, 500, 1.5, 2.0, np.random.default_rng(0))
    >>> found = decoders(activation("relu"), encoders, latent, Noise(inside=0.5), 0.1)
    >>> found.D.shape, found.W_out.shape, found.b_out.shape
    ((500, 0), (1, 500), (1,))
    """
    F, C = moments(f, encoders.preactivation(latent), noise, gamma)
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(np.sum(F * F)) and np.all(np.isfinite(C))
    if not finite:
        raise ValueError(f"activation must have finite moments at the sampled points; got {f.name}")
    r, R = latent.x + latent.change / gamma, latent.x.shape[1]
    if latent.y is None:
        D, outputs = _regressed(F, C, r), R if outputs is None else outputs
        return Decoders(D, np.ascontiguousarray(D[:, :outputs].T), np.zeros(outputs))
    if R:
        D, W_out = np.split(_regressed(F, C, np.concatenate([r, latent.y], axis=1)), [R], axis=1)
        return Decoders(np.ascontiguousarray(D), np.ascontiguousarray(W_out.T), np.zeros(latent.y.shape[1]))
    mean, y = F.mean(axis=0), latent.y.mean(axis=0)
    W_out = np.ascontiguousarray(_regressed(F, C, latent.y - y, mean).T)
    return Decoders(np.zeros((F.shape[1], 0)), W_out, y - W_out @ mean)


def _regressed(F: FloatArray, C: FloatArray, r: FloatArray, mean: FloatArray | None = None) -> FloatArray:
    """Return (G + λ I)⁻¹ Fᵀ r/M, for F less its mean if there is one; the ridge λ is that of all of F.

    Fewer points than neurons with noise of their own take a matrix of the size of the points (Woodbury's identity):
    with Λ = C + λ I, it is Λ⁻¹ Fᵀ (M I + F Λ⁻¹ Fᵀ)⁻¹ r.
    """
    (points, n), own = F.shape, np.diag(C)
    ridge = RIDGE * (np.sum(F * F) / points + own.sum()) / n
    F = F if mean is None else F - mean
    if ridge == 0.0 or not r.shape[1]:
        return np.zeros((n, r.shape[1]))
    if points < n and np.count_nonzero(C) == np.count_nonzero(own):
        scaled = F / (own + ridge)
        dual: FloatArray = scaled.T @ solved(F @ scaled.T, float(points), r)
        return dual
    return solved(F.T @ F / points + C, ridge, F.T @ r / points)


def solved(G: FloatArray, ridge: float, right: FloatArray) -> FloatArray:
    """Return (G + λ I)⁻¹ right, which is zero for neurons that never respond."""
    if not right.shape[1] or ridge == 0.0:
        return np.zeros(right.shape)
    solution: FloatArray = cho_solve(cho_factor(G + ridge * np.eye(len(G)), lower=True), right)
    return solution
