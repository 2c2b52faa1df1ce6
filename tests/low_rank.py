"""Networks of low rank whose decoders are solved under noise: what tests of latent variables run on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import ctrnn_theory as ct

Array = np.ndarray


def solved(E: Array, c: Array, x: Array, target: Array, gamma: float = 0.1, activation: str = "tanh") -> Array:
    """Decoders (N, R) of targets (M, R) at latent variables x (M, R), under noise inside of deviation one."""
    f = ct.activation(activation)
    a = x @ E.T + c
    F, v = f.smoothed(a, 1.0), f.smoothed_variance(a, 1.0)
    G = F.T @ F / len(x) + gamma / (2.0 - gamma) * np.diag(v.mean(axis=0))
    return np.linalg.solve(G + 1e-6 * np.trace(G) / len(c) * np.eye(len(c)), F.T @ target / len(x))


def made(n: int, rank: int, change: Callable[[Array], Array], seed: int = 0) -> tuple[ct.CTRNN, Array, Array]:
    """A network of n tanh neurons that follows x' = x + γ change(x), its encoders, and its decoders."""
    rng = np.random.default_rng(seed)
    E, c = rng.standard_normal((n, rank)), rng.uniform(-1.0, 1.0, n)
    x = rng.uniform(-1.5, 1.5, (200 * rank, rank))
    D = solved(E, c, x, x + change(x))
    return ct.CTRNN(E @ D.T, c, "tanh", 0.1), E, D


def bistable(n: int, rate: float = 0.2, seed: int = 0) -> tuple[ct.CTRNN, Array, Array]:
    """A network with stable states near x = -1 and 1."""
    return made(n, 1, lambda x: rate * (x - x**3), seed)


def ring(n: int, rate: float = 0.5, seed: int = 0) -> tuple[ct.CTRNN, Array, Array]:
    """A network that goes round in a circle."""

    def change(x: Array) -> Array:
        turned = np.stack([-x[:, 1], x[:, 0]], axis=1)
        return rate * (x * (1.0 - np.sum(x**2, axis=1, keepdims=True)) + 0.3 * turned)

    return made(n, 2, change, seed)
