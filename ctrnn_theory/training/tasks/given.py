"""A task that is given as arrays: inputs, targets, and the weight of each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.conventions.from_torch import numbers
from ctrnn_theory.support.arguments import positive_integer, real_array, shown
from ctrnn_theory.support.read_only import ReadOnly
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks.base import Episode, OpenLoop


@dataclass(frozen=True, eq=False, repr=False)
class Given(ReadOnly, OpenLoop):
    """Inputs and targets of trials as arrays (time, trial, channel); the loss is Σ_t w_t E|z_t - y_t|².

    Examples
    --------
    >>> task = Given.of(np.zeros((20, 4, 1)), np.ones((20, 4, 2)), np.arange(20) >= 10)
    >>> task
    Given: 4 trials of 20 steps, 1 input, 2 outputs
    >>> task.w[[0, -1]]
    array([0. , 0.1])
    """

    name = "given"
    summary = "inputs and targets as arrays"

    u: FloatArray
    """Inputs (T, C, K), or (1, C, K) if they are constant."""
    y: FloatArray
    """Targets (T, C, P), or (1, C, P) if they are constant."""
    w: FloatArray
    """Weight of each step (T,), of the sum one."""
    repeats: int = 8
    """Trials of each input in a loss by simulation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "inputs", self.u.shape[2])
        object.__setattr__(self, "outputs", self.y.shape[2])

    @classmethod
    def of(
        cls,
        inputs: ArrayLike,
        targets: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        name: str = "given",
        repeats: int = 8,
    ) -> Given:
        """Return the task of arrays, which may be tensors and of any precision.

        Parameters
        ----------
        inputs, targets
            Arrays (time, trial, channel); one that does not change in time may have a single step.
        weights
            Weight of each step in the loss (time,), at least 0, which is scaled to the sum one; equal weights by
            default. Booleans count as 0 and 1.
        name
            Name of the task in results.
        repeats
            Trials of each input in a loss by simulation.

        Raises
        ------
        ValueError
            If shapes do not fit, or a value is not finite.
        """
        u, y = (_three(name, value) for name, value in (("inputs", inputs), ("targets", targets)))
        steps = max(len(u), len(y))
        w = np.ones(steps) if weights is None else step_weights(weights)
        for name_, array in (("inputs", u), ("targets", y)):
            if len(array) not in (1, w.size) or not len(array):
                raise ValueError(f"{name_} must have {w.size} steps, or one if they are constant; got {len(array)}")
        if u.shape[1] != y.shape[1]:
            raise ValueError(
                f"targets must have the {u.shape[1]} trials of inputs, (time, trial, channel); got {y.shape[1]}"
            )
        task = cls(u, y, w / w.sum(), positive_integer("repeats", repeats))
        object.__setattr__(task, "name", name)
        return task

    def episode(self, rng: np.random.Generator) -> Episode:
        return Episode(self.u, self.y, self.w)

    def to_dict(self) -> dict[str, Any]:
        """Return name and sizes, without the arrays, which results would repeat."""
        steps, trials = self.w.size, self.u.shape[1]
        sizes = {"steps": steps, "trials": trials, "inputs": self.inputs, "outputs": self.outputs}
        return {"name": self.name, **sizes, "repeats": self.repeats}

    def __repr__(self) -> str:
        (steps,), (_, trials, inputs), outputs = self.w.shape, self.u.shape, self.outputs
        words = [
            f"{count} {what}{'' if count == 1 else 's'}" for count, what in ((inputs, "input"), (outputs, "output"))
        ]
        return f"Given: {trials} trials of {steps} steps, {', '.join(words)}"


def _three(name: str, value: Any) -> FloatArray:
    array = real_numbers(name, value)
    if array.ndim != 3 or 0 in array.shape[:2] or (name == "targets" and array.shape[2] == 0):
        raise ValueError(f"{name} must have shape (time, trial, channel); got {array.shape}")
    return array


def real_numbers(name: str, value: Any) -> FloatArray:
    """Return a real array or tensor as an array of float64."""
    return real_array(name, numbers(name, value) if hasattr(value, "detach") else value)


def step_weights(value: Any) -> FloatArray:
    """Return weights of steps (T,) as float64, booleans as 0 and 1, or raise a ValueError."""
    value = numbers("weights", value)
    w = real_array("weights", value.astype(np.float64) if value.dtype.kind == "b" else value, (None,))
    if np.any(w < 0.0) or not w.sum() > 0.0:
        raise ValueError(f"weights must be at least 0, and one of them above; got {shown(w.tolist())}")
    return w


def given_arrays(arrays: tuple[Any, ...]) -> Given:
    """Return the task of a tuple (inputs, targets) or (inputs, targets, weights).

    Examples
    --------
    >>> given_arrays((np.zeros((5, 2, 1)), np.zeros((1, 2, 1))))
    Given: 2 trials of 5 steps, 1 input, 1 output
    """
    if len(arrays) not in (2, 3):
        raise ValueError(f"task must be (inputs, targets) or (inputs, targets, weights); got {len(arrays)} arrays")
    return Given.of(*arrays)
