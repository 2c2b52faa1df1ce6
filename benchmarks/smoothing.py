"""Gaussian smoothing F(a; s) = E f(a + s ξ) by closed forms, by quadrature and by Monte Carlo, in values a second.

The reference is the closed form of relu and gelu, written here again, and for softplus and tanh, which are analytic in
a strip, the trapezoidal rule at half the step that reaches rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from scipy.integrate import quad
from scipy.special import ndtr, roots_hermite

import ctrnn_theory as ct
from benchmarks.processes import Found, tell
from ctrnn_theory.support.types import FloatArray

Function = Callable[[FloatArray], FloatArray]

FUNCTIONS: dict[str, Function] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "gelu": lambda x: x * ndtr(x),
    "softplus": lambda x: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))),
    "tanh": np.tanh,
}
COUNT, VARIANCES = 100_000, 10_000
CHECKED = 500
"""Number of values whose error is measured, and by which the order of a rule is chosen."""
ONE_AT_A_TIME, SAMPLED = 200, 10
"""Numbers of values of quad and of Monte Carlo, which compute one value at a time."""
SAMPLES, QUICK_SAMPLES = 1_000_000, 100_000
CHUNK = 1 << 15
"""Number of function values that are computed at once and stay in the processor's cache."""
WANTED, CLOSED = 1e-10, 1e-12
"""Relative errors that quadrature must reach, and that a closed form may have."""
ORDERS = tuple(2**k for k in range(3, 14))
TAIL = 9.0
"""Standard deviations beyond which a Gaussian is negligible."""
BOUND = 5.0
"""Largest allowed deviation of Monte Carlo, in standard errors."""


def arguments(count: int) -> tuple[FloatArray, FloatArray]:
    """Return random means, and standard deviations from 0.01 to 10."""
    rng = np.random.default_rng(0)
    return rng.uniform(-5.0, 5.0, count), 10.0 ** rng.uniform(-2.0, 1.0, count)


def trapezoid(n: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights for the mean over ξ."""
    nodes = np.linspace(-TAIL, TAIL, n)
    weights = np.exp(-0.5 * nodes**2)
    return nodes, weights / weights.sum()


def gauss_hermite(n: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights for the mean over ξ."""
    nodes, weights = roots_hermite(n)
    return np.sqrt(2.0) * nodes, weights / weights.sum()


RULES = {"Gauss–Hermite": gauss_hermite, "trapezoidal rule": trapezoid}


def applied(f: Function, rule: tuple[FloatArray, FloatArray], a: FloatArray, s: FloatArray) -> FloatArray:
    """Return the mean of f by a rule, for all arguments."""
    nodes, weights = rule
    rows = max(1, CHUNK // len(nodes))
    parts = [f(a[i : i + rows, None] + s[i : i + rows, None] * nodes) @ weights for i in range(0, len(a), rows)]
    return np.concatenate(parts)


def truth(name: str, a: FloatArray, s: FloatArray) -> FloatArray:
    """Return F, computed without the package."""
    if name in ("relu", "gelu"):
        scale = s if name == "relu" else np.hypot(1.0, s)
        bell = np.exp(-0.5 * (a / scale) ** 2) / np.sqrt(2.0 * np.pi)
        return a * ndtr(a / scale) + s**2 / scale * bell
    return applied(FUNCTIONS[name], trapezoid(1_001), a, s)


def error(found: FloatArray, true: FloatArray) -> float:
    """Return the largest error, relative to F where |F| exceeds one; infinite if a value is not finite."""
    return float(np.nan_to_num(np.abs(found - true) / np.maximum(1.0, np.abs(true)), nan=np.inf).max())


def rate(call: Callable[[], FloatArray], repeats: int = 3) -> float:
    """Return the values a second of the fastest of some calls, after a first call that prepares."""
    seconds = []
    for _ in range(1 + repeats):
        begin = perf_counter()
        values = call()
        seconds.append(perf_counter() - begin)
    return float(np.size(values) / min(seconds[1:]))


def by_rule(name: str, way: str, count: int) -> Found:
    """Measure the lowest order, a power of two, that reaches the wanted error, or else the highest order.

    At a kink the error is about s h² for nodes at a distance h, so that no order reaches it.
    """
    f, (a, s) = FUNCTIONS[name], arguments(CHECKED)
    true = truth(name, a, s)
    for order in ORDERS:
        rule = RULES[way](order)
        off = error(applied(f, rule, a, s), true)
        if off <= WANTED:
            break
    reached = off <= WANTED
    step = float(np.diff(rule[0]).min())
    right = bool(reached or (name == "relu" and off <= s.max() * step**2))
    a, s = arguments(max(CHECKED, count // order))
    per_second = rate(lambda: applied(f, rule, a, s), 1)
    return {"way": way, "order": order, "reached": reached, "rate": per_second, "error": off, "right": right}


def by_quad(name: str) -> Found:
    """Measure scipy.integrate.quad, one value at a time, from one tail to the other, with the kink as a breakpoint."""
    f, (a, s) = FUNCTIONS[name], arguments(ONE_AT_A_TIME)

    def value(mean: float, std: float) -> float:
        def weighed(z: float) -> float:
            return float(f(mean + std * z)) * np.exp(-0.5 * z * z)

        kink = [-mean / std] if abs(mean / std) < TAIL else None
        return quad(weighed, -TAIL, TAIL, points=kink, limit=200, epsabs=1e-11, epsrel=1e-11)[0] / np.sqrt(2.0 * np.pi)

    found = np.array([value(*pair) for pair in zip(a, s, strict=True)])
    off = error(found, truth(name, a, s))
    per_second = rate(lambda: np.array([value(*pair) for pair in zip(a, s, strict=True)]), 1)
    return {"way": "quad", "rate": per_second, "error": off, "right": off <= WANTED}


def by_samples(name: str, quick: bool) -> Found:
    """Measure Monte Carlo with the same variates for all values, which is fastest."""
    f, (a, s), count = FUNCTIONS[name], arguments(SAMPLED), QUICK_SAMPLES if quick else SAMPLES
    z = np.random.default_rng(1).standard_normal(count)
    values = np.array([[np.mean(x := f(mean + std * z)), np.std(x)] for mean, std in zip(a, s, strict=True)])
    true = truth(name, a, s)
    allowed = BOUND * values[:, 1] / np.sqrt(count) + CLOSED
    per_second = rate(lambda: np.array([np.mean(f(mean + std * z)) for mean, std in zip(a, s, strict=True)]), 1)
    return {
        "way": f"Monte Carlo, {count:.0e}",
        "rate": per_second,
        "error": error(values[:, 0], true),
        "right": bool(np.all(np.abs(values[:, 0] - true) <= allowed)),
    }


def ours(name: str, f: Callable[[FloatArray, FloatArray], FloatArray]) -> Found:
    """Measure the package's smoothing at all arguments at once."""
    a, s = arguments(COUNT)
    off = error(f(a[:CHECKED], s[:CHECKED]), truth(name, a[:CHECKED], s[:CHECKED]))
    return {"way": "ours", "rate": rate(lambda: f(a, s)), "error": off, "right": off <= CLOSED}


def report(quick: bool) -> list[Found]:
    """Measure all activations in all ways, and the package's slope and variance."""
    found = []
    for name in FUNCTIONS:
        activation = ct.activation(name)
        tell(name)
        ways = [ours(name, activation.smoothed)]
        ways += [by_rule(name, way, (COUNT if quick else 10 * COUNT)) for way in RULES]
        ways += [by_quad(name), by_samples(name, quick)]
        a, s = arguments(COUNT)
        rates = {
            "F'": rate(lambda f=activation, a=a, s=s: f.smoothed(a, s, 1)),
            "variance": rate(lambda f=activation, a=a[:VARIANCES], s=s[:VARIANCES]: f.smoothed_variance(a, s)),
        }
        best = ways[0]["rate"]
        found.append({"activation": name, "ways": [way | {"ratio": best / way["rate"]} for way in ways], "ours": rates})
    return found
