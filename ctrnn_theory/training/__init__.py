"""Training networks without gradients: tasks, their losses, and CMA-ES as a method of SciPy."""

from ctrnn_theory.training import tasks
from ctrnn_theory.training.cma_es import cma_es

__all__ = ["cma_es", "tasks"]
