"""The Euler–Maruyama integrators: variates, compiled loops, ensembles, recorded paths and their means."""

from ctrnn_theory.integrators.batch_means import BatchMeans, batch_means
from ctrnn_theory.integrators.trajectory import Path, simulate

__all__ = ["BatchMeans", "Path", "batch_means", "simulate"]
