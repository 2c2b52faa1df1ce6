"""Simulation by diffrax: Euler steps of one for dh = γ (f(W h + b) - h) dt + γ σ dB are the map with noise outside."""

from collections.abc import Callable
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import lineax
import numpy as np

from benchmarks.peers.with_jax import FUNCTIONS
from benchmarks.simulation import EVERY, Moments, Work

SITE = "outside"
PACKAGES = ("diffrax", "jax", "jaxlib")


def prepare(work: Work) -> dict[str, Callable[[], Moments]]:
    """Return one solve of all trajectories (K, N) with the fastest Brownian path; saved samples are averaged."""
    f, W, b = FUNCTIONS[work.activation], jnp.array(work.W), jnp.array(work.b)
    shape = (work.trajectories, work.n)
    scale = lineax.DiagonalLinearOperator(jnp.full(shape, work.gamma * work.sigma))

    def drift(t: Any, h: Any, _: Any) -> Any:
        product = h * W if work.n == 1 else h @ W.T
        return work.gamma * (f(product + b) - h)

    @jax.jit
    def run(h: Any, key: Any) -> Any:
        path = diffrax.UnsafeBrownianPath(shape=jax.ShapeDtypeStruct(shape, jnp.float64), key=key)
        solution = diffrax.diffeqsolve(
            diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(lambda t, h, _: scale, path)),
            diffrax.Euler(),
            t0=0.0,
            t1=float(work.steps),
            dt0=1.0,
            y0=h,
            saveat=diffrax.SaveAt(ts=jnp.arange(EVERY, work.steps + 1.0, EVERY)),
            adjoint=diffrax.ForwardMode(),
            max_steps=work.steps,
        )
        return solution.ys[-1], solution.ys.mean(axis=0), (solution.ys**2).mean(axis=0)

    h, key = jnp.zeros(shape), jax.random.key(7)

    def advance() -> Moments:
        nonlocal h, key
        key, now = jax.random.split(key)
        h, first, second = run(h, now)
        return Moments(np.asarray(first), np.asarray(second))

    return {"Euler, UnsafeBrownianPath": advance}
