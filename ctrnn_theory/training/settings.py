"""The settings of a training run, which decide its result, and their form as JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.network import FORMS, Form
from ctrnn_theory.model.noise import Noise, check_gamma
from ctrnn_theory.support.arguments import choice, nonnegative, positive_integer, positive_number, shown
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.training.layout import Layout
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.tasks import TASKS, Task

Method = Literal["cma", "decoders", "decoders+cma"]
METHODS: tuple[Method, ...] = get_args(Method)
"""Methods of training: CMA-ES on all weights; decoders for drawn weights; CMA-ES on the shape of drawn weights."""


class Usual(NamedTuple):
    """What a method takes, and its defaults; zero stands for what the task or the number of weights decides."""

    taken: tuple[str, ...]
    """Names of the arguments that not every method has."""
    evaluations: int
    """Largest number of networks that are tried."""
    popsize: int = 0
    """Number of networks in a generation."""
    neurons: int = 0
    """Number of neurons."""
    solved: bool = True
    """Whether decoders are solved."""


USUAL: dict[str, Usual] = {
    "cma": Usual(("evaluations", "popsize", "step"), 20_000, solved=False),
    "decoders": Usual(("alpha", "beta"), 1, 1, 256),
    "decoders+cma": Usual(("evaluations", "popsize", "step", "alpha", "beta"), 200, 8, 256),
}
"""What each method takes."""
SCALES = {True: (1.0, 1.0), False: (1.5, 2.0)}
"""Scales α and β of drawn weights by default, for an activation that is bounded and for any other."""
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
    method: Method = "cma"
    """Method of training."""
    alpha: float = 0.0
    """Scale α of drawn weights; zero for the method cma."""
    beta: float = 0.0
    """Largest drawn bias β; zero for the method cma."""

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
        self._check_method()
        if self.method == "decoders":
            return
        if positive_integer("popsize", self.popsize) < 2:
            raise ValueError("popsize must be at least 2; got 1")
        if positive_integer("evaluations", self.evaluations) < self.popsize:
            raise ValueError(f"evaluations must be at least popsize, {self.popsize}; got {self.evaluations}")

    def _check_method(self) -> None:
        """Raise a ValueError if the method does not take the form or the scales."""
        if choice("method", self.method, METHODS) == "cma":
            return
        if self.form != "rate":
            raise ValueError(f"form must be rate for the method {self.method}; got {self.form}")
        positive_number("alpha", self.alpha)
        nonnegative("beta", self.beta)

    @classmethod
    def of(
        cls,
        task: Task | str,
        neurons: int | None,
        activation_: Any,
        gamma: float | None,
        noise: Noise,
        loss: str | None,
        evaluations: int | None,
        popsize: int | None,
        step: float | None,
        rng: Any,
        form: Any = "rate",
        method: Any = "cma",
        alpha: float | None = None,
        beta: float | None = None,
    ) -> Settings:
        """Return settings in which None is replaced by the default."""
        chosen, usual = find_task(task), USUAL[choice("method", method, METHODS)]
        named = {"evaluations": evaluations, "popsize": popsize, "step": step, "alpha": alpha, "beta": beta}
        for name, value in named.items():
            if value is not None and name not in usual.taken:
                raise ValueError(
                    f"{name} must not be given with the method {method}, which has none; got {shown(value)}"
                )
        layout = chosen.layout((usual.neurons or chosen.neurons) if neurons is None else neurons)
        if gamma is None:
            gamma = chosen.gamma or (chosen.decoder_gamma if usual.solved else 0.1)
        words, f = seed_words(rng), activation(activation_)
        scales = SCALES[f.limit_slopes == (0.0, 0.0)] if usual.solved else (0.0, 0.0)
        return cls(
            chosen,
            layout.neurons,
            f,
            check_gamma(gamma),
            noise,
            chosen.losses_by[0] if loss is None else loss,
            usual.evaluations if evaluations is None else evaluations,
            (usual.popsize or 4 + int(3 * np.log(layout.size))) if popsize is None else popsize,
            chosen.step if step is None else positive_number("step", step),
            (int(words[0]), int(words[1])),
            form,
            method,
            scales[0] * chosen.decoder_alpha if alpha is None else positive_number("alpha", alpha),
            scales[1] if beta is None else nonnegative("beta", beta),
        )

    @property
    def layout(self) -> Layout:
        """Places of the parameters in a vector."""
        return self.task.layout(self.neurons)

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
        for name in ("form", "method", "alpha", "beta"):
            if self.method == "cma" and (name != "form" or self.form == "rate"):
                del whole[name]  # as in runs of older versions, which go on
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
        found = {"form": "rate", "method": "cma", "alpha": 0.0, "beta": 0.0, **found}
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
