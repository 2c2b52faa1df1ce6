"""The API reference: its lists and its pages, made from the stub of the package and its public modules."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import ctrnn_theory as ct
from docs.tables import table

MODULES = ("derive", "fokker_planck", "plotting", "testing", "training", "training.tasks")
"""Public modules, each of which lists its public names in ``__all__``."""
ROOMS = {
    "model": "Networks and noise",
    "activations": "Activations",
    "stationary": "Stationary laws by one method",
    "analysis.bias": "Bias",
    "analysis.preference": "Preference for noise",
    "analysis.audit": "Audit and repair",
    "analysis.operating_points": "Operating points",
    "analysis.evolution": "Laws in time",
    "analysis.latent": "Latent variables",
    "analysis.memory": "Memory",
    "analysis.orbit": "Orbits",
    "analysis.readout": "Readouts under noise",
    "analysis.devices": "Devices",
    "integrators": "Simulation",
    "dynamics": "Without noise",
    "escape": "Escape",
    "training": "Training",
    "sweeping": "Sweeps",
    "support": "Errors, and what to cite",
    "ctrnn_theory.derive": "Formulas, derived",
    "ctrnn_theory.fokker_planck": "Fokker–Planck equation",
    "ctrnn_theory.plotting": "Pictures",
    "ctrnn_theory.testing": "Checks of one's own formulas",
    "ctrnn_theory.training": "Optimiser",
    "ctrnn_theory.training.tasks": "Tasks",
}
"""Titles of the pages of the API, by the room or the public module from which names are taken."""
WITH = {"bias_curve": "bias", "bias_report": "bias", "difference": "bias", "noise_free": "audit"}
"""Modules of ``analysis``, whose subjects have pages of their own, that share the page of another one."""


def public_names() -> dict[str, list[str]]:
    """Return the public names of the package by their page, as its stub lists them, and those of public modules.

    >>> sorted(public_names()["sweeping"])
    ['ctrnn_theory.sweep']
    """
    stub = ast.parse(Path(ct.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = found.setdefault(_place(node.module), [])
            names += [f"ctrnn_theory.{alias.asname or alias.name}" for alias in node.names]
    for name in MODULES:
        module = importlib.import_module(f"ctrnn_theory.{name}")
        inner = {other.rpartition(".")[2] for other in MODULES if other.startswith(f"{name}.")}
        own = [public for public in module.__all__ if public not in inner]
        found[f"ctrnn_theory.{name}"] = [f"ctrnn_theory.{name}.{public}" for public in own]
    return found


def _place(module: str) -> str:
    """Return the page of the names of a module.

    >>> [_place(module) for module in ("model.conventions", "analysis.audit.result", "analysis.noise_free")]
    ['model', 'analysis.audit', 'analysis.audit']
    """
    room, _, rest = module.partition(".")
    subject = rest.partition(".")[0]
    return f"analysis.{WITH.get(subject, subject)}" if room == "analysis" else room


def api_page(place: str, names: list[str]) -> str:
    """Return the page of the API, in reStructuredText, of one room or of one public module."""
    title = ROOMS.get(place, place)
    lines = [title, "=" * len(title), ""]
    if place.startswith("ctrnn_theory."):
        lines += [f".. automodule:: {place}", "   :no-members:", ""]
    for name in _sorted(names):
        kind, below = _kind(name, place)
        module, _, last = name.rpartition(".")
        lines += [f".. py:currentmodule:: {module}", "", f".. {kind}:: {last}", *below, ""]
    return "\n".join(lines)


def _kind(name: str, place: str) -> tuple[str, tuple[str, ...]]:
    """Return the directive that documents a public name, and the lines below it."""
    found = _found(name)
    if isinstance(found, type):
        return ("autoexception", ()) if issubclass(found, Exception) else ("autoclass", ("   :members:",))
    if callable(found):
        return "autofunction", ()
    return "py:data", ("", *(f"   {line}" for line in _of_data(name, place).splitlines()))


def api_lists() -> str:
    """Return the lists of public names: a table for each page of the API, with the first lines of their docstrings."""
    found = public_names()
    places = [*(place for place in ROOMS if place in found), *(place for place in found if place not in ROOMS)]
    parts = ["```{toctree}\n:hidden:\n", *(f"api/{place}" for place in places), "```"]
    for place in places:
        rows = [(f"{{py:obj}}`{_short(name)} <{name}>`", _about(name, place)) for name in _sorted(found[place])]
        parts += ["", f"## {ROOMS.get(place, place)}", "", table(("name", "what it is"), rows)]
    return "\n".join(parts)


def _short(name: str) -> str:
    """Return a public name as users write it."""
    return f"ct.{name.removeprefix('ctrnn_theory.')}"


def _about(name: str, place: str) -> str:
    """Return the first line of the docstring of a public name."""
    found = _found(name)
    first = (inspect.getdoc(found) or "" if callable(found) else _of_data(name, place)).partition("\n")[0].rstrip(".")
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", first).replace("``", "`").replace("*", "\\*")


@lru_cache
def _of_data(name: str, place: str) -> str:
    """Return the text below the assignment, in its room, of a public name that is neither a function nor a class."""
    room = Path(ct.__file__).parent / place.removeprefix("ctrnn_theory.").replace(".", "/")
    for path in sorted(room.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, after in pairwise(body):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            named = any(isinstance(target, ast.Name) and target.id == name.rpartition(".")[2] for target in targets)
            if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                return inspect.cleandoc(str(after.value.value))
    return ""


def _found(name: str) -> object:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def _sorted(names: Iterable[str]) -> list[str]:
    """Return names in alphabetic order, functions before classes."""
    return sorted(names, key=lambda name: (name.rpartition(".")[2][0].isupper(), name.lower()))
