"""Random variates and elementary functions alone, on arrays that stay in the cache; no step can be faster."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from scipy import special

from benchmarks.peers.with_numpy import softplus
from ctrnn_theory.integrators import normals
from ctrnn_theory.numerics.vector_math import error_function, logarithms, primitives
from ctrnn_theory.support.jit import jit

ROWS = 16
SIZE = ROWS * normals.LANES
AT_POSITIVE: dict[str, tuple[Any, Any, Any]] = {  # this package, NumPy or SciPy, the C library
    "log": (logarithms.log, np.log, math.log),
    "log1p": (logarithms.log1p, np.log1p, math.log1p),
    "erf": (error_function.erf, special.erf, math.erf),
    "erfc": (error_function.complement, special.erfc, math.erfc),
    "sinh": (primitives.sinh, np.sinh, math.sinh),
    "cosh": (primitives.cosh, np.cosh, math.cosh),
}


def nanoseconds(call: Callable[[], Any], count: int) -> float:
    """Return the ns of a call for each of `count` values, the best of five."""
    call()  # compiles
    found = []
    for _ in range(5):
        begin = perf_counter()
        call()
        found.append(perf_counter() - begin)
    return 1e9 * min(found) / count


@jit
def words(state: Any, out: Any, repeats: int) -> None:
    """Fill `out` with random words of this package, repeatedly."""
    half = normals.HALF
    for _ in range(repeats):
        for row in range(ROWS):
            for i in range(half):
                first, second, a, b, c, d = normals.next_words(
                    state[i], state[half + i], state[2 * half + i], state[3 * half + i]
                )
                state[i], state[half + i], state[2 * half + i], state[3 * half + i] = a, b, c, d
                out[row, i], out[row, half + i] = first, second


@jit
def variates(state: Any, out: Any, constants: Any, bits: Any, repeats: int) -> None:
    """Fill `out` (ROWS, 1, LANES) with normal variates of this package, repeatedly."""
    for _ in range(repeats):
        normals.fill(state, out, ROWS, np.int64(0), constants, bits)


def applied(f: Any) -> Callable[..., None]:
    """Return a compiled loop that applies one function to an array."""

    @jit(fastmath={"contract"})
    def loop(x: Any, out: Any, repeats: int) -> None:
        for _ in range(repeats):
            for i in range(SIZE):
                out[i] = f(x[i])

    return loop


def called(c: Any) -> Any:
    """Return a compiled call of a function of the C library."""
    return jit(lambda u: c(u))


def report(quick: bool) -> dict[str, dict[str, float]]:
    """Measure ns a value of this package, of NumPy, and of the C library one value at a time from Numba."""
    repeats = 1_000 if quick else 10_000
    x = np.random.default_rng(9).standard_normal(SIZE)
    out, spare, raw = np.empty(SIZE), np.empty(SIZE), np.empty((ROWS, normals.LANES), np.uint64)
    rng, state = np.random.Generator(np.random.SFC64(9)), np.arange(1, 4 * normals.HALF + 1, dtype=np.uint64)
    count = repeats * SIZE

    def again(call: Callable[[], Any]) -> float:
        return nanoseconds(lambda: [call() for _ in range(repeats)], count)

    def compiled(f: Any, at: Any = x) -> float:
        loop = applied(f)
        return nanoseconds(lambda: loop(at, out, repeats), count)

    def numpy_softplus() -> None:
        np.copyto(out, x)
        softplus(out, spare)

    z, positive = out.reshape(ROWS, 1, -1), np.abs(x)
    return {
        "64-bit word": {
            "ours": nanoseconds(lambda: words(state, raw, repeats), count),
            "numpy": again(lambda: rng.integers(0, 2**64, size=SIZE, dtype=np.uint64)),
        },
        "normal": {
            "ours": nanoseconds(lambda: variates(state, z, normals.CONSTANTS, normals.BITS, repeats), count),
            "numpy": again(lambda: rng.standard_normal(out=out)),
            "one at a time": compiled(jit(lambda _: np.random.normal())),  # noqa: NPY002
        },
        "exp": {
            "ours": compiled(primitives.exp),
            "numpy": again(lambda: np.exp(x, out=out)),
            "one at a time": compiled(jit(lambda u: math.exp(u))),
        },
        "tanh": {
            "ours": compiled(primitives.tangent),
            "numpy": again(lambda: np.tanh(x, out=out)),
            "one at a time": compiled(jit(lambda u: math.tanh(u))),
        },
        "softplus": {
            "ours": compiled(primitives.softplus),
            "numpy": again(numpy_softplus),
            "one at a time": compiled(jit(lambda u: max(u, 0.0) + math.log1p(math.exp(-abs(u))))),
        },
    } | {
        name: {
            "ours": compiled(ours, positive),
            "numpy": again(partial(numpy, positive, out=out)),
            "one at a time": compiled(called(c), positive),
        }
        for name, (ours, numpy, c) in AT_POSITIVE.items()
    }
