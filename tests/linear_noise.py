"""Moments of linear networks under every kind of noise, from the step as it is written, with three-point noise.

A step is affine in the state and of degree two at most in each variate, so that second moments need fourth moments of
the variates alone: those of a rule of three points, or of two for dropout, are exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise

Array = np.ndarray
THREE = ((-np.sqrt(3.0), 1 / 6), (0.0, 2 / 3), (np.sqrt(3.0), 1 / 6))


def _columns(value: object, n: int) -> Array:
    array = np.asarray(value, dtype=float)
    return np.eye(n) * array if array.ndim == 0 else np.diag(array) if array.ndim == 1 else array


def _steps(net: CTRNN, noise: Noise) -> Iterator[tuple[float, Callable[[Array], Array]]]:
    """Yield the probability of each outcome of the noise and the step with it, of states (h, x) with all sources."""
    n, gamma = net.n, np.broadcast_to(net.gamma, net.n)
    L, C, G, H = (_columns(getattr(noise, name), n) for name in ("inside", "outside", "gain_inside", "gain_outside"))
    common, keep = (np.broadcast_to(value, n) for value in (noise.common_gain_outside, noise.keep))
    rho_L, rho_C = (np.broadcast_to(rho, X.shape[1]) for rho, X in ((noise.rho_inside, L), (noise.rho_outside, C)))
    sizes = [L.shape[1], C.shape[1], G.shape[1], H.shape[1], 1]
    used = [*L.any(0), *C.any(0), *G.any(0), *H.any(0), bool(common.any())]
    masks = [((1.0, 1.0),) if p == 1.0 else ((1.0 / p, p), (0.0, 1.0 - p)) for p in keep]
    rules = [THREE if use else ((0.0, 1.0),) for use in used]
    for outcome in itertools.product(*rules, *masks):
        values, probability = np.array(outcome).T[0], float(np.prod(np.array(outcome).T[1]))
        a, c, g, h, k, m = np.split(values, np.cumsum(sizes))

        def step(state: Array, a=a, c=c, g=g, h=h, k=k, m=m) -> Array:
            v, x = state[:n], state[n:]
            x_in = rho_L * x[: len(a)] + np.sqrt(1.0 - rho_L**2) * a
            x_out = rho_C * x[len(a) :] + np.sqrt(1.0 - rho_C**2) * c
            alpha = v if net.form == "voltage" else net.W @ v + net.b
            y = (alpha * (1.0 + G @ g) + L @ x_in) * (1.0 + H @ h) * (1.0 + common * k[0]) * m
            target = net.W @ y + net.b if net.form == "voltage" else y
            return np.concatenate([(1.0 - gamma) * v + gamma * (target + C @ x_out), x_in, x_out])

        yield probability, step


def linear_moments(net: CTRNN, noise: Noise) -> tuple[Array, Array]:
    """Return the stationary mean (N,) and covariance (N, N) of a network whose activation is the identity."""
    n = net.n
    size = n + _columns(noise.inside, n).shape[1] + _columns(noise.outside, n).shape[1]
    mean_A, mean_b = np.zeros((size, size)), np.zeros(size)
    twice, once, never = np.zeros((size**2, size**2)), np.zeros((size**2, size)), np.zeros(size**2)
    for probability, step in _steps(net, noise):
        b = step(np.zeros(size))
        A = np.stack([step(unit) - b for unit in np.eye(size)], axis=1)
        mean_A, mean_b = mean_A + probability * A, mean_b + probability * b
        twice += probability * np.kron(A, A)
        once += probability * (np.kron(A, b[:, None]) + np.kron(b[:, None], A))
        never += probability * np.kron(b, b)
    mean = np.linalg.solve(np.eye(size) - mean_A, mean_b)
    second = np.linalg.solve(np.eye(size**2) - twice, once @ mean + never).reshape(size, size)
    return mean[:n], (second - np.outer(mean, mean))[:n, :n]
