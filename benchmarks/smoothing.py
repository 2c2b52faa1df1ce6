"""Gaussian smoothing F(a; s) = E f(a + s ξ) by closed forms, by quadrature and by Monte Carlo: values a second.

The truth is the closed form of relu and gelu, written here again, and for softplus and tanh, which are analytic in a
strip, the trapezoidal rule at half the step that rounding needs.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import ndtr, roots_hermite

import ctrnn_theory as ct
from benchmarks.processes import Found, tell

FloatArray = NDArray[np.float64]
Function = Callable[[FloatArray], FloatArray]

FUNCTIONS: dict[str, Function] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "gelu": lambda x: x * ndtr(x),
    "softplus": lambda x: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))),
    "tanh": np.tanh,
}
COUNT, VARIANCES = 100_000, 10_000
CHECKED = 500
"""Values whose error is measured, and what a rule's order is chosen by."""
ONE_AT_A_TIME, SAMPLED = 200, 10
"""Values of quad and of Monte Carlo; the seconds of one value are what counts."""
SAMPLES, QUICK_SAMPLES = 1_000_000, 100_000
CHUNK = 1 << 15
"""Function values at a time, which stay in the cache."""
WANTED, CLOSED = 1e-10, 1e-12
"""Relative error that quadrature is to reach, and that a closed form may have."""
ORDERS = tuple(2**k for k in range(3, 14))
TAIL = 9.0
"""Standard deviations beyond which a Gaussian is nothing."""
BOUND = 5.0
"""Standard errors that Monte Carlo may be off."""


def arguments(count: int) -> tuple[FloatArray, FloatArray]:
    """Means and standard deviations from 0.01 to 10."""
    rng = np.random.default_rng(0)
    return rng.uniform(-5.0, 5.0, count), 10.0 ** rng.uniform(-2.0, 1.0, count)


def trapezoid(n: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for the mean over ξ."""
    nodes = np.linspace(-TAIL, TAIL, n)
    weights = np.exp(-0.5 * nodes**2)
    return nodes, weights / weights.sum()


def gauss_hermite(n: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for the mean over ξ."""
    nodes, weights = roots_hermite(n)
    return np.sqrt(2.0) * nodes, weights / weights.sum()


RULES = {"Gauss–Hermite": gauss_hermite, "trapezoidal rule": trapezoid}


def applied(f: Function, rule: tuple[FloatArray, FloatArray], a: FloatArray, s: FloatArray) -> FloatArray:
    """Mean of f by a rule, for all arguments."""
    nodes, weights = rule
    rows = max(1, CHUNK // len(nodes))
    parts = [f(a[i : i + rows, None] + s[i : i + rows, None] * nodes) @ weights for i in range(0, len(a), rows)]
    return np.concatenate(parts)


def truth(name: str, a: FloatArray, s: FloatArray) -> FloatArray:
    """F by other means than the package's."""
    if name in ("relu", "gelu"):
        scale = s if name == "relu" else np.hypot(1.0, s)
        bell = np.exp(-0.5 * (a / scale) ** 2) / np.sqrt(2.0 * np.pi)
        return a * ndtr(a / scale) + s**2 / scale * bell
    return applied(FUNCTIONS[name], trapezoid(1_001), a, s)


def error(found: FloatArray, true: FloatArray) -> float:
    """Largest error, relative to F where it is beyond one; infinite where a value is not finite."""
    return float(np.nan_to_num(np.abs(found - true) / np.maximum(1.0, np.abs(true)), nan=np.inf).max())


def rate(call: Callable[[], FloatArray], repeats: int = 3) -> float:
    """Values a second, the best of some calls after a first one, which builds what is built once."""
    seconds = []
    for _ in range(1 + repeats):
        begin = perf_counter()
        values = call()
        seconds.append(perf_counter() - begin)
    return float(np.size(values) / min(seconds[1:]))


def by_rule(name: str, way: str, count: int) -> Found:
    """The least order, a power of two, that reaches the wanted error; else the largest one.

    At a kink the step h of the nodes costs about s h², so that no order does.
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
    """scipy.integrate.quad, one value at a time, from one tail to the other, the kink told."""
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
    """Monte Carlo, the same variates for all values: what is quickest."""
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
    """A function that smooths, at all arguments at once."""
    a, s = arguments(COUNT)
    off = error(f(a[:CHECKED], s[:CHECKED]), truth(name, a[:CHECKED], s[:CHECKED]))
    return {"way": "ours", "rate": rate(lambda: f(a, s)), "error": off, "right": off <= CLOSED}


def report(quick: bool) -> list[Found]:
    """Each activation with every way, and ours of the slope and of the variance."""
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
