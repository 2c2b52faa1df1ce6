"""Third cumulants with a single f in them, at a normal argument."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.closed_forms import sin_cumulants
from ctrnn_theory.activations.gaussian.power_law import power_law
from ctrnn_theory.activations.gaussian.quadrature import Panels, integrate
from ctrnn_theory.support.types import FloatArray


def own_cumulants(f: Activation, a: FloatArray, s: FloatArray) -> FloatArray:
    """Return E Z f', E (Z²)'' and E Z³ for Z = f - F at x ~ N(a, s²) with s > 0, (3, N).

    By Stein's identity the first two are E ξ Z² / (2s) and E (ξ² - 1) Z² / s², which need no derivative of f.
    """
    if f.text == "sin":
        return sin_cumulants(a, s)
    if (law := power_law(f)) is not None:
        return law.own_cumulants(a, s)

    def centred(panels: Panels, values: FloatArray, a: FloatArray, s: FloatArray) -> FloatArray:
        return np.asarray(values - np.asarray(f.smoothed(a, s))[panels.row, None])

    slope = integrate(f, 0, a, s, lambda p, v, a, s: p.weight * p.xi * centred(p, v, a, s) ** 2)
    bend = integrate(f, 0, a, s, lambda p, v, a, s: p.weight * (p.xi**2 - 1.0) * centred(p, v, a, s) ** 2)
    third = integrate(f, 0, a, s, lambda p, v, a, s: p.weight * centred(p, v, a, s) ** 3)
    return np.stack([slope / (2.0 * s), bend / s**2, third])
