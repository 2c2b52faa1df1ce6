"""Elementary functions of one number in Numba, without branches, so that a loop over lanes vectorises.

A call to the C library's exp or tanh keeps LLVM from vectorising. These functions are polynomials after an argument
reduction, and take one to three nanoseconds a lane. Their relative error is below 1e-15 for normal numbers; underflow
gives zero, and NaN gives NaN. ``contract`` allows fused multiply-add; reassociation would undo the rounding by MAGIC.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ctrnn_theory.support.jit import jit

LOG2E, LN2 = 1.4426950408889634, 0.6931471805599453
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # LN2_HIGH times an integer is exact
MAGIC = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, which fills the low bits
LOWEST, HIGHEST = -708.0, 709.782712893384  # arguments beyond which exp underflows or overflows
HIGHEST_HALF = 710.4758600739439  # argument beyond which exp/2 overflows

inlined = jit(fastmath={"contract"}, cache=True, forceinline=True)  # LLVM would call the longest ones


@intrinsic
def _power_of_two(typing_context: Any, rounded: Any) -> Any:
    """Return 2**(k-1) for k + MAGIC, by moving the low bits of the sum into the exponent."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        bits = builder.bitcast(arguments[0], word)
        shifted = builder.shl(bits, ir.Constant(word, 52))
        return builder.bitcast(builder.add(shifted, ir.Constant(word, 1022 << 52)), ir.DoubleType())

    return types.float64(types.float64), build


def _power_of_two_in_python(rounded: float) -> Any:
    word = int(np.float64(rounded).view(np.uint64))
    return np.uint64(((word << 52) + (1022 << 52)) % 2**64).view(np.float64)


power_of_two = _power_of_two_in_python if numba.config.DISABLE_JIT else _power_of_two


@inlined
def remainder(u: float) -> Any:
    """Return k + MAGIC and q with exp(u) = 2**k (1 + q), |q| < 0.42."""
    t = u * LOG2E + MAGIC
    k = t - MAGIC
    r = (u - k * LN2_HIGH) - k * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (1.0 + 0.5000000000000006 * r) + (0.1666666666666667 + 0.041666666666573066 * r) * r2
    middle = (0.008333333333326136 + 0.001388888893251478 * r) + (
        0.00019841269874820627 + 2.480150431378554e-05 * r
    ) * r2
    high = (2.7557255400206422e-06 + 2.7626371065696354e-07 * r) + 2.5105217004720745e-08 * r2
    return t, r * (low + r4 * (middle + r4 * high))


@inlined
def reduced(u: float) -> Any:
    """Return s and q with exp(u) = 2 s (1 + q), s = 2**(k-1), |q| < 0.42, for u in [-708, 709.78]."""
    t, q = remainder(u)
    return power_of_two(t), q


@inlined
def exp(u: float) -> Any:
    """Return exp(u), which is 0 below -708 and inf above 709.78."""
    v = LOWEST if u < LOWEST else u
    v = HIGHEST if v > HIGHEST else v
    s, q = reduced(v)
    value = (s + s * q) * 2.0
    value = 0.0 if u < LOWEST else value
    return math.inf if u > HIGHEST else value


@inlined
def expm1(u: float) -> Any:
    """Return exp(u) - 1, which is inf above 709.78."""
    v = LOWEST if u < LOWEST else u
    v = HIGHEST if v > HIGHEST else v
    s, q = reduced(v)
    value = (s * q + (s - 0.5)) * 2.0
    return math.inf if u > HIGHEST else value


@inlined
def tangent(u: float) -> Any:
    """Return tanh(u) = e/(e + 2), e = exp(2|u|) - 1, with the sign of u."""
    v = 2.0 * abs(u)
    v = 40.0 if v > 40.0 else v  # tanh(20) rounds to one
    s, q = reduced(v)
    e = (s * q + (s - 0.5)) * 2.0
    return math.copysign(e / (e + 2.0), u) if u == u else u


@inlined
def sinh(u: float) -> Any:
    """Return sinh(u) = h + h/(2 h + 1) with the sign of u; h = (exp(|u|) - 1)/2 is finite wherever sinh is."""
    v = abs(u)
    t, q = remainder(HIGHEST_HALF if v > HIGHEST_HALF else v)
    s = power_of_two(t - 1.0)
    h = (s * q + (s - 0.25)) * 2.0
    value = math.copysign(h + 0.5 * h / (h + 0.5), u)
    return value if v <= HIGHEST_HALF else u * math.inf


@inlined
def cosh(u: float) -> Any:
    """Return cosh(u) = g + 1/(4 g), g = exp(|u|)/2."""
    v = abs(u)
    t, q = remainder(HIGHEST_HALF if v > HIGHEST_HALF else v)
    s = power_of_two(t - 1.0)
    g = (s + s * q) * 2.0
    return g + 0.25 / g if v <= HIGHEST_HALF else v * math.inf


@inlined
def logistic(u: float) -> Any:
    """Return 1/(1 + exp(-u))."""
    return 1.0 / (1.0 + exp(-u))


@inlined
def softplus(u: float) -> Any:
    """Return log(1 + exp(u)) = max(u, 0) + log(1 + y), y = exp(-|u|); 1 + y is halved above √2 for 2 artanh."""
    y = exp(-abs(u))
    large = y > 0.41421356237309503
    numerator = y - 1.0 if large else y
    denominator = y + 3.0 if large else y + 2.0
    t = numerator / denominator
    z = t * t
    series = 0.666666666666667 + z * (
        (0.3999999999989889 + z * 0.28571428626253836)
        + z
        * z
        * ((0.22222211089379496 + z * 0.1818289243253687) + z * z * (0.15331611722055008 + z * 0.14617807153417325))
    )
    logarithm = (LN2 if large else 0.0) + (2.0 * t + t * z * series)
    return maximum(0.0, u) + logarithm


@inlined
def maximum(a: float, b: float) -> Any:
    """Return the larger of two numbers, or NaN if either is."""
    larger = a if a > b else b
    return larger if a == a else a


@inlined
def minimum(a: float, b: float) -> Any:
    """Return the smaller of two numbers, or NaN if either is."""
    smaller = a if a < b else b
    return smaller if a == a else a


@inlined
def sign(u: float) -> Any:
    """Return the sign, -1, 0 or 1."""
    value = 1.0 if u > 0.0 else u
    return -1.0 if u < 0.0 else value


@inlined
def heaviside(u: float) -> Any:
    """Return 0 below zero, 1/2 at zero, and 1 above."""
    return 0.5 + 0.5 * sign(u)


@inlined
def select(condition: bool, a: float, b: float) -> Any:
    """Return a where the condition holds, and else b."""
    return a if condition else b
