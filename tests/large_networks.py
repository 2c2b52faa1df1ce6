"""Networks of many neurons and their noise, of six kinds, by seed: those on which all methods are checked at size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory import CTRNN, Noise

GAMMA, SIGMA, RADIUS = 0.1, 0.5, 0.8
KINDS = {
    "random": "tanh",
    "low_rank": "softplus",
    "sparse": "relu",
    "excitatory_inhibitory": "relu",
    "chain": "softplus",
    "common_noise": "tanh",
}
"""Activation of each kind, unless another one is asked for."""
LAYER = 8  # neurons of a layer of the chain
PRESENT = 0.1  # share of the sparse weights that are not zero
EXCITATORY = 0.8  # share of the neurons that excite
INHIBITION = 1.5  # ratio of all inhibition to all excitation, so that it prevails among the active neurons too


def weights(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the recurrent weights (N, N) of a kind, with real parts of eigenvalues up to `RADIUS`."""
    W = RADIUS * rng.standard_normal((n, n)) / np.sqrt(n)
    if kind == "low_rank":
        left, turn = rng.standard_normal((n, 2)), np.array([[0.8, -0.6], [0.6, 0.8]])
        W = RADIUS / n * left @ (left @ turn + rng.standard_normal((n, 2))).T
    elif kind == "sparse":
        W *= (rng.random((n, n)) < PRESENT) / np.sqrt(PRESENT)
    elif kind == "excitatory_inhibitory":
        sign = np.where(np.arange(n) < EXCITATORY * n, 1.0, -INHIBITION * EXCITATORY / (1.0 - EXCITATORY))
        W = RADIUS * rng.exponential(size=(n, n)) * sign / np.sqrt(8.0 * n * np.mean(sign**2))
    elif kind == "chain":
        layer = np.arange(n) // LAYER
        W = np.where(layer[:, None] == layer + 1, rng.standard_normal((n, n)) / np.sqrt(LAYER), 0.0)
    return W * RADIUS / max(RADIUS, np.max(np.linalg.eigvals(W).real))


def network(kind: str, n: int, activation: str | None = None) -> CTRNN:
    """Return a network of a kind; the same arguments give the same network."""
    rng = np.random.default_rng([list(KINDS).index(kind), n])
    return CTRNN(weights(kind, n, rng), 0.5 * rng.standard_normal(n), activation or KINDS[kind], GAMMA)


def noise(kind: str, n: int, site: str = "inside", sigma: float = SIGMA) -> Noise:
    """Return the noise of a kind: private, or half of its variance from one source that reaches all neurons."""
    if kind != "common_noise":
        return Noise(**{site: sigma})
    shared = np.random.default_rng(n).uniform(0.5, 1.5, size=(n, 1))
    return Noise(**{site: sigma / np.sqrt(2.0) * np.hstack([np.eye(n), shared])})


class Case(NamedTuple):
    """A network, its noise, and a method."""

    kind: str
    n: int
    activation: str
    site: str
    method: str

    @property
    def name(self) -> str:
        """Name that is printed, and under which numbers are kept."""
        return "-".join(map(str, self))


ANY_SIZE = ("deterministic", "mean_field", "small_noise", "gaussian_closure")
REFERENCES = (
    *(
        Case(kind, 64, activation, "inside", method)
        for kind in KINDS
        for activation in ("relu", "tanh", "softplus")
        for method in ANY_SIZE
    ),
    *(Case(kind, 40, f, "outside", method) for kind, f in KINDS.items() for method in ANY_SIZE[1:]),
    *(Case(kind, 12, f, site, "cumulant_closure") for kind, f in KINDS.items() for site in ("inside", "outside")),
)
"""Cases whose means and variances are kept in a file."""
