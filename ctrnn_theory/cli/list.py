"""The command `list`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from ctrnn_theory.cli.console import say
from ctrnn_theory.cli.figures import paper_figs

REGISTRIES = {
    "activations": "ctrnn_theory.activations:BUILTIN",
    "conventions": "ctrnn_theory.model.conventions:CONVENTIONS",
    "formulas": "ctrnn_theory.derive:FORMULAS",
    "methods": "ctrnn_theory.stationary:METHODS",
    "tasks": "ctrnn_theory.training.tasks:TASKS",
}
"""Where the registries of the package are; only the one that is listed is imported."""


@click.command("list")
@click.argument("what", type=click.Choice(sorted([*REGISTRIES, "figures"])))
def list_command(what: str) -> None:
    """List what there is to choose from."""
    registry = paper_figs().FIGURES if what == "figures" else _registry(REGISTRIES[what])
    width = max(map(len, registry))
    for entry in registry.values():
        applies = getattr(entry, "applies", "")
        say(f"{entry.name:<{width}}  {entry.summary}{f'; for {applies}' if applies else ''}")


def _registry(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
