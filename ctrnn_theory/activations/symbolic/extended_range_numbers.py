"""Arithmetic of numbers m 2**e, 1/2 <= |m| < 1, whose exponent e is a float of its own: pairs of arrays, or of numbers.

Digits are those of double precision; a number may be as large as 2**(10**300), and as small. The functions are written
for NumPy's arrays; :func:`for_lanes` makes the same of single numbers, for Numba.
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
ORDINARY = 1000.0  # exponents within ±this are those of ordinary numbers
STEEP = 700.0  # exp of more than this is no ordinary number
FLAT = 25.0  # where erfc is taken from its asymptotic series
SQRT_PI = math.sqrt(math.pi)

# what the functions below take for granted, for arrays
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
    """log(1 + exp(u))."""
    return np.logaddexp(0.0, u)


def scaled(m: Any, e: Any) -> Any:
    """M 2**e as an ordinary number."""
    return np.ldexp(m, np.clip(e, -2200.0, 2200.0).astype(np.int32))


def normal(m: Any, e: Any) -> Pair:
    """M 2**e of any m."""
    f, k = split(m)
    return f, select(f == 0.0, NOTHING, select(abs(f) < 1.0, e + k, 0.0))


def wide(value: Any) -> Pair:
    """Take an ordinary number."""
    return normal(value, 0.0)


def narrow(a: Pair) -> Any:
    """Give the ordinary number, infinite or zero beyond them."""
    return scaled(a[0], a[1])


def choose(condition: Any, a: Pair, b: Pair) -> Pair:
    """Choose a or b."""
    return select(condition, a[0], b[0]), select(condition, a[1], b[1])


def times(c: Any, a: Pair) -> Pair:
    """Multiply by an ordinary number near one."""
    return normal(c * a[0], a[1])


def size(a: Pair) -> Pair:
    """|a|."""
    return abs(a[0]), a[1]


def signed(a: Pair, b: Pair) -> Pair:
    """Give b >= 0 the sign of a."""
    return select(a[0] < 0.0, -b[0], b[0]), b[1]


def add(a: Pair, b: Pair) -> Pair:
    """A + b."""
    e = select(a[1] > b[1], a[1], b[1])
    return normal(scaled(a[0], a[1] - e) + scaled(b[0], b[1] - e), e)


def mul(a: Pair, b: Pair) -> Pair:
    """A b."""
    return normal(a[0] * b[0], a[1] + b[1])


def div(a: Pair, b: Pair) -> Pair:
    """A / b."""
    return normal(a[0] / b[0], a[1] - b[1])


def power(a: Pair, p: float) -> Pair:
    """A**p of an ordinary p > 0."""
    k = floor(a[1] * p)
    return normal(a[0] ** p * 2.0 ** (a[1] * p - k), k)


def less(a: Pair, b: Pair) -> Any:
    """Whether a < b."""
    return add(a, times(-1.0, b))[0] < 0.0


def at_most(a: Pair, b: Pair) -> Any:
    """Whether a <= b."""
    return add(a, times(-1.0, b))[0] <= 0.0


def larger(a: Pair, b: Pair) -> Pair:
    """Larger of two, NaN if either is."""
    return choose(less(b, a) | (a[0] != a[0]), a, b)


def smaller(a: Pair, b: Pair) -> Pair:
    """Smaller of two, NaN if either is."""
    return choose(less(a, b) | (a[0] != a[0]), a, b)


def sign(a: Pair) -> Pair:
    """-1, 0 or 1."""
    return wide(select(a[0] > 0.0, 1.0, select(a[0] < 0.0, -1.0, a[0])))


def heaviside(a: Pair) -> Pair:
    """0, 1/2 or 1."""
    return wide(0.5 + 0.5 * narrow(sign(a)))


def exp(a: Pair) -> Pair:
    """exp(k log 2 + r) = 2**k exp(r)."""
    u = narrow(a)
    finite = abs(u) < 1e300
    k = rint(select(finite, u, 0.0) * LOG2E)
    r = (select(finite, u, 0.0) - k * LN2_HIGH) - k * LN2_LOW
    m = plain_exp(select(abs(r) < 1.0, r, 0.0))  # else u is so large that it has no digits behind the point
    return normal(select(finite, m, select(u > 0.0, math.inf, select(u < 0.0, 0.0, u))), k)


def log(a: Pair) -> Pair:
    """Log m + e log 2, or plainly."""
    ordinary = abs(a[1]) < ORDINARY
    return wide(plain_log(select(ordinary, narrow(a), a[0])) + select(ordinary, 0.0, a[1]) * LN2)


def sin(a: Pair) -> Pair:
    """Sine; it is its argument for the least of those."""
    return choose(a[1] < -ORDINARY, a, wide(plain_sin(narrow(a))))


def cos(a: Pair) -> Pair:
    """Cosine."""
    return wide(plain_cos(narrow(a)))


def atan(a: Pair) -> Pair:
    """Inverse tangent."""
    return choose(a[1] < -ORDINARY, a, wide(plain_atan(narrow(a))))


def tangent(a: Pair) -> Pair:
    """Hyperbolic tangent."""
    return choose(a[1] < -ORDINARY, a, wide(plain_tangent(narrow(a))))


def erf(a: Pair) -> Pair:
    """Error function."""
    return choose(a[1] < -ORDINARY, times(2.0 / SQRT_PI, a), wide(plain_erf(narrow(a))))


def complement(a: Pair) -> Pair:
    """erfc(u), for large u exp(-u²)/(u √π) Σ (2n - 1)!! (-1/2u²)**n."""
    u = narrow(a)
    z = 0.5 / (u * u)
    sum = 1.0 - z * (1.0 - 3.0 * z * (1.0 - 5.0 * z * (1.0 - 7.0 * z * (1.0 - 9.0 * z * (1.0 - 11.0 * z)))))
    far = mul(wide(sum / (u * SQRT_PI)), exp(times(-1.0, mul(a, a))))
    return choose(u > FLAT, far, wide(plain_complement(u)))


def expm1(a: Pair) -> Pair:
    """exp(u) - 1."""
    u = narrow(a)
    return choose(u > STEEP, exp(a), choose(a[1] < -ORDINARY, a, wide(plain_expm1(u))))


def log1p(a: Pair) -> Pair:
    """log(1 + u)."""
    return choose(a[1] > ORDINARY, log(a), choose(a[1] < -ORDINARY, a, wide(plain_log1p(narrow(a)))))


def sinh(a: Pair) -> Pair:
    """Hyperbolic sine."""
    u = narrow(a)
    near = choose(a[1] < -ORDINARY, a, wide(plain_sinh(u)))
    return choose(abs(u) > STEEP, signed(a, times(0.5, exp(size(a)))), near)


def cosh(a: Pair) -> Pair:
    """Hyperbolic cosine."""
    u = narrow(a)
    return choose(abs(u) > STEEP, times(0.5, exp(size(a))), wide(plain_cosh(u)))


def asinh(a: Pair) -> Pair:
    """Inverse hyperbolic sine."""
    near = choose(a[1] < -ORDINARY, a, wide(plain_asinh(narrow(a))))
    return choose(a[1] > ORDINARY, signed(a, log(times(2.0, size(a)))), near)


def logistic(a: Pair) -> Pair:
    """1/(1 + exp(-u))."""
    u = narrow(a)
    return choose(u < -STEEP, exp(a), wide(plain_logistic(u)))


def softplus(a: Pair) -> Pair:
    """log(1 + exp(u))."""
    u = narrow(a)
    return choose(u < -STEEP, exp(a), choose(a[1] > ORDINARY, a, wide(plain_softplus(u))))


FUNCTIONS: tuple[Any, ...] = (
    *(normal, wide, narrow, choose, times, size, signed, add, mul, div, power, less, at_most, larger, smaller),
    *(sign, heaviside, exp, log, sin, cos, atan, tangent, erf, complement, expm1, log1p, sinh, cosh, asinh),
    *(logistic, softplus),
)
"""All of them, each after those that it calls."""
FOR_ARRAYS: dict[str, Any] = {function.__name__: function for function in FUNCTIONS}


@cache
def for_lanes() -> dict[str, Any]:
    """The same functions of pairs of numbers, compiled when they are first called."""
    from ctrnn_theory.activations.symbolic.compiled import NAMES
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
