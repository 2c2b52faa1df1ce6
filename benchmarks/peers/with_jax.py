"""Simulation by JAX: one compiled `lax.scan`, with each of its generators."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.simulation import EVERY, Moments, Work

SITE = "inside"
PACKAGES = ("jax", "jaxlib")
FUNCTIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "softplus": jax.nn.softplus}
GENERATORS = ("threefry2x32", "rbg", "unsafe_rbg")

jax.config.update("jax_enable_x64", True)


def prepare(work: Work) -> dict[str, Callable[[], Moments]]:
    """Return the ways by generator; states are (N, K)."""
    f, W, b = FUNCTIONS[work.activation], jnp.array(work.W), jnp.array(work.b)[:, None]
    shape = (work.n, work.trajectories)

    def sample(carry: Any, keys: Any) -> tuple[Any, None]:
        h, first, second = carry
        for key in keys:
            product = W * h if work.n == 1 else W @ h
            a = product + b + work.sigma * jax.random.normal(key, shape)
            h = h + work.gamma * (f(a) - h)
        return (h, first + h, second + h * h), None

    @jax.jit
    def run(h: Any, key: Any) -> Any:
        keys = jax.random.split(key, (work.steps // EVERY, EVERY))
        return jax.lax.scan(sample, (h, jnp.zeros(shape), jnp.zeros(shape)), keys)[0]

    def way(generator: str) -> Callable[[], Moments]:
        h, key = jnp.zeros(shape), jax.random.key(6, impl=generator)

        def advance() -> Moments:
            nonlocal h, key
            key, now = jax.random.split(key)
            h, first, second = run(h, now)
            samples = work.steps // EVERY
            return Moments(np.asarray(first).T / samples, np.asarray(second).T / samples)

        return advance

    return {name: way(name) for name in GENERATORS}
