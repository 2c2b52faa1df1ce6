"""The command `list`."""

from __future__ import annotations

from importlib import import_module

import click

from ctrnn_theory.cli.console import say
from ctrnn_theory.cli.figures import paper_figs

REGISTRIES = {
    "activations": "ctrnn_theory.activations:BUILTIN",
    "figures": "paper_figs:FIGURES",
    "formulas": "ctrnn_theory.derive:FORMULAS",
    "methods": "ctrnn_theory.stationary:METHODS",
    "tasks": "ctrnn_theory.training.tasks:TASKS",
}
"""Where the registries are; only that which is listed is imported."""


@click.command("list")
@click.argument("what", type=click.Choice(list(REGISTRIES)))
def list_command(what: str) -> None:
    """List what there is to choose from."""
    module, _, name = REGISTRIES[what].partition(":")
    if what == "figures":
        paper_figs()  # finds them in a clone
    registry = getattr(import_module(module), name)
    width = max(map(len, registry))
    for entry in registry.values():
        applies = getattr(entry, "applies", "")
        say(f"{entry.name:<{width}}  {entry.summary}{f'; for {applies}' if applies else ''}")
