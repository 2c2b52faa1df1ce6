"""The function task for a network without recurrence, which is one hidden layer."""

from __future__ import annotations

from dataclasses import dataclass

from ctrnn_theory.training.tasks.function import Function


@dataclass(frozen=True)
class Feedforward(Function):
    """The task of :class:`Function` for a network of one step: γ = 1 and W = 0 make it one hidden layer."""

    name = "feedforward"
    summary = "the function task for one hidden layer: γ = 1, no recurrence"
    recurrent = False
    gamma = 1.0

    steps: int = 1
    """Steps of a trial; one is enough, since the state is forgotten in each step."""
    repeats: int = 32
    """Trials of each input in a loss by simulation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.feedback:
            raise ValueError("feedback must be False for feedforward, which has no recurrence; got True")
