"""Extended-range arithmetic: numbers m 2**e, 1/2 <= |m| < 1, whose exponent e is a float of its own.

A number is a pair (m, e) of arrays, or of floats. It has the digits of double precision, and may be as large as
2**(10**300) or as small as its inverse. An *ordinary* number is a float. The functions are written for NumPy's arrays;
:func:`for_lanes` compiles the same functions of floats with Numba.
"""

from __future__ import annotations

import math
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from scipy import special

Pair = tuple[Any, Any]
LOG2E, LN2 = 1.4426950408889634, 0.6931471805599453
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # as in `primitives`, which imports Numba
NOTHING = -1e300  # exponent of zero
ORDINARY = 1000.0  # largest size of an exponent that an ordinary number has
STEEP = 700.0  # largest argument whose exp is an ordinary number
FLAT = 25.0  # argument beyond which erfc comes from its asymptotic series
SQRT_PI = math.sqrt(math.pi)

# the functions of ordinary numbers that the functions below call, for arrays
split: Any = np.frexp
select: Any = np.where
rint: Any = np.rint
floor: Any = np.floor
plain_exp: Any = np.exp
plain_log: Any = np.log
plain_sin: Any = np.sin
plain_cos: Any = np.cos
plain_atan: Any = np.arctan
plain_tangent: Any = np.tanh
plain_erf: Any = special.erf
plain_complement: Any = special.erfc
plain_expm1: Any = np.expm1
plain_log1p: Any = np.log1p
plain_sinh: Any = np.sinh
plain_cosh: Any = np.cosh
plain_asinh: Any = np.arcsinh
plain_logistic: Any = special.expit


def plain_softplus(u: Any) -> Any:
    """Return log(1 + exp(u))."""
    return np.logaddexp(0.0, u)


def scaled(m: Any, e: Any) -> Any:
    """Return m 2**e as an ordinary number."""
    return np.ldexp(m, np.clip(e, -2200.0, 2200.0).astype(np.int32))


def normal(m: Any, e: Any) -> Pair:
    """Return the pair of m 2**e for any m."""
    f, k = split(m)
    return f, select(f == 0.0, NOTHING, select(abs(f) < 1.0, e + k, 0.0))


def extended(value: Any) -> Pair:
    """Return the pair of an ordinary number."""
    return normal(value, 0.0)


def ordinary(a: Pair) -> Any:
    """Return the nearest ordinary number, which is infinite or zero out of their range."""
    return scaled(a[0], a[1])


def choose(condition: Any, a: Pair, b: Pair) -> Pair:
    """Return a where the condition holds, and else b."""
    return select(condition, a[0], b[0]), select(condition, a[1], b[1])


def times(c: Any, a: Pair) -> Pair:
    """Return c a for an ordinary number c near one."""
    return normal(c * a[0], a[1])


def size(a: Pair) -> Pair:
    """Return |a|."""
    return abs(a[0]), a[1]


def signed(a: Pair, b: Pair) -> Pair:
    """Return b >= 0 with the sign of a."""
    return select(a[0] < 0.0, -b[0], b[0]), b[1]


def add(a: Pair, b: Pair) -> Pair:
    """Return a + b."""
    e = select(a[1] > b[1], a[1], b[1])
    return normal(scaled(a[0], a[1] - e) + scaled(b[0], b[1] - e), e)


def mul(a: Pair, b: Pair) -> Pair:
    """Return a b."""
    return normal(a[0] * b[0], a[1] + b[1])


def div(a: Pair, b: Pair) -> Pair:
    """Return a / b."""
    return normal(a[0] / b[0], a[1] - b[1])


def power(a: Pair, p: float) -> Pair:
    """Return a**p for an ordinary p > 0."""
    k = floor(a[1] * p)
    return normal(a[0] ** p * 2.0 ** (a[1] * p - k), k)


def less(a: Pair, b: Pair) -> Any:
    """Return whether a < b."""
    return add(a, times(-1.0, b))[0] < 0.0


def at_most(a: Pair, b: Pair) -> Any:
    """Return whether a <= b."""
    return add(a, times(-1.0, b))[0] <= 0.0


def larger(a: Pair, b: Pair) -> Pair:
    """Return the larger of two numbers, or NaN if either is."""
    return choose(less(b, a) | (a[0] != a[0]), a, b)


def smaller(a: Pair, b: Pair) -> Pair:
    """Return the smaller of two numbers, or NaN if either is."""
    return choose(less(a, b) | (a[0] != a[0]), a, b)


def sign(a: Pair) -> Pair:
    """Return the sign, -1, 0 or 1."""
    return extended(select(a[0] > 0.0, 1.0, select(a[0] < 0.0, -1.0, a[0])))


def heaviside(a: Pair) -> Pair:
    """Return 0 below zero, 1/2 at zero, and 1 above."""
    return extended(0.5 + 0.5 * ordinary(sign(a)))


def exp(a: Pair) -> Pair:
    """Return exp(k log 2 + r) = 2**k exp(r)."""
    u = ordinary(a)
    finite = abs(u) < 1e300
    k = rint(select(finite, u, 0.0) * LOG2E)
    r = (select(finite, u, 0.0) - k * LN2_HIGH) - k * LN2_LOW
    m = plain_exp(select(abs(r) < 1.0, r, 0.0))  # otherwise u is so large that it is an integer
    return normal(select(finite, m, select(u > 0.0, math.inf, select(u < 0.0, 0.0, u))), k)


def log(a: Pair) -> Pair:
    """Return log m + e log 2, or the plain logarithm of an ordinary number."""
    plain = abs(a[1]) < ORDINARY
    return extended(plain_log(select(plain, ordinary(a), a[0])) + select(plain, 0.0, a[1]) * LN2)


def sin(a: Pair) -> Pair:
    """Return the sine, which for the smallest arguments is the argument."""
    return choose(a[1] < -ORDINARY, a, extended(plain_sin(ordinary(a))))


def cos(a: Pair) -> Pair:
    """Return the cosine."""
    return extended(plain_cos(ordinary(a)))


def atan(a: Pair) -> Pair:
    """Return the inverse tangent."""
    return choose(a[1] < -ORDINARY, a, extended(plain_atan(ordinary(a))))


def tangent(a: Pair) -> Pair:
    """Return the hyperbolic tangent."""
    return choose(a[1] < -ORDINARY, a, extended(plain_tangent(ordinary(a))))


def erf(a: Pair) -> Pair:
    """Return the error function."""
    return choose(a[1] < -ORDINARY, times(2.0 / SQRT_PI, a), extended(plain_erf(ordinary(a))))


def complement(a: Pair) -> Pair:
    """Return erfc(u), for large u as exp(-u²)/(u √π) Σ (2n - 1)!! (-1/2u²)**n."""
    u = ordinary(a)
    z = 0.5 / (u * u)
    sum = 1.0 - z * (1.0 - 3.0 * z * (1.0 - 5.0 * z * (1.0 - 7.0 * z * (1.0 - 9.0 * z * (1.0 - 11.0 * z)))))
    far = mul(extended(sum / (u * SQRT_PI)), exp(times(-1.0, mul(a, a))))
    return choose(u > FLAT, far, extended(plain_complement(u)))


def expm1(a: Pair) -> Pair:
    """Return exp(u) - 1."""
    u = ordinary(a)
    return choose(u > STEEP, exp(a), choose(a[1] < -ORDINARY, a, extended(plain_expm1(u))))


def log1p(a: Pair) -> Pair:
    """Return log(1 + u)."""
    return choose(a[1] > ORDINARY, log(a), choose(a[1] < -ORDINARY, a, extended(plain_log1p(ordinary(a)))))


def sinh(a: Pair) -> Pair:
    """Return the hyperbolic sine."""
    u = ordinary(a)
    near = choose(a[1] < -ORDINARY, a, extended(plain_sinh(u)))
    return choose(abs(u) > STEEP, signed(a, times(0.5, exp(size(a)))), near)


def cosh(a: Pair) -> Pair:
    """Return the hyperbolic cosine."""
    u = ordinary(a)
    return choose(abs(u) > STEEP, times(0.5, exp(size(a))), extended(plain_cosh(u)))


def asinh(a: Pair) -> Pair:
    """Return the inverse hyperbolic sine."""
    near = choose(a[1] < -ORDINARY, a, extended(plain_asinh(ordinary(a))))
    return choose(a[1] > ORDINARY, signed(a, log(times(2.0, size(a)))), near)


def logistic(a: Pair) -> Pair:
    """Return 1/(1 + exp(-u))."""
    u = ordinary(a)
    return choose(u < -STEEP, exp(a), extended(plain_logistic(u)))


def softplus(a: Pair) -> Pair:
    """Return log(1 + exp(u))."""
    u = ordinary(a)
    return choose(u < -STEEP, exp(a), choose(a[1] > ORDINARY, a, extended(plain_softplus(u))))


FUNCTIONS: tuple[Any, ...] = (
    *(normal, extended, ordinary, choose, times, size, signed, add, mul, div, power, less, at_most, larger, smaller),
    *(sign, heaviside, exp, log, sin, cos, atan, tangent, erf, complement, expm1, log1p, sinh, cosh, asinh),
    *(logistic, softplus),
)
"""The functions, each after those that it calls."""
FOR_ARRAYS: dict[str, Any] = {function.__name__: function for function in FUNCTIONS}


@cache
def for_lanes() -> dict[str, Any]:
    """Return the same functions of pairs of floats, which are compiled when they are first called."""
    from ctrnn_theory.activations.source.lane_functions import NAMES
    from ctrnn_theory.support.jit import jit

    @jit
    def split_one(m: float) -> tuple[float, float]:
        f, k = math.frexp(m)
        return f, float(k)

    @jit
    def scaled_one(m: float, e: float) -> float:
        return math.ldexp(m, int(min(max(e, -2200.0), 2200.0)))

    plain = {name: NAMES[name.removeprefix("plain_")] for name in globals() if name.startswith("plain_")}
    ours = {"split": split_one, "scaled": scaled_one, "rint": jit(lambda u: np.rint(u)), "floor": math.floor}
    space = {**globals(), **plain, **ours, "select": NAMES["select"]}
    for function in FUNCTIONS:
        space[function.__name__] = jit(FunctionType(function.__code__, space, function.__name__))
    return {function.__name__: space[function.__name__] for function in FUNCTIONS}
