"""Quasi-random points of the normal law, for averages over a few dimensions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ctrnn_theory.support.types import FloatArray

FAR = 1e-12
"""Least probability on either side of a point."""


@lru_cache(maxsize=8)
def normal_points(dimensions: int, power: int) -> FloatArray:
    """Return 2**power points (S, dimensions) of the standard normal law: scrambled Sobol points, the same in each call.

    Examples
    --------
    >>> x = normal_points(2, 12)
    >>> print(x.shape, np.cov(x.T).round(3).tolist())
    (4096, 2) [[1.0, 0.0], [0.0, 1.0]]
    """
    from scipy.special import ndtri  # here, since these take long to import
    from scipy.stats import qmc

    uniform = qmc.Sobol(dimensions, seed=np.random.default_rng(0)).random_base2(power)
    points: FloatArray = ndtri(np.clip(uniform, FAR, 1.0 - FAR))
    points.setflags(write=False)
    return points


def root(covariance: FloatArray) -> FloatArray:
    """Return a matrix (N, N) whose product with its transpose is a covariance, which may be singular."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    found: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))
    return found
