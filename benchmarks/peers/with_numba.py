"""Simulation by Numba in its simplest form: trajectory by trajectory, one variate at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from benchmarks.simulation import EVERY, Moments, Work

SITE = "inside"
PACKAGES = ("numba", "llvmlite")

fast = njit(fastmath=True)
FUNCTIONS = {
    "relu": fast(lambda x: max(x, 0.0)),
    "tanh": fast(lambda x: np.tanh(x)),
    "softplus": fast(lambda x: max(x, 0.0) + np.log1p(np.exp(-abs(x)))),
}
NORMALS = {
    "np.random.normal": fast(lambda rng: np.random.normal()),  # noqa: NPY002
    "Generator.standard_normal": fast(lambda rng: rng.standard_normal()),
}


@fast
def seed(number: int) -> None:
    """Seed Numba's own generator, which is not that of NumPy."""
    np.random.seed(number)  # noqa: NPY002


@fast
def run(f: Any, normal: Any, rng: Any, work: Any, steps: int, h: Any, first: Any, second: Any) -> None:
    """Add h and h² of every `EVERY`-th step to first and second; all are (K, N)."""
    W, b, gamma, sigma = work
    a = np.empty(b.size)
    for k in range(h.shape[0]):
        for step in range(1, steps + 1):
            for i in range(b.size):
                total = b[i] + sigma * normal(rng)
                for j in range(b.size):
                    total += W[i, j] * h[k, j]
                a[i] = f(total)
            for i in range(b.size):
                h[k, i] += gamma * (a[i] - h[k, i])
            if step % EVERY == 0:
                for i in range(b.size):
                    first[k, i] += h[k, i]
                    second[k, i] += h[k, i] * h[k, i]


def prepare(work: Work) -> dict[str, Callable[[], Moments]]:
    """Return the ways with Numba's own generator, and with NumPy's called from Numba."""
    seed(4)

    def way(normal: Any) -> Callable[[], Moments]:
        h, rng = np.zeros((work.trajectories, work.n)), np.random.Generator(np.random.SFC64(4))

        def advance() -> Moments:
            first, second = np.zeros((2, *h.shape))
            numbers = (work.W, work.b, work.gamma, work.sigma)
            run(FUNCTIONS[work.activation], normal, rng, numbers, work.steps, h, first, second)
            samples = work.steps // EVERY
            return Moments(first / samples, second / samples)

        return advance

    return {name: way(normal) for name, normal in NORMALS.items()}
