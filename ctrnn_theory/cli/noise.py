"""The options of commands that describe noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ctrnn_theory.model.noise import Noise

OPTIONS = {
    "--sigma-in": ("inside", "Standard deviation per step of the noise inside the activation."),
    "--sigma-out": ("outside", "Standard deviation per step of the noise outside the activation."),
    "--gain-in": ("gain_inside", "Standard deviation of noise that multiplies the pre-activation."),
    "--gain-out": ("gain_outside", "Standard deviation of noise that multiplies the activation's value."),
    "--rho-in": ("rho_inside", "Correlation from step to step of the noise inside, in [0, 1).  [default: 0]"),
    "--rho-out": ("rho_outside", "Correlation from step to step of the noise outside, in [0, 1).  [default: 0]"),
    "--dropout": ("keep", "Probability with which dropout keeps a neuron's value in a step.  [default: 1]"),
}
"""Field of :class:`~ctrnn_theory.Noise` and help of each option."""
NAMED = {field: option for option, (field, _) in OPTIONS.items()}
"""Option of each field."""
STRENGTHS = ("inside", "outside", "gain_inside", "gain_outside", "keep")
"""Fields of which any gives noise."""


def noise_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of noise, and pass those that are given as `noise`, a dictionary of fields."""

    @wraps(command)
    def with_noise(**options: Any) -> Any:
        noise = {field: options.pop(field) for field, _ in OPTIONS.values()}
        return command(noise={field: value for field, value in noise.items() if value is not None}, **options)

    for option, (field, about) in reversed(OPTIONS.items()):
        with_noise = click.option(option, field, type=float, help=about)(with_noise)
    return with_noise


def noise_of(given: dict[str, float], default: float) -> Noise:
    """Return the noise of the options that are given: of standard deviation `default` inside, if none gives any."""
    from ctrnn_theory.model.noise import Noise

    rules: dict[str, tuple[str, Callable[[float], bool]]] = {
        "keep": ("a probability in (0, 1]", lambda value: 0.0 < value <= 1.0),
        "rho": ("a correlation in [0, 1)", lambda value: 0.0 <= value < 1.0),
        "": ("a standard deviation, at least 0", lambda value: 0.0 <= value < float("inf")),
    }
    for field, value in given.items():
        rule, holds = next(rules[start] for start in rules if field.startswith(start))
        if not holds(value):
            raise ValueError(f"{NAMED[field]} must be {rule}; got {value:g}")
    for site in ("inside", "outside"):
        if (
            f"rho_{site}" in given
            and site not in given
            and (site == "outside" or any(name in given for name in STRENGTHS))
        ):
            raise ValueError(f"{NAMED[f'rho_{site}']} must come with {NAMED[site]}; got it alone")
    nothing = not any(field in given for field in STRENGTHS)
    return Noise(**(given | ({"inside": default} if nothing else {})))


def option_of(given: dict[str, Any]) -> str:
    """Return the first of the options that a command was given, by the name of its argument."""
    name, value = next(iter(given.items()))
    field = next(iter(value)) if name == "noise" else None
    return f"--{name.replace('_', '-')}" if field is None else NAMED[field]
