"""What comes out of the trials of a task."""

from __future__ import annotations

from dataclasses import dataclass

from ctrnn_theory.support.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Trials:
    """Results of one network on R repeats of C conditions."""

    cost: FloatArray
    """Loss of each trial, (R, C)."""
    outputs: FloatArray | None = None
    """Outputs (R, C, T, P) at the T steps with a weight in the loss, for an open-loop task."""
    error: FloatArray | None = None
    """Outputs less targets, likewise."""
    w: FloatArray | None = None
    """Weight of each of these steps, (T,)."""
    success: BoolArray | None = None
    """Whether each trial reached its goal, or ended in the right response, (R, C); None for a task without either."""
    times: FloatArray | None = None
    """Step after which each trial reached its goal, (R, C), infinite if it did not; None if the task has no times."""
