"""Where the noise-free or noise-smoothed map settles: iteration, finished by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ctrnn_theory.stationary.law import Divergence, FloatArray

Curve = Callable[[FloatArray], FloatArray]
"""A function of the pre-activations (..., N), elementwise, such as f or F(·; σ)."""

BOUND = 1e12  # a state beyond this is taken to grow for ever
PATIENCE = 1000.0  # time constants
CLOSE = 1e-3  # relative distance to a stable fixed point at which Newton's method may take over


@dataclass(frozen=True)
class Settled:
    """End of a noise-free path."""

    state: FloatArray
    """Fixed point (N,), or the time average if there is none."""
    converged: bool
    """Whether the path reached a fixed point."""
    stable: bool
    """Whether that is linearly stable; a path that starts on an unstable one stays there."""
    steps: int
    """Steps of the map taken."""


def jacobian(W: FloatArray, slope: FloatArray, gamma: float) -> FloatArray:
    """A = (1-γ) I + γ D W, D = diag(slope); slope (..., N) gives A (..., N, N)."""
    return (1.0 - gamma) * np.eye(W.shape[0]) + gamma * slope[..., :, None] * W


def spectral_radius(A: FloatArray) -> float:
    """Largest modulus of the eigenvalues of A (N, N)."""
    return float(np.max(np.abs(np.linalg.eigvals(A))))


def newton(
    f: Curve, slope: Curve, W: FloatArray, drive: FloatArray, states: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve h = f(W h + drive) by damped Newton steps from each of many states (M, N).

    Returns the end states (M, N) and their residuals, the largest |f(W h + drive) - h| relative to 1 + |h|, (M,).
    """
    eye = np.eye(W.shape[0])

    def residual(h: FloatArray) -> FloatArray:
        return f(h @ W.T + drive) - h

    def size(h: FloatArray, r: FloatArray) -> FloatArray:
        ratio: FloatArray = np.max(np.abs(r), axis=1) / (1.0 + np.max(np.abs(h), axis=1))
        return np.where(np.isfinite(ratio), ratio, np.inf)

    h = np.array(states, dtype=np.float64)
    r = residual(h)
    best = size(h, r)
    for _ in range(60):
        J = eye - slope(h @ W.T + drive)[:, :, None] * W
        flat = np.abs(np.linalg.det(J)) < 1e-14
        J[flat] += 1e-8 * eye
        step = np.linalg.solve(J, r[:, :, None])[:, :, 0]
        moved = np.zeros(len(h), dtype=bool)
        scale = 1.0
        for _ in range(12):  # halve the step of those that it does not bring closer
            trial = np.where(moved[:, None], h, h + scale * step)
            trial_r = residual(trial)
            trial_size = size(trial, trial_r)
            better = ~moved & (trial_size < best)
            h[better], r[better], best[better] = trial[better], trial_r[better], trial_size[better]
            moved |= better
            scale *= 0.5
            if moved.all():
                break
        if not moved.any():
            break
    return h, best


def settle(
    f: Curve,
    slope: Curve,
    W: FloatArray,
    drive: FloatArray,
    gamma: float,
    start: FloatArray,
) -> Settled:
    """Follow h' = (1-γ) h + γ f(W h + drive) from `start` to its end.

    Newton's method finishes the path once it is within a relative 1e-3 of a stable fixed point, so that the end is
    the fixed point that the path flows to, and not another one. A path that does not end within 1000 time constants
    is said not to.

    Raises
    ------
    Divergence
        If the state grows beyond 1e12.
    """
    h = np.array(start, dtype=np.float64)
    chunk, steps = 0, 0  # the start may be the end
    mean = h
    while steps < PATIENCE / gamma:
        total = np.zeros_like(h)
        for _ in range(chunk):
            h = (1.0 - gamma) * h + gamma * f(W @ h + drive)
            total += h
        mean = total / max(chunk, 1)
        steps += chunk
        if not np.all(np.abs(h) < BOUND):
            raise Divergence(f"W must keep the state bounded; the noise-free state passes {BOUND:g} from this start")
        root, error = newton(f, slope, W, drive, h[None])
        gap = np.max(np.abs(root[0] - h)) / (1.0 + np.max(np.abs(h)))
        if error[0] < 1e-12 and gap <= CLOSE:
            stable = spectral_radius(jacobian(W, slope(W @ root[0] + drive), gamma)) < 1.0
            if stable or gap == 0.0:
                return Settled(root[0], True, stable, steps)
        chunk = min(max(16, 2 * chunk), 4096)
    return Settled(mean, False, False, steps)
