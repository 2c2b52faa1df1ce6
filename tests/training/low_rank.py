"""Networks of low rank with decoders solved under noise, in a few lines."""

import numpy as np

from ctrnn_theory import CTRNN
from ctrnn_theory.activations import activation as find
from ctrnn_theory.activations.gaussian.input_moments import input_moments


def solved(n, inputs=1, seed=0, activation="relu", sigma=1.0, gamma=0.1, alpha=1.5, fed_back=True):
    """Return a network whose output is sin(πu) or, of two inputs, the sum of each so far; its decoders are solved."""
    rng, f = np.random.default_rng(seed), find(activation)
    u = rng.uniform(-1.0, 1.0, (1500, inputs))
    y = np.sin(np.pi * u)
    x = y * rng.uniform(-0.2, 1.3, (1500, 1)) if inputs == 1 else rng.standard_normal((1500, inputs))
    latent = 0.5 * (x + y) if inputs == 1 else x + 0.3 * u
    W_in, E = alpha * rng.standard_normal((2, n, inputs)) / np.sqrt(2.0)
    b = rng.uniform(-1.5, 1.5, n)
    a = u @ W_in.T + fed_back * x @ E.T + b
    at = input_moments(f, a.ravel(), np.full(a.size, sigma), 0)
    F, v = at.value.reshape(a.shape), at.variance.reshape(a.shape).mean(axis=0)
    X = np.column_stack([F, np.ones(len(F))])
    G = X.T @ X / len(X) + np.diag(np.append(v * gamma / (2.0 - gamma), 0.0))
    target = y if inputs == 1 else x
    D = np.linalg.solve(G + 1e-6 * np.trace(G) / n * np.eye(n + 1), X.T @ np.column_stack([target, latent]) / len(X))
    out, back = D[:, :inputs], fed_back * D[:, inputs:]
    return CTRNN(E @ back[:-1].T, b + E @ back[-1], activation, gamma, W_in, out[:-1].T, out[-1])
