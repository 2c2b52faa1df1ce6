"""log, log1p and powers of one number in Numba, without branches, as in `primitives`.

The relative error of the logarithms is below 1e-15, that of a power below 1e-15 times its exponent and log(u).
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ctrnn_theory.numerics.vector_math.primitives import LN2, exp, inlined

SMALLEST, LARGEST = 2.2250738585072014e-308, 1.7976931348623157e308  # normal numbers
ROOT_HALF_BITS, ONE_BITS, INTEGER_BITS = 0x3FE6A09E667F3BCD, 1023 << 52, 1075 << 52  # bits of √½, 1, 2**52


@intrinsic
def _exponent(typing_context: Any, u: Any) -> Any:
    """Return k of u = 2**k m, √½ <= m < √2, for a positive normal number, by writing it into the low bits of 2**52."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        bits = builder.bitcast(arguments[0], word)
        biased = builder.lshr(builder.add(bits, ir.Constant(word, ONE_BITS - ROOT_HALF_BITS)), ir.Constant(word, 52))
        integer = builder.bitcast(builder.or_(biased, ir.Constant(word, INTEGER_BITS)), ir.DoubleType())
        return builder.fsub(integer, ir.Constant(ir.DoubleType(), 2.0**52 + 1023.0))

    return types.float64(types.float64), build


@intrinsic
def _mantissa(typing_context: Any, u: Any) -> Any:
    """Return m of u = 2**k m for a positive normal number, and some number in [√½, √2) for any other u."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        above = builder.sub(builder.bitcast(arguments[0], word), ir.Constant(word, ROOT_HALF_BITS))
        fraction = builder.and_(above, ir.Constant(word, 2**52 - 1))
        return builder.bitcast(builder.add(fraction, ir.Constant(word, ROOT_HALF_BITS)), ir.DoubleType())

    return types.float64(types.float64), build


def _exponent_in_python(u: float) -> Any:
    word = int(np.float64(u).view(np.uint64))
    return np.float64((((word + ONE_BITS - ROOT_HALF_BITS) % 2**64) >> 52) - 1023)


def _mantissa_in_python(u: float) -> Any:
    word = int(np.float64(u).view(np.uint64))
    return np.uint64((word - ROOT_HALF_BITS) % 2**52 + ROOT_HALF_BITS).view(np.float64)


exponent = _exponent_in_python if numba.config.DISABLE_JIT else _exponent
mantissa = _mantissa_in_python if numba.config.DISABLE_JIT else _mantissa


@inlined
def logarithm(u: float) -> Any:
    """Return log(u) = k log 2 + 2 artanh((m - 1)/(m + 1)) of a positive normal number u = 2**k m.

    (2 artanh(s)/s - 2)/s² is a polynomial in s², interpolated at Chebyshev nodes on |s| <= (√2 - 1)/(√2 + 1), which
    leaves a relative error of 5e-18 of the logarithm.
    """
    f = mantissa(u) - 1.0
    s = f / (f + 2.0)
    z = s * s
    z2 = z * z
    low = (0.666666666666667 + 0.39999999999899505 * z) + (0.28571428625975764 + 0.22222211134749734 * z) * z2
    high = (0.18182889128565508 + 0.15331721490738642 * z) + 0.14616451042434167 * z2
    return exponent(u) * LN2 + (2.0 * s + s * z * (low + z2 * z2 * high))


@inlined
def log(u: float) -> Any:
    """Return log(u), which is -inf at 0 and NaN below."""
    small = u < SMALLEST
    v = u * 18014398509481984.0 if small else u  # 2**54
    value = logarithm(v) - (54.0 * LN2 if small else 0.0)
    value = -math.inf if u == 0.0 else value
    value = math.nan if u < 0.0 else value
    return value if u < math.inf else u


@inlined
def log1p(u: float) -> Any:
    """Return log(1 + u) = log(w) + c/w with w = 1 + u rounded and c its rounding error; -inf at -1, NaN below."""
    v = -1.0 if u < -1.0 else u
    v = LARGEST if v > LARGEST else v
    w = 1.0 + v
    c = 1.0 - (w - v) if v > 1.0 else v - (w - 1.0)
    value = logarithm(w) + c / (w if w > 0.0 else 1.0)
    value = u if u == 0.0 else value  # keeps the sign of zero
    value = -math.inf if u == -1.0 else value
    value = math.nan if u < -1.0 else value
    return value if u < math.inf else u


@inlined
def power(u: float, p: float) -> Any:
    """Return u**p = exp(p log(u)) for p > 0, which is NaN for u below 0."""
    return exp(p * log(u))
