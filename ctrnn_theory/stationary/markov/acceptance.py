"""Whether the exact method has met its tolerance, from its estimates of error and memory."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

TWO_ATTRACTORS = 1e3  # time constants of memory from which a message names a second attractor as the reason
ROUNDING = float(np.finfo(float).eps)
LONGEST_MEMORY = 1e12  # steps: rounding, 1e-16 a step, then moves the weights of the attractors by 1e-4


def check_accuracy(
    error: FloatArray, tolerance: float, mean: FloatArray, std: FloatArray, memory: float, gamma: float
) -> tuple[bool, str]:
    """Return whether a law is as accurate as the tolerance asks, and a message if it is not.

    Parameters
    ----------
    error
        Estimated absolute error of the mean and of the covariance, (2,).
    tolerance
        Largest error; above 1 it is relative to the size of the state, and to its square.
    mean, std
        Mean and standard deviation of the state, (N,).
    memory
        Number of steps over which the state forgets where it was.
    gamma
        Step relative to the time constant.

    Raises
    ------
    NotApplicable
        If the memory is so long that rounding decides how much each attractor holds.

    Examples
    --------
    >>> check_accuracy(np.array([1e-9, 2e-6]), 1e-8, np.ones(1), np.ones(1), 10.0, 0.1)
    (False, 'estimated error of the mean 1.0e-09, of the covariance 2.0e-06')
    """
    if memory > LONGEST_MEMORY:
        raise NotApplicable(
            f"noise takes the state from one attractor to another only once in some {memory:.0e} steps,"
            " too rarely for double precision to weigh them against each other"
        )
    size = max(1.0, float(np.max(np.abs(mean) + std)))
    if np.all(error <= tolerance * np.array([size, size**2])):
        return True, ""
    message = f"estimated error of the mean {error[0]:.1e}, of the covariance {error[1]:.1e}"
    if memory * gamma > TWO_ATTRACTORS:
        message += f"; the state forgets only over {memory:.0e} steps, as it does between two attractors"
    elif np.all(error <= 20.0 * ROUNDING * memory * np.array([size, size**2])):
        message += f", which is rounding over the {memory:.0e} steps in which the state forgets"
    return False, message
