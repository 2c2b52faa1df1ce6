"""The Euler–Maruyama integrators: variates, stepping kernels, ensembles and recorded paths."""

from ctrnn_theory.integrators.trajectory import Path, simulate

__all__ = ["Path", "simulate"]
