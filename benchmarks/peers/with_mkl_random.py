"""Simulation by NumPy with the normal variates of MKL, by inversion, its fastest method on arrays."""

from collections.abc import Callable

import mkl_random

from benchmarks.peers.with_numpy import loop
from benchmarks.simulation import FloatArray, Moments, Work

SITE = "inside"
PACKAGES = ("numpy", "mkl_random", "mkl")


def prepare(work: Work) -> dict[str, Callable[[], Moments]]:
    """Return the way with the fastest generator."""
    rng = mkl_random.MKLRandomState(3, brng="SFMT19937")
    shape = (work.n, work.trajectories)

    def noise() -> FloatArray:
        return rng.normal(0.0, work.sigma, size=shape, method="ICDF")

    return {"SFMT19937, inversion": loop(work, noise)}
