"""The settings of a training run, which decide its result, and their form as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.network import CTRNN, FORMS, Form
from ctrnn_theory.model.noise import Noise, check_gamma
from ctrnn_theory.support.arguments import choice, positive_integer, positive_number, shown
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.layout import Layout
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.tasks import TASKS, Task

NOTHING: Any = None
"""Weights of the model whose kind is looked at."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result of a training run."""

    task: Task
    """Task that is learned."""
    neurons: int
    """Number N of neurons."""
    activation: Activation
    """Activation f."""
    gamma: float
    """Step over time constant, Δt/τ."""
    noise: Noise
    """Noise during training."""
    loss: str
    """How the loss is computed: one of the task's ways."""
    evaluations: int
    """Largest number of networks that are tried."""
    popsize: int
    """Number of networks in a generation."""
    step: float
    """Initial standard deviation of the parameters."""
    seed: tuple[int, int]
    """Two 64-bit words from which everything random derives."""
    form: Form = "rate"
    """Form of the network."""

    def __post_init__(self) -> None:
        task = self.task
        task.layout(self.neurons)
        if not isinstance(self.loss, str) or self.loss not in task.losses_by:
            raise ValueError(f"loss must be one of {', '.join(task.losses_by)} for {task.name}; got {shown(self.loss)}")
        if task.gamma not in (None, check_gamma(self.gamma)):
            raise ValueError(f"gamma must be {task.gamma:g} for {task.name}; got {self.gamma:g}")
        if not isinstance(self.noise, Noise):
            raise ValueError(f"noise must be a Noise; got {shown(self.noise)}")
        self.noise.check(self.neurons)
        choice("form", self.form, FORMS)
        model = Model(self.activation, self.gamma, NOTHING, self.noise, self.form)
        try:
            model.require(f"a loss by {self.loss}", *task.kinds_taken(self.loss))
        except NotApplicable as reason:
            raise ValueError(f"loss must be simulation, since {reason}") from None
        positive_number("step", self.step)
        if positive_integer("popsize", self.popsize) < 2:
            raise ValueError("popsize must be at least 2; got 1")
        if positive_integer("evaluations", self.evaluations) < self.popsize:
            raise ValueError(f"evaluations must be at least popsize, {self.popsize}; got {self.evaluations}")

    @classmethod
    def of(
        cls,
        task: Task | str,
        neurons: int | None,
        activation_: Any,
        gamma: float | None,
        noise: Noise,
        loss: str | None,
        evaluations: int,
        popsize: int | None,
        step: float | None,
        rng: Any,
        form: Any = "rate",
    ) -> Settings:
        """Return settings in which None is replaced by the default."""
        chosen = find_task(task)
        layout = chosen.layout(chosen.neurons if neurons is None else neurons)
        if gamma is None:
            gamma = chosen.gamma or 0.1
        words = seed_words(rng)
        return cls(
            chosen,
            layout.neurons,
            activation(activation_),
            check_gamma(gamma),
            noise,
            chosen.losses_by[0] if loss is None else loss,
            evaluations,
            4 + int(3 * np.log(layout.size)) if popsize is None else popsize,
            chosen.step if step is None else positive_number("step", step),
            (int(words[0]), int(words[1])),
            form,
        )

    @property
    def layout(self) -> Layout:
        """Places of the parameters in a vector."""
        return self.task.layout(self.neurons)

    def network(self, x: FloatArray) -> CTRNN:
        """Return the network with the parameters x (n,)."""
        return self.layout.network(x, self.activation, self.gamma, self.form)

    @property
    def generations(self) -> int:
        """Number of generations that the evaluations allow."""
        return self.evaluations // self.popsize

    def stream(self, *number: int) -> NDArray[np.uint64]:
        """Return the two key words of a random stream of its own."""
        return seed_words(np.random.SeedSequence(self.seed, spawn_key=number))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON."""
        whole = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        if self.form == "rate":
            del whole["form"]  # as in runs of older versions, which go on
        return whole | {
            "task": self.task.name,
            "task_settings": dataclasses.asdict(self.task),
            "activation": self.activation.text,
            "noise": self.noise.to_dict(),
            "seed": list(self.seed),
        }

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Settings:
        """Return the settings from what :meth:`to_dict` returned.

        Raises
        ------
        ValueError, KeyError, TypeError
            If `found` is something else.
        """
        found = {"form": "rate", **found}
        named = {field.name: found[field.name] for field in dataclasses.fields(cls)}
        return cls(
            **named
            | {
                "task": find_task(found["task"], **found["task_settings"]),
                "activation": activation(found["activation"]),
                "noise": Noise(**found["noise"]),
                "seed": (int(found["seed"][0]), int(found["seed"][1])),
            }
        )


def find_task(task: Task | str, **settings: Any) -> Task:
    """Return a task, which may be given by its name and settings.

    Raises
    ------
    ValueError
        If the name is unknown, or if the task does not have a setting or has it with another type.

    Examples
    --------
    >>> find_task("function", steps=40).steps
    40
    """
    if isinstance(task, Task):
        task.check()
        return task
    if not isinstance(task, str) or task not in TASKS:
        raise ValueError(f"task must be a Task, or one of {', '.join(TASKS)}; got {shown(task)}")
    known = {field.name: field.default for field in dataclasses.fields(TASKS[task])}
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"setting of {task} must be one of {', '.join(known)}; got {name!r}")
        kind = type(known[name])
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            settings[name] = float(value)
        elif type(value) is not kind:
            raise ValueError(f"{name} of {task} must be of type {kind.__name__}; got {value!r}")
    return TASKS[task](**settings)
