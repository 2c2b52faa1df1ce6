"""Many single neurons at once: their parameters as arrays, and where the noise-free or noise-smoothed map takes each.

Every quantity is an array (P,) with one number for each neuron, and no result depends on the other neurons.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.symbolic.bounds import bounds, slope_bounds
from ctrnn_theory.dynamics.destination import CLOSE, SEGMENT
from ctrnn_theory.dynamics.step import BOUND, PASSED, ROUNDING
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

FIRST_TRY = 16  # steps of the march before Newton's method is first tried; each later try comes after twice as many
MOST_STEPS = 4096  # steps after which the march gives up
NEWTON_STEPS = 12
RESIDUAL = 1e-12  # relative, of a root of a smoothed activation
REGULAR = 1e-3  # 1 - w F' below which the method for one network finds the root to more digits
WRONG_WAY = 1e-9  # relative; a march that turns back by more has jumped over a root


@dataclass(frozen=True, eq=False)
class Neurons:
    """Unconnected neurons of one activation, each with a self-connection and noise of its own."""

    f: Activation
    """Activation."""
    w: FloatArray
    """Self-connection (P,)."""
    b: FloatArray
    """Bias vector of each, which has one entry, (P,)."""
    gamma: FloatArray
    """Δt/τ (P,)."""
    inside: FloatArray
    """Standard deviation of the noise inside (P,)."""
    outside: FloatArray
    """Standard deviation of the noise outside (P,)."""

    def __getitem__(self, which: NDArray[np.generic]) -> Neurons:
        """Return the neurons of these numbers."""
        return Neurons(self.f, *(getattr(self, field.name)[which] for field in fields(self)[1:]))

    @property
    def size(self) -> int:
        """Return the number P of neurons."""
        return self.w.size

    def response(self, slope: FloatArray) -> FloatArray:
        """Return the slope A = 1 - γ + γ w F' of the step, (P,)."""
        return 1.0 - self.gamma + self.gamma * self.w * slope


@dataclass(frozen=True, eq=False)
class NeuronEnds:
    """The ends of the paths of many neurons."""

    state: FloatArray
    """Fixed point (P,); NaN where it is not surely the end of the path, or there is none."""
    settled: BoolArray
    """Whether it is surely the end, and linearly stable, (P,)."""
    growing: dict[int, str]
    """Neurons whose state surely grows beyond 1e12, and what to report of it."""


@lru_cache(maxsize=256)
def slopes(f: Activation) -> tuple[float, float]:
    """Return the least and the largest slope of f, and so of its Gaussian smoothing; they are infinite at a jump.

    Where f is not piecewise linear they are bounds, and a little wider.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> slopes(activation("leaky_relu"))
    (0.01, 1.0)
    """
    if not f.piecewise_linear:
        return slope_bounds(f)
    found = [float((*(piece.polynomial or ()), 0.0, 0.0)[1]) for piece in f.pieces]
    low, high = min(found), max(found)
    jumps = [kink.value_jump for kink in f.kinks]
    return (-np.inf if min(jumps, default=0.0) < 0.0 else low), (np.inf if max(jumps, default=0.0) > 0.0 else high)


def settle_neurons(neurons: Neurons, std: FloatArray | None = None) -> NeuronEnds:
    """Follow h' = (1-γ) h + γ F(w h + b; std), with std (P,) or zero, from the zero state to its end for each neuron.

    Where the step is monotone, 1 - γ + γ w F' ≥ 0, a path goes to the first fixed point in its way. So does the march
    h + g(h)/L with g = F - h, which does not jump over a root, since L = max(1, 1 - min w F') is at least -g'. It is as
    fast at small γ as at γ = 1. Where the step contracts, |1 - γ + γ w F'| < 1, there is one fixed point, which all
    paths go to, and Newton's method may end the march at once. Where the step is monotone, Newton's method may end it
    once no other root lies on the way. All other neurons are left unsettled, and so are those for which 1 - w F' nearly
    vanishes.
    """
    F = _Smoothed(neurons.f, std)
    L, monotone, contracts = _rules(neurons)
    h, direction = np.zeros(neurons.size), np.zeros(neurons.size)
    settled, growing = np.zeros(neurons.size, bool), np.zeros(neurons.size, bool)
    active = np.flatnonzero(monotone | contracts)
    taken, chunk = 0, FIRST_TRY
    while active.size and taken < MOST_STEPS:
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
        growing[active[away]] = monotone[active[away]] & ~turned[away]
        active = active[~away & ~turned]
        root, good = _newton(neurons, F, active, h[active])
        good[good] = contracts[active[good]] | _nothing_between(neurons, F, active[good], h[active[good]], root[good])
        found, root = active[good], root[good]
        slope = F.slope(neurons.w[found] * root + neurons.b[found], found)
        stable = (np.abs(neurons[found].response(slope)) < 1.0) & (1.0 - neurons.w[found] * slope > REGULAR)
        h[found[stable]], settled[found[stable]] = root[stable], True
        active = active[~settled[active]]
    passed = dict.fromkeys(np.flatnonzero(growing).tolist(), PASSED)
    return NeuronEnds(np.where(settled, h, np.nan), settled, passed)


def _rules(neurons: Neurons) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return L (P,) of the march, whether the step is monotone everywhere (P,), and whether it contracts (P,)."""
    with np.errstate(invalid="ignore"):
        ends = np.nan_to_num(np.outer(slopes(neurons.f), neurons.w), nan=0.0, posinf=np.inf, neginf=-np.inf)
    least, most = ends.min(axis=0), ends.max(axis=0)
    L = np.maximum(1.0, 1.0 - least)
    return L, neurons.gamma * L <= 1.0, (most < 1.0) & (neurons.gamma * L < 2.0)


@dataclass(frozen=True, eq=False)
class _Smoothed:
    """The function F(a; std) of the neurons of given numbers (Q,), at pre-activations (..., Q)."""

    f: Activation
    std: FloatArray | None

    def __call__(self, a: FloatArray, which: IntArray) -> FloatArray:
        value: FloatArray = self.f(a) if self.std is None else self.f.smoothed(a, self.std[which])
        return value

    def slope(self, a: FloatArray, which: IntArray) -> FloatArray:
        value: FloatArray = self.f.derivative(a) if self.std is None else self.f.smoothed(a, self.std[which], 1)
        return value


def _nothing_between(neurons: Neurons, F: _Smoothed, which: IntArray, h: FloatArray, root: FloatArray) -> BoolArray:
    """Return whether F - h falls all the way from h (Q,) to a root (Q,), so that no other root lies between.

    Bounds of F' show it, or its values at points on the way if that is short.
    """
    w, b = neurons.w[which], neurons.b[which]
    ends = np.sort([w * h + b, w * root + b], axis=0)
    slopes = np.array(bounds(neurons.f, ends[0], ends[1], 1, 0.0 if F.std is None else F.std[which]))
    points = h + SEGMENT[:, None] * (root - h)
    falls = np.all(w * F.slope(w * points + b, which) < 1.0, axis=0)
    close: BoolArray = falls & (np.abs(root - h) <= CLOSE * (1.0 + np.abs(h)))
    return close | np.all(w * slopes < 1.0, axis=0)


def _newton(neurons: Neurons, F: _Smoothed, active: IntArray, start: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Solve h = F(w h + b) from each start (Q,); return roots (Q,), and whether they are good to rounding (Q,)."""
    root, w, b = np.array(start), neurons.w[active], neurons.b[active]
    r = F(w * root + b, active) - root
    error = np.abs(r) / (1.0 + np.abs(root))
    left = np.arange(active.size)
    for _ in range(NEWTON_STEPS):
        with np.errstate(divide="ignore", invalid="ignore"):
            trial = root[left] + r[left] / (1.0 - w[left] * F.slope(w[left] * root[left] + b[left], active[left]))
        left, trial = left[np.abs(trial) < BOUND], trial[np.abs(trial) < BOUND]  # a NaN fails this as well
        new = F(w[left] * trial + b[left], active[left]) - trial
        size = np.abs(new) / (1.0 + np.abs(trial))
        better = size < error[left]
        left = left[better]
        root[left], r[left], error[left] = trial[better], new[better], size[better]
        left = left[error[left] > 0.0]
        if not left.size:
            break
    a = w * root + b
    noise = ROUNDING * (np.abs(root) + np.abs(F.slope(a, active)) * (np.abs(w * root) + np.abs(b)))
    allowed = noise if F.std is None else np.maximum(noise, RESIDUAL * (1.0 + np.abs(root)))
    return root, error * (1.0 + np.abs(root)) <= allowed
