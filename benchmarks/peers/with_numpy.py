"""Simulation by NumPy, all trajectories at once, with buffers that are allocated once and the fastest bit generator."""

from collections.abc import Callable

import numpy as np

from benchmarks.simulation import EVERY, FloatArray, Moments, Work

SITE = "inside"
PACKAGES = ("numpy",)


def relu(a: FloatArray, spare: FloatArray) -> None:
    """Replace a by max(0, a)."""
    np.maximum(a, 0.0, out=a)


def tanh(a: FloatArray, spare: FloatArray) -> None:
    """Replace a by tanh(a)."""
    np.tanh(a, out=a)


def softplus(a: FloatArray, spare: FloatArray) -> None:
    """Replace a by log(1 + exp(a)), seven times as fast as np.logaddexp(0, a)."""
    np.abs(a, out=spare)
    np.negative(spare, out=spare)
    np.exp(spare, out=spare)
    np.log1p(spare, out=spare)
    np.maximum(a, 0.0, out=a)
    np.add(a, spare, out=a)


FUNCTIONS = {"relu": relu, "tanh": tanh, "softplus": softplus}


def loop(work: Work, noise: Callable[[], FloatArray]) -> Callable[[], Moments]:
    """Return a function that steps states (N, K); `noise` draws σ ξ of that shape."""
    f, W, b = FUNCTIONS[work.activation], work.W, work.b[:, None]
    h, a, spare = np.zeros((3, work.n, work.trajectories))

    def advance() -> Moments:
        first, second = np.zeros((2, *h.shape))
        for step in range(1, work.steps + 1):
            if work.n == 1:
                np.multiply(h, W, out=a)
            else:
                np.matmul(W, h, out=a)
            np.add(a, b, out=a)
            np.add(a, noise(), out=a)
            f(a, spare)
            np.subtract(a, h, out=a)
            np.multiply(a, work.gamma, out=a)
            np.add(h, a, out=h)
            if step % EVERY == 0:
                np.add(first, h, out=first)
                np.multiply(h, h, out=spare)
                np.add(second, spare, out=second)
        samples = work.steps // EVERY
        return Moments(first.T / samples, second.T / samples)

    return advance


def prepare(work: Work) -> dict[str, Callable[[], Moments]]:
    """Return the way with NumPy's fastest generator, into a buffer."""
    z = np.empty((work.n, work.trajectories))
    rng = np.random.Generator(np.random.SFC64(2))

    def noise() -> FloatArray:
        rng.standard_normal(out=z)
        return np.multiply(z, work.sigma, out=z)

    return {"SFC64, ziggurat": loop(work, noise)}
