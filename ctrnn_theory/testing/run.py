"""Simulation of the map in plain NumPy, by which states, or the mean and covariance of a law, are tested."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ctrnn_theory.dynamics.linear_response import jacobian, spectral_radius
from ctrnn_theory.model.kinds import uniform
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.types import FloatArray

FORGOTTEN = 12.0  # relaxation times after which the start state has decayed to e^-12 = 6e-6
MEASURED = 60.0  # relaxation times over which a run averages to test a law
CARRIED = 6.0  # relaxation times over which it averages to test states, whose number limits the accuracy
LONGEST = 100_000  # steps of a run
TRAJECTORIES = 512
ERRORS = 5.0  # allowed standard errors


class Identity(NamedTuple):
    """Identity that the stationary law of the map obeys, in units of the standard deviation of the state."""

    name: str
    """Name of the expectation that is compared before and after steps of the map."""
    deviation: float
    """Deviation of the law from the identity."""
    allowed: float
    """Largest allowed absolute deviation."""


class Map:
    """Step of the network in plain NumPy, and its linear response about the mean of a law."""

    def __init__(self, net: CTRNN, noise: Noise, drive: FloatArray, mean: FloatArray, V: FloatArray):
        self.net, self.drive, self.mean = net, drive, mean
        self.f, self.gamma = uniform("assert_stationary", net, noise)
        self.inside, self.outside = (noise.factor(site, net.n) for site in SITES)
        self.s_in = noise.std("inside", net.n)
        self.Q_in, self.Q_out = (noise.covariance(site, net.n) for site in SITES)
        f, gamma, W, a = self.f, self.gamma, net.W, net.W @ mean + drive
        s = np.sqrt(np.maximum(np.diag(self.Q_in + W @ V @ W.T), 0.0))
        kick = gamma**2 * (f.smoothed_variance(a, self.s_in) + np.diag(self.Q_out))
        self.scale = np.sqrt(np.maximum(np.diag(V), kick))  # the noise of a single step gives the latter
        if not np.any(self.scale > 0.0):
            raise ValueError("noise must make the state fluctuate; got noise that leaves it fixed")
        self.scale[self.scale == 0.0] = float(np.max(self.scale))
        slope = f.smoothed(a, s, 1)
        response = np.eye(net.n) - slope[:, None] * W
        self.M = np.linalg.inv(response) if np.linalg.cond(response) < 1e6 else np.eye(net.n)
        self.rate = 1.0 - spectral_radius(jacobian(W, slope, gamma))

    def step(self, h: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return the next states h' of states (M, N)."""
        net, L_in, L_out = self.net, self.inside, self.outside
        x = h @ net.W.T + self.drive + rng.standard_normal((len(h), L_in.shape[1])) @ L_in.T
        y = net.activation(x) + rng.standard_normal((len(h), L_out.shape[1])) @ L_out.T
        after: FloatArray = (1.0 - net.gamma) * h + net.gamma * y
        return after

    def standard(self, h: FloatArray) -> FloatArray:
        """Return states as deviations from the mean, in standard deviations."""
        z: FloatArray = (h - self.mean) / self.scale
        return z

    def corrected(self, h: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return functions of states (M, N) whose stationary means are E z (M, N) and E z_i z_j (M, pairs).

        z is the standardised state. The first function is h + M (F(a; σ_in) - h), standardised. The second averages
        over the noise of the next step, so that it does not miss variance that comes from rare noise:
        E z_i' z_j' = E z_i z_j gives γ (2-γ) E z_i z_j = E [γ (1-γ) (z_i F_j + F_i z_j) + γ² (F_i F_j + C_ij + Σ_ij)],
        with C_ij for i = j alone.
        """
        net, a = self.net, h @ self.net.W.T + self.drive
        F = net.activation.smoothed(a, self.s_in)
        z, zF = self.standard(h), self.standard(F)
        i, j = np.triu_indices(net.n)
        noise = np.broadcast_to((self.Q_out / np.outer(self.scale, self.scale))[i, j], (len(h), len(i))).copy()
        noise[:, i == j] += net.activation.smoothed_variance(a, self.s_in) / self.scale**2
        pairs = (1.0 - net.gamma) * (z[:, i] * zF[:, j] + zF[:, i] * z[:, j]) + net.gamma * (
            zF[:, i] * zF[:, j] + noise
        )
        return z + ((F - h) @ self.M.T) / self.scale, pairs / (2.0 - net.gamma)


def _functions(z: FloatArray) -> FloatArray:
    """Return the test functions (M, functions) of standardised states (M, N); `names` names them."""
    i, j = np.triu_indices(z.shape[1])
    return np.concatenate([z, z[:, i] * z[:, j], np.cos(z), np.sin(z)], axis=1)


def names(n: int) -> list[str]:
    """Return the names of the expectations of `_functions`."""
    pairs = [f"E h[{i}] h[{j}]" for i, j in zip(*np.triu_indices(n), strict=True)]
    return [*(f"E h[{i}]" for i in range(n)), *pairs, *(f"E {f} h[{i}]" for f in ("cos", "sin") for i in range(n))]


def of_states(chain: Map, states: FloatArray, rng: np.random.Generator) -> list[Identity]:
    """Compare averages over states (M, N) with those some time later; the change of each state is one sample."""

    def functions(h: FloatArray) -> FloatArray:
        return _functions(chain.standard(h))

    later = _averages(chain, states, rng, CARRIED, functions)
    return _vanishing(chain, names(chain.net.n), functions(states) - later)


def of_moments(chain: Map, states: FloatArray, law: StationaryLaw, rng: np.random.Generator) -> list[Identity]:
    """Compare the mean and covariance of a law with those of a run from any states (M, N)."""
    n, titles = chain.net.n, names(chain.net.n)
    i, j = np.triu_indices(n)

    def functions(h: FloatArray) -> FloatArray:
        z = chain.standard(h)
        return np.concatenate([*chain.corrected(h), z[:, i] * z[:, j]], axis=1)

    mean, second, sampled = np.split(_averages(chain, states, rng, MEASURED, functions), [n, n + len(i)], axis=1)
    own = np.zeros(n) if law.standard_error is None else law.standard_error / chain.scale
    root = np.sqrt(np.asarray(law.details.get("variance_standard_error", np.zeros(n)))) / chain.scale
    target = (law.covariance / np.outer(chain.scale, chain.scale))[i, j]
    common = (i != j) & (chain.Q_in[i, j] != 0.0)
    second[:, common] = sampled[:, common]
    # the Cauchy–Schwarz inequality bounds the covariance that belongs to variance which the samples have not seen
    size, seen = second[:, i == j].mean(axis=0), sampled[:, i == j].mean(axis=0)
    lacking = np.sqrt(np.abs(np.outer(size - seen, size)))
    missed = np.where(common, (lacking + lacking.T)[i, j], 0.0)
    pairs = _vanishing(chain, titles[n : n + len(i)], target - second, root[i] * root[j])
    return _vanishing(chain, titles[:n], -mean, own) + [
        pair._replace(allowed=pair.allowed + float(more)) for pair, more in zip(pairs, missed, strict=True)
    ]


def _averages(
    chain: Map, h: FloatArray, rng: np.random.Generator, times: float, functions: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Return averages (M, K) of functions of the state of each trajectory over `times` relaxation times."""
    if not chain.rate > (FORGOTTEN + MEASURED) / LONGEST:
        raise ValueError(
            f"net must relax within {LONGEST / (FORGOTTEN + MEASURED):.0f} steps to be tested by a run; got a linear "
            f"response of spectral radius {1.0 - chain.rate:.9g}"
        )
    for _ in range(math.ceil(FORGOTTEN / chain.rate)):
        h = chain.step(h, rng)
    total, every = functions(h), max(1, round(1.0 / chain.gamma))
    count = math.ceil(times / chain.rate / every)
    for _ in range(count - 1):
        for _ in range(every):
            h = chain.step(h, rng)
        total += functions(h)
    return total / count


def _vanishing(chain: Map, titles: list[str], samples: FloatArray, own: FloatArray | float = 0.0) -> list[Identity]:
    """Return identities from independent samples (M, K) of mean zero; `own` (K,) are standard errors of the law."""
    error = np.sqrt(samples.var(axis=0, ddof=1) / len(samples) + np.square(own))
    rounding = 1e-12 * (1.0 + float(np.max(np.abs(chain.mean) / chain.scale)))
    numbers = zip(titles, samples.mean(axis=0), ERRORS * error + rounding, strict=True)
    return [Identity(name, float(deviation), float(allowed)) for name, deviation, allowed in numbers]
