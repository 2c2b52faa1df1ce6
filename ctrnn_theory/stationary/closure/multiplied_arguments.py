"""What the closure at the third cumulant needs of f where noise inside multiplies its arguments α.

Noise is private to each neuron. Derivatives to the mean of α are by Stein's identity in the standard variate u of α,

    F⁽ⁿ⁾ = E[He_{n-1}(u) F̃'(α)] / sⁿ⁻¹,    F̃' = E[(1 + w) f' | α],   s = √Var α.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import hermite_e

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.gaussian.multiplied import Argument, Inputs
from ctrnn_theory.activations.group import members
from ctrnn_theory.stationary.closure.own_cumulants import own_cumulants
from ctrnn_theory.support.types import FloatArray


def inputs_of(f: Activation | ActivationGroup, x: Argument) -> Inputs:
    """Return the arguments (B, N) as single ones, of which there are B N."""
    gain = np.sqrt(np.diagonal(x.gain, axis1=1, axis2=2))
    return Inputs.of(members(f, x.mean.shape[1]), x.mean, x.shift, gain, x.parts())


def derivatives(inputs: Inputs, orders: int) -> list[FloatArray]:
    """Return F and its derivatives below `orders`, (K,) each; zero from the second on where α does not vary."""
    slope, varies = inputs.gained_slope_given, inputs.std > 0.0
    found = [inputs.value(), inputs.average(slope)]
    for n in range(2, orders):
        moment = inputs.average(hermite_e.hermeval(inputs.u, np.eye(n)[n - 1]) * slope)
        found.append(np.divide(moment, inputs.std ** (n - 1), out=np.zeros_like(moment), where=varies))
    return found[:orders]


def own_moments(inputs: Inputs) -> FloatArray:
    """Return E Z f', E (Z²)'' and E Z³ for Z = f - F, (3, K), with derivatives to the mean of α.

    Given α, Z has the mean F̃ - F, and the variance and the third cumulant of f at its normal argument.
    """
    away = inputs.given - inputs.value()
    spread = inputs.f.smoothed_variance(inputs.mu, inputs.s)
    square, third = spread + away**2, np.zeros_like(away)
    for f, at in inputs.f.parts():
        mu, s = inputs.mu[:, at], inputs.s[:, at]
        noisy, skew = s > 0.0, np.zeros_like(s)
        if noisy.any():
            skew[noisy] = own_cumulants(f, mu[noisy], s[noisy])[2]
        third[:, at] = skew
    std, varies = inputs.std, inputs.std > 0.0
    slope, bend = inputs.average(inputs.u * square), inputs.average((inputs.u**2 - 1.0) * square)
    return np.stack(
        [
            np.divide(slope, 2.0 * std, out=np.zeros_like(std), where=varies),
            np.divide(bend, std**2, out=np.zeros_like(std), where=varies),
            inputs.average(third + 3.0 * spread * away + away**3),
        ]
    )
