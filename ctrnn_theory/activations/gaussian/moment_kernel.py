"""The compiled loop over Gaussian moments of a smooth activation, by the trapezoidal rule."""

from __future__ import annotations

import numpy as np
from numba import types

from ctrnn_theory.support.jit import jit

WIDTH = 64  # inputs of a block; loops over a number known to the compiler run in vector registers
TOGETHER = 8  # nodes that f is evaluated at in one call
f8_1, f8_2 = types.float64[::1], types.float64[:, ::1]
FUNCTION = types.FunctionType(types.void(f8_1))


@jit(types.void(FUNCTION, f8_1, f8_1, f8_1, f8_2, f8_2, f8_2), cache=True, fastmath={"contract"})
def node_moments(f, a, s, xi, weights, projections, coarse):  # type: ignore[no-untyped-def]
    """Set moments of g = f(a + s ξ) - f(a) at inputs a, s (M,), from nodes ξ (Q,); Q is a multiple of `TOGETHER`.

    Row k of `projections` (K, M) becomes E g ω_k with the weights ω (K, Q), but for row 1, which becomes E g² ω_0. Both
    of these rows with the even nodes alone, at twice their weight, go to `coarse` (2, M). Row K of `projections`, one
    more than there are weights, becomes f(a).
    """
    count, buffer = weights.shape[0], np.empty(TOGETHER * WIDTH)
    mean, std, base = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
    sums, even = np.empty((count, WIDTH)), np.empty((2, WIDTH))
    for first in range(0, a.size, WIDTH):
        used = min(WIDTH, a.size - first)
        for k in range(WIDTH):
            mean[k], std[k] = a[first + min(k, used - 1)], s[first + min(k, used - 1)]
            base[k] = mean[k]
        f(base)
        sums[:], even[:] = 0.0, 0.0
        for at in range(0, xi.size, TOGETHER):
            for q in range(TOGETHER):
                place = xi[at + q]
                for k in range(WIDTH):
                    buffer[q * WIDTH + k] = mean[k] + std[k] * place
            f(buffer)
            for q in range(TOGETHER):
                w = weights[0, at + q]
                for k in range(WIDTH):
                    g = buffer[q * WIDTH + k] - base[k]
                    buffer[q * WIDTH + k] = g
                    sums[0, k] += w * g
                    sums[1, k] += w * (g * g)
                if q % 2 == 0:
                    for k in range(WIDTH):
                        g = buffer[q * WIDTH + k]
                        even[0, k] += 2.0 * w * g
                        even[1, k] += 2.0 * w * (g * g)
                for order in range(2, count):
                    w = weights[order, at + q]
                    for k in range(WIDTH):
                        sums[order, k] += w * buffer[q * WIDTH + k]
        for k in range(used):
            for order in range(count):
                projections[order, first + k] = sums[order, k]
            projections[count, first + k] = base[k]
            coarse[0, first + k], coarse[1, first + k] = even[0, k], even[1, k]
