"""States of one neuron at which its noise vanishes, since all of it is multiplicative; the law lives between them.

The drift is not zero there, so that the state passes such a point in one direction and never comes back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

FARTHEST = 1e6  # distance from the origin, in units of the parameters, up to which points are looked for
SAMPLES = 4000  # places on either side, in geometric progression from 1e-6 of it
BISECTIONS = 200


def still_points(net: CTRNN, noise: Noise, u: ArrayLike | None = None) -> FloatArray:
    """Return the ends (2,) between which the state of one neuron stays, infinite where there is none.

    Noise outside vanishes where f does. The drift, B f + d - h, is d - h there, and leads towards d from both sides, so
    that the law lives between the zeros of f next to h = d. Noise inside vanishes at α = 0, which the state leaves for
    the side to which the drift leads.

    Raises
    ------
    NotApplicable
        If there is no noise and no drift where the state ends.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.2, activation="relu", gamma=0.1)
    >>> still_points(net, Noise(gain_outside=0.5)), still_points(net, Noise(gain_outside=0.5, outside=0.1))
    (array([-0.4,  inf]), array([-inf,  inf]))
    """
    ends = np.array([-np.inf, np.inf])
    if not noise.has_gains or np.any(noise.inside) or np.any(noise.outside):
        return ends
    wiring, f = Wiring.of(net, u), net.activations[0]
    slope, c, d = float(wiring.read[0, 0]), float(wiring.c[0]), float(wiring.d[0])
    if np.any(noise.gain_inside):
        if slope == 0.0 or (f(0.0) != 0.0 and np.any(noise.gain_covariance("outside", 1))):
            return ends
        place = -c / slope
        drift = float(wiring.write[0, 0]) * float(f(0.0)) + d - place
        if drift == 0.0:
            raise NotApplicable(_point(place))
        ends[0 if drift > 0.0 else 1] = place
        return ends
    if f(slope * d + c) == 0.0:
        raise NotApplicable(_point(d))
    with np.errstate(over="ignore", invalid="ignore"):
        return _zeros(f, slope, c, d)


def _zeros(f: Activation, slope: float, c: float, d: float) -> FloatArray:
    """Return the zeros (2,) of f(slope h + c) on either side of h = d."""
    ends = np.array([-np.inf, np.inf])
    far = FARTHEST * (1.0 + abs(c) + abs(d)) / (min(abs(slope), 1.0) or 1.0)
    distance = np.append(0.0, np.geomspace(1e-12 * far, far, SAMPLES))
    special = (np.array([0.0, *f.breakpoints, *f.nonlinearities]) - c) / (slope or np.inf) - d
    sign = np.sign(f(slope * d + c))
    for side, k in ((-1.0, 0), (1.0, 1)):
        away = np.union1d(distance, side * special[side * special > 0.0])
        left = np.flatnonzero(np.sign(f(slope * (d + side * away) + c)) != sign)
        if left.size:
            near, beyond = away[left[0] - 1], away[left[0]]
            for _ in range(BISECTIONS):
                middle = 0.5 * (near + beyond)
                inner = np.sign(f(slope * (d + side * middle) + c)) == sign
                near, beyond = (middle, beyond) if inner else (near, middle)
            ends[k] = d + side * beyond
    return ends


def _point(place: float) -> str:
    return (
        f"the law is a point: all noise is multiplicative and vanishes at the state {place:.4g}, where the drift ends"
    )
