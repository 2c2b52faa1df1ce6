"""Many single neurons at once: where the noise-free or noise-smoothed map takes each from rest.

Every quantity is an array (P,) of one number for each neuron, and what is done with one does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation
from ctrnn_theory.stationary.flow import BOUND, CLOSE

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Curve = Callable[[FloatArray, NDArray[np.intp]], FloatArray]
"""A function of pre-activations (Q,) of the neurons of these numbers (Q,)."""

FIRST, LONGEST = 16, 4096  # steps before Newton's method is first tried, then twice as many; and in all
NEWTON_STEPS = 12
RESIDUAL = 1e-12  # relative, of a root
WRONG_WAY = 1e-9  # relative; a march that turns back by more has jumped over a root
SAMPLES = np.linspace(-100.0, 100.0, 20_001)  # where slopes are looked at
MARGIN = 0.02  # of the range of slopes, which may be wider between samples


@dataclass(frozen=True, eq=False)
class Neurons:
    """Neurons of one activation function, each with noise of its own."""

    f: Activation
    """Activation."""
    w: FloatArray
    """Self-connection (P,)."""
    b: FloatArray
    """Bias (P,)."""
    gamma: FloatArray
    """Δt/τ (P,)."""
    inside: FloatArray
    """Standard deviation of the noise inside (P,)."""
    outside: FloatArray
    """Standard deviation of the noise outside (P,)."""

    def __getitem__(self, which: NDArray[np.generic]) -> Neurons:
        """Some of them."""
        return Neurons(self.f, *(getattr(self, field.name)[which] for field in fields(self)[1:]))

    @property
    def size(self) -> int:
        """P."""
        return self.w.size

    def response(self, slope: FloatArray) -> FloatArray:
        """A = 1 - γ + γ w F', the slope of the step, (P,)."""
        return 1.0 - self.gamma + self.gamma * self.w * slope


@dataclass(frozen=True, eq=False)
class Ends:
    """Where paths from rest end."""

    state: FloatArray
    """Fixed point (P,); NaN where it is not surely the end of the path, or there is none."""
    settled: BoolArray
    """Whether it is, and is linearly stable, (P,)."""
    runaway: BoolArray
    """Whether the state surely grows beyond 1e12, (P,)."""


@lru_cache(maxsize=256)
def slopes(f: Activation) -> tuple[float, float]:
    """Least and largest slope of f, and so of its Gaussian smoothing; infinite at a jump.

    Where f is not piecewise linear they are those at samples, with a margin.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> slopes(activation("leaky_relu"))
    (0.01, 1.0)
    """
    if f.piecewise_linear:
        found = [float((*(piece.polynomial or ()), 0.0, 0.0)[1]) for piece in f.pieces]
        low, high = min(found), max(found)
    else:
        values = np.concatenate([f.derivative(SAMPLES), f.limit_slopes])
        low, high = float(np.min(values)), float(np.max(values))
        if not np.isfinite(high - low):
            return (low if low > -np.inf else -np.inf), (high if high < np.inf else np.inf)
        low, high = low - MARGIN * (high - low) * (low != 0.0), high + MARGIN * (high - low)
    jumps = [kink.value_jump for kink in f.kinks]
    return (-np.inf if min(jumps, default=0.0) < 0.0 else low), (np.inf if max(jumps, default=0.0) > 0.0 else high)


def settle(neurons: Neurons, F: Curve, dF: Curve) -> Ends:
    """Ends of the paths h' = (1-γ) h + γ F(w h + b) from rest.

    Where the step is monotone, 1 - γ + γ w F' ≥ 0, a path goes to the first fixed point in its way, and so does a march
    h + g(h)/L with g = F - h, whose steps do not jump over a root: L = max(1, 1 - min w F') is at least -g'. It is as
    fast at small γ as at γ = 1. Where the step contracts, |1 - γ + γ w F'| < 1, there is one fixed point that all paths
    go to, and the march as well. Newton's method ends it once it is within a relative 1e-3 of a stable root, as it does
    in :func:`ctrnn_theory.stationary.flow.settle`. Other neurons are left alone.
    """
    low, high = slopes(neurons.f)
    with np.errstate(invalid="ignore"):
        ends = np.nan_to_num(np.outer((low, high), neurons.w), nan=0.0, posinf=np.inf, neginf=-np.inf)
    least, most = ends.min(axis=0), ends.max(axis=0)
    L = np.maximum(1.0, 1.0 - least)
    monotone, contracts = neurons.gamma * L <= 1.0, (most < 1.0) & (neurons.gamma * L < 2.0)
    h, direction = np.zeros(neurons.size), np.zeros(neurons.size)
    settled, runaway = np.zeros(neurons.size, bool), np.zeros(neurons.size, bool)
    active = np.flatnonzero(monotone | contracts)
    taken, chunk = 0, FIRST
    while active.size and taken < LONGEST:
        x, w, b, rate, way = h[active], neurons.w[active], neurons.b[active], 1.0 / L[active], direction[active]
        turned = np.zeros(active.size, bool)
        for _ in range(chunk):
            g = F(w * x + b, active) - x
            way = np.where(way == 0.0, np.sign(g), way)
            turned |= way * g < -WRONG_WAY * (1.0 + np.abs(x))
            x = np.clip(x + rate * g, -BOUND, BOUND)  # beyond, F may be out of range
        h[active], direction[active] = x, way
        taken, chunk = taken + chunk, taken + chunk
        away = np.abs(x) >= BOUND
        runaway[active[away]] = monotone[active[away]] & ~turned[away]
        active = active[~away & ~turned]
        root, error = _newton(neurons, F, dF, active, h[active])
        near = (error < RESIDUAL) & (np.abs(root - h[active]) <= CLOSE * (1.0 + np.abs(h[active])))
        found, root = active[near], root[near]
        stable = np.abs(neurons[found].response(dF(neurons.w[found] * root + neurons.b[found], found))) < 1.0
        h[found[stable]], settled[found[stable]] = root[stable], True
        active = active[~settled[active]]
    return Ends(np.where(settled, h, np.nan), settled, runaway)


def _newton(
    neurons: Neurons, F: Curve, dF: Curve, active: NDArray[np.intp], start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve h = F(w h + b) from each start (Q,): roots (Q,) and their residuals relative to 1 + |h|, (Q,)."""
    root, w, b = np.array(start), neurons.w[active], neurons.b[active]
    r = F(w * root + b, active) - root
    error = np.abs(r) / (1.0 + np.abs(root))
    left = np.arange(active.size)
    for _ in range(NEWTON_STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            trial = root[left] + r[left] / (1.0 - w[left] * dF(w[left] * root[left] + b[left], active[left]))
        left, trial = left[np.abs(trial) < BOUND], trial[np.abs(trial) < BOUND]  # no NaN either
        new = F(w[left] * trial + b[left], active[left]) - trial
        size = np.abs(new) / (1.0 + np.abs(trial))
        better = size < error[left]
        left = left[better]
        root[left], r[left], error[left] = trial[better], new[better], size[better]
        left = left[error[left] > 0.0]
        if not left.size:
            break
    return root, error
