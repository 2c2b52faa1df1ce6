"""An orbit by the Gaussian closure, without a simulation.

Where states one step apart are jointly Gaussian, Stein's identity gives

    K = Cov(h', h) = A C,   A = (1-γ) I + γ D W,   D = diag E f'(a),

with the linear response A of the closure, which for other kinds of networks and noise takes in coloured sources too.
The outputs at both times are Gaussian then, and their probabilities are averages over quasi-random points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.orbit.law import OrbitLaw
from ctrnn_theory.analysis.orbit.regions import Regions, dwell_times, softmax, transition_matrix
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.numerics.normal_points import normal_points, root
from ctrnn_theory.stationary.closure.choice import closure_of
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.stationary.closure.settle import settle
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.types import FloatArray

POINTS = 15
"""Binary logarithm of the number of quasi-random points, whose probabilities are good to some 1e-3."""


def by_gaussian_closure(
    net: CTRNN, noise: Noise, u: ArrayLike | None, start: ArrayLike | None, regions: Regions
) -> OrbitLaw:
    """Return the law by the Gaussian closure, with no planes yet.

    Raises
    ------
    NotApplicable
        If the closure does not take the network and its noise.
    Divergence
        If it grows without bound.
    """
    law = predict(net, noise, u, "gaussian_closure", start)
    closure = closure_of(net, noise, u)
    whole = closure.begin(Moments(law.mean[None], law.covariance[None]))
    if whole.mean.shape[-1] > net.n:  # coloured sources, whose covariance with the state is part of the response
        whole = settle(closure, whole).state
    A = closure.response(closure.slope(whole))[0]
    K = (A @ whole.covariance[0])[: net.n, : net.n]
    found: dict[str, Any] = {"converged": law.converged, "message": law.message}
    if regions.linear:
        R = np.asarray(net.W_out)
        z, own, cross = net.output(law.mean), R @ law.covariance @ R.T, R @ K @ R.T
        now, later = joint_outputs(z, own, z, own, cross, POINTS)
        T = transition_matrix(pairs(now.argmax(axis=-1), later.argmax(axis=-1), len(z)))
        found["emission"] = transition_matrix(np.einsum("si,sj->ij", softmax(now), softmax(later)))
        found["occupancy"] = np.bincount(now.argmax(axis=-1), minlength=len(z)) / len(now)
        found |= {"transitions": T, "dwell": dwell_times(T)}
    return OrbitLaw("gaussian_closure", law.mean, law.covariance, K, **found)


def joint_outputs(
    now: FloatArray, own: FloatArray, later: FloatArray, own_later: FloatArray, cross: FloatArray, points: int
) -> tuple[FloatArray, FloatArray]:
    """Return quasi-random outputs (S, P) of two times, from their means (P,), covariances and Cov(later, now), (P, P).

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> x, y = joint_outputs(np.zeros(1), one, np.zeros(1), one, 0.5 * one, 12)
    >>> print(round(np.mean(x * y), 3))
    0.5
    """
    normal = normal_points(2 * len(now), points)
    outputs = np.concatenate([now, later]) + normal @ root(np.block([[own, cross.T], [cross, own_later]])).T
    return outputs[:, : len(now)], outputs[:, len(now) :]


def pairs(now: FloatArray, later: FloatArray, count: int) -> FloatArray:
    """Return how often each of `count` labels was followed by each, (P, P)."""
    found: FloatArray = np.bincount(now * count + later, minlength=count**2).reshape(count, count).astype(np.float64)
    return found
