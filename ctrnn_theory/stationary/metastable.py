"""Whether one noisy neuron has a stationary law at all: its state must return from far out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise

FAR_OUT = 1e6  # times the drive: the state at which the drift of a critical neuron is evaluated


def why_no_law(net: CTRNN, drive: float) -> str:
    """Return why one neuron has no stationary law under Gaussian noise, or an empty text.

    Far out the map is h' = c₊ h for h > 0 and c₋ h for h < 0, c = 1-γ + γ w · (slope of f there). It has a stationary
    law when c₊ < 1, c₋ < 1 and, if both are negative, c₊ c₋ < 1 (J. D. Petruccelli and S. W. Woolford, A threshold
    AR(1) model, J. Appl. Prob. 21, 1984). At c = 1 the state is a random walk out there, and its drift must lead back.

    Where f grows faster than in proportion and w has its sign, as for a power law with w k > 0, c is infinite. The
    state then stays about a stable fixed point for a long time only: Gaussian noise takes it to where it grows without
    bound at a rate that is small but not zero. Approximations and simulations give averages over that time.

    Examples
    --------
    >>> why_no_law(CTRNN.single(w=-0.7, b=0.3, activation="powerlaw(2)"), 0.3)
    ''
    """
    w, gamma = float(net.W[0, 0]), float(net.gammas[0])
    f = net.activation
    if w == 0.0 or isinstance(f, ActivationGroup):
        return ""
    factors, far = {}, FAR_OUT * (1.0 + abs(drive))
    for side in (1.0, -1.0):  # h -> +inf, h -> -inf
        end = side if net.form == "voltage" else side * math.copysign(1.0, w)
        growth = w * _slope(f, end)
        drift = 0.0
        if growth == 1.0:
            target = w * float(f(side * far)) + drive if net.form == "voltage" else float(f(w * side * far + drive))
            drift = target - side * far
        factors[side] = 1.0 - gamma + gamma * growth
        if growth > 1.0 or (growth == 1.0 and side * drift > -1e-15 * far):
            return (
                f"W must let the state return from far out; w times the slope of {f.name} there is "
                f"{growth:g}, so that noise carries the state to {'+' if side > 0 else '-'}infinity: no stationary law"
            )
    if factors[1.0] < 0.0 and factors[-1.0] < 0.0 and factors[1.0] * factors[-1.0] >= 1.0:
        return (
            f"W must not overshoot ever further; far out two steps multiply the state by "
            f"{factors[1.0] * factors[-1.0]:g}, so that it oscillates without bound: no stationary law"
        )
    return ""


def metastable(net: CTRNN, noise: Noise, u: ArrayLike | None) -> str:
    """Return what is to be said of the law of a network by a method that does not see that there is none."""
    reason = runs_away(net, noise, u)
    return f"{reason}; what is given is for the time before, about a metastable state" if reason else ""


def runs_away(net: CTRNN, noise: Noise, u: ArrayLike | None = None) -> str:
    """Return why noise carries the state of a network of one neuron away for ever, or an empty text."""
    f = net.activation
    if net.n > 1 or noise.is_zero or isinstance(f, ActivationGroup):
        return ""
    if noise.has_gains and np.all(np.isfinite(f.limit_slopes)):
        return ""  # the slopes far out are then random, and may be above 1
    return why_no_law(net, float(net.drive(u)[0]))


def _slope(f: Activation, end: float) -> float:
    """Return the slope of f at end · infinity; for a superlinear f its sign is that of a value."""
    slope = f.limit_slopes[0 if end < 0 else 1]
    if math.isinf(slope):
        return math.copysign(math.inf, float(f(end * 100.0)) * end)
    return slope
