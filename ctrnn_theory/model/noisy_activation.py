"""The activations of a network's neurons, averaged over the noise inside that is given the pre-activation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class NoisyActivation:
    """The mean F̃(α) = E f(α (1 + g ξ) + σ ξ') and the variance of f under noise inside, neuron by neuron.

    Given α the argument of f is normal with mean α and standard deviation s(α) = √(σ² + g² α²).

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> noisy = NoisyActivation(activation("relu"), 0.0, 0.5)
    >>> noisy.value([1.0, 2.0]), noisy.slope([1.0, 2.0])       # a multiple of α on each side of zero
    (array([1.00424535, 2.0084907 ]), array([1.00424535, 1.00424535]))
    """

    f: Activation | ActivationGroup
    """Activation, or the activations of N neurons."""
    std: ArrayLike
    """Standard deviation σ of the additive noise, () or (N,)."""
    gain: ArrayLike = 0.0
    """Standard deviation g of the multiplicative noise, () or (N,)."""

    def width(self, a: ArrayLike) -> FloatArray:
        """Return s(α) of pre-activations (..., N)."""
        width: FloatArray = np.hypot(self.std, np.multiply(self.gain, a))
        return width

    def value(self, a: ArrayLike) -> FloatArray:
        """Return F̃ at pre-activations (..., N)."""
        value: FloatArray = self.f.smoothed(a, self.width(a))
        return value

    def slope(self, a: ArrayLike) -> FloatArray:
        """Return F̃' at pre-activations (..., N): F' + g² α F'', since ∂F/∂s = s F''."""
        s = self.width(a)
        slope: FloatArray = self.f.smoothed(a, s, 1)
        if np.any(self.gain):
            slope = slope + np.square(self.gain) * np.asarray(a) * self.f.smoothed(a, s, 2)
        return slope

    def variance(self, a: ArrayLike) -> FloatArray:
        """Return Var f at pre-activations (..., N)."""
        variance: FloatArray = self.f.smoothed_variance(a, self.width(a))
        return variance
