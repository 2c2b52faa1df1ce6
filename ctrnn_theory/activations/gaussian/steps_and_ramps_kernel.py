"""The compiled first panel of the integrals of ``steps_and_ramps``; most correlations need no other."""

from __future__ import annotations

import math

import numpy as np

from ctrnn_theory.numerics.gauss_legendre import gauss_legendre
from ctrnn_theory.numerics.vector_math.primitives import exp
from ctrnn_theory.support.jit import jit

NODES, WEIGHTS = gauss_legendre(16)
UNIT, HALF = 0.5 * (1.0 + NODES), 0.5 * WEIGHTS
END = 0.25 * np.pi  # end of the panel, in θ
SINE = np.array([(-1.0) ** k / math.factorial(2 * k + 1) for k in range(9)])  # series, good to 1e-19


@jit(cache=True, fastmath={"contract"})
def first_panel(a, b, r, ramp, unit, half, sine, out):  # type: ignore[no-untyped-def]
    """Set out (P,) to ∫ φ₂(a, b; t) dt, or with `ramp` ∫ (r-t) φ₂(a, b; t) dt, t = sin θ from 0 to r or sin END.

    φ₂(a, b; t) dt = exp(-(a² - 2 a b t + b²) / (2 (1-t²))) dθ / 2π.
    """
    s0, s1, s2, s3, s4, s5, s6, s7, s8 = sine[0], sine[1], sine[2], sine[3], sine[4], sine[5], sine[6], sine[7], sine[8]
    value = np.empty(unit.size)
    for i in range(a.size):
        width = min(math.asin(r[i]), END)
        square, product, reach = 0.5 * (a[i] * a[i] + b[i] * b[i]), a[i] * b[i], r[i]
        for k in range(unit.size):
            x = width * unit[k]
            y = x * x
            high = s4 + y * (s5 + y * (s6 + y * (s7 + y * s8)))
            t = x * (s0 + y * (s1 + y * (s2 + y * (s3 + y * high))))
            density = exp((product * t - square) / ((1.0 - t) * (1.0 + t)))
            value[k] = half[k] * density * (reach - t if ramp else 1.0)
        total = 0.0
        for k in range(unit.size):
            total += value[k]
        out[i] = total * width * (0.5 / math.pi)
