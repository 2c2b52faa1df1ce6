"""One step of the network without noise, or with the activation smoothed by the noise: its value and its derivative."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray

BOUND = 1e12  # state beyond which it is taken to grow without bound
PASSED = f"W must keep the state bounded; the noise-free state passes {BOUND:g} from this start"
ROUNDING = 8.0 * float(np.finfo(float).eps)  # relative rounding error of a velocity


@dataclass(frozen=True)
class Step:
    """The map h' = (1-Γ) h + Γ (B F(U h + c) + d), F(α) = E f(α (1 + g ξ) + σ ξ')."""

    f: Activation | ActivationGroup
    """Activation of the neurons."""
    wiring: Wiring
    """The linear parts of the step."""
    std: FloatArray
    """Standard deviation σ (N,) of the additive noise that smooths f."""
    gain: FloatArray
    """Standard deviation g (N,) of the multiplicative noise that does."""

    @classmethod
    def of(cls, net: CTRNN, u: ArrayLike | None = None, noise: Noise | None = None) -> Step:
        """Make the step of a network without noise, or smoothed by all noise inside, white and coloured."""
        if noise is None:
            return cls(net.activation, Wiring.of(net, u), np.zeros(net.n), np.zeros(net.n))
        gain = np.sqrt(np.diag(noise.gain_covariance("inside", net.n)))
        return cls(net.activation, Wiring.of(net, u), noise.std("inside", net.n), gain)

    @classmethod
    def in_rates(
        cls, f: Activation | ActivationGroup, std: ArrayLike, W: FloatArray, drive: FloatArray, gamma: ArrayLike
    ) -> Step:
        """Make the step h' = (1-Γ) h + Γ F(W h + drive; std)."""
        n = len(drive)
        std = np.array(np.broadcast_to(std, (n,)), dtype=np.float64)
        return cls(f, Wiring.in_rates(W, drive, gamma), std, np.zeros(n))

    @cached_property
    def noisy(self) -> bool:
        """Whether noise smooths f."""
        return bool(np.any(self.std) or self.multiplied)

    @cached_property
    def multiplied(self) -> bool:
        """Whether multiplicative noise does."""
        return bool(np.any(self.gain))

    @cached_property
    def smoothed(self) -> NoisyActivation:
        """The smoothed activation F."""
        return NoisyActivation(self.f, self.std, self.gain)

    def preactivation(self, h: FloatArray) -> FloatArray:
        """Return U h + c, (..., N), at states (..., N)."""
        return self.wiring.preactivation(h)

    def value(self, a: FloatArray) -> FloatArray:
        """Return F at pre-activations (..., N)."""
        return self.smoothed.value(a) if self.noisy else self.f(a)

    def slope(self, a: FloatArray) -> FloatArray:
        """Return F' at pre-activations (..., N)."""
        return self.smoothed.slope(a) if self.noisy else self.f.derivative(a)

    def __call__(self, h: FloatArray) -> FloatArray:
        """Return the state one step after h (N,); raise Divergence if it passes the bound."""
        a, gamma = self.preactivation(h), self.wiring.gamma
        try:
            new: FloatArray = (1.0 - gamma) * h + gamma * self.wiring.target(self.value(a))
        except ValueError:  # a or F(a) is out of range
            if np.all(np.abs(self.f(a)) < BOUND):
                raise
            raise Divergence(PASSED) from None
        if not (new.max() < BOUND and new.min() > -BOUND):  # a NaN fails this as well
            raise Divergence(PASSED)
        return new

    def velocity(self, h: FloatArray) -> FloatArray:
        """Return B F(U h + c) + d - h, (N,); NaN where it is out of range."""
        try:
            return self.wiring.target(self.value(self.preactivation(h))) - h
        except ValueError:
            return np.full_like(h, np.nan)

    def jacobian(self, h: FloatArray) -> FloatArray:
        """Return the derivative (N, N) of the step at a state (N,)."""
        return self.wiring.jacobian(self.slope(self.preactivation(h)))

    def leaves_in_place(self, h: FloatArray, period: int) -> bool:
        """Return whether `period` steps leave h where it is, to rounding."""
        move = np.zeros_like(h)
        for _ in range(period):
            move = move + self.velocity(h + self.wiring.gamma * move)
        return bool(np.all(np.abs(move) <= self.rounding(h)))

    def rounding(self, h: FloatArray) -> FloatArray:
        """Estimate the rounding errors (N,) of the velocity at h (N,)."""
        a, wiring = self.preactivation(h), self.wiring
        inner = (np.abs(h) if wiring.U is None else np.abs(wiring.U) @ np.abs(h)) + np.abs(wiring.c)
        value, felt = np.abs(self.value(a)), np.abs(self.slope(a)) * inner
        if wiring.B is not None:
            value, felt = np.abs(wiring.B) @ value + np.abs(wiring.d), np.abs(wiring.B) @ felt
        noise: FloatArray = ROUNDING * (np.abs(h) + value + felt)
        return noise
