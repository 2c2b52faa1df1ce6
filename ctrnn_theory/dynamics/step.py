"""One step of the network without noise, or with the activation smoothed by the noise: its value and its derivative."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray

BOUND = 1e12  # state beyond which it is taken to grow without bound
PASSED = f"W must keep the state bounded; the noise-free state passes {BOUND:g} from this start"
ROUNDING = 8.0 * float(np.finfo(float).eps)  # relative rounding error of a velocity


@dataclass(frozen=True)
class Step:
    """The map h' = (1-γ) h + γ F(W h + drive; std)."""

    f: Activation
    """Activation."""
    std: FloatArray
    """Standard deviation (N,) of the noise that smooths it, F(a; s) = E f(a + s ξ)."""
    W: FloatArray
    """Weights (N, N)."""
    drive: FloatArray
    """Input current W_in u + b, (N,)."""
    gamma: float
    """Δt/τ."""

    @cached_property
    def noisy(self) -> bool:
        """Whether noise smooths f."""
        return bool(np.any(self.std))

    def preactivation(self, h: FloatArray) -> FloatArray:
        """Return W h + drive, (N,), at a state (N,)."""
        return self.W @ h + self.drive

    def value(self, a: FloatArray) -> FloatArray:
        """Return F at pre-activations (..., N)."""
        result: FloatArray = self.f.smoothed(a, self.std) if self.noisy else self.f(a)
        return result

    def slope(self, a: FloatArray) -> FloatArray:
        """Return F' at pre-activations (..., N)."""
        result: FloatArray = self.f.smoothed(a, self.std, 1) if self.noisy else self.f.derivative(a)
        return result

    def __call__(self, h: FloatArray) -> FloatArray:
        """Return the state one step after h (N,); raise Divergence if it passes the bound."""
        a = self.preactivation(h)
        try:
            new: FloatArray = (1.0 - self.gamma) * h + self.gamma * self.value(a)
        except ValueError:  # a or F(a) is out of range
            if np.all(np.abs(self.f(a)) < BOUND):
                raise
            raise Divergence(PASSED) from None
        if not (new.max() < BOUND and new.min() > -BOUND):  # a NaN fails this as well
            raise Divergence(PASSED)
        return new

    def velocity(self, h: FloatArray) -> FloatArray:
        """Return F(W h + drive) - h, (N,); NaN where it is out of range."""
        try:
            return self.value(self.preactivation(h)) - h
        except ValueError:
            return np.full_like(h, np.nan)

    def leaves_in_place(self, h: FloatArray, period: int) -> bool:
        """Return whether `period` steps leave h where it is, to rounding."""
        move = np.zeros_like(h)
        for _ in range(period):
            move = move + self.velocity(h + self.gamma * move)
        return bool(np.all(np.abs(move) <= self.rounding(h)))

    def rounding(self, h: FloatArray) -> FloatArray:
        """Estimate the rounding errors (N,) of the velocity at h (N,)."""
        a = self.preactivation(h)
        inner = np.abs(self.W) @ np.abs(h) + np.abs(self.drive)
        noise: FloatArray = ROUNDING * (np.abs(h) + np.abs(self.value(a)) + np.abs(self.slope(a)) * inner)
        return noise
