"""The package beside other software: ``python -m benchmarks [--quick] [--json | --write] [--parts LIST]``.

All programs do the same work in one run, and their results are checked against each other. Compiling and preparation
are not timed with the work; they have a column of their own. Each part runs in processes of its own, on one core except
for "threads":

* simulation: the ensemble kernels, in ns a neuron-step,
* fokker_planck: densities, stationary and in time, in seconds on equal grids and to equal error,
* smoothing: E f(a + s ξ) by closed forms, by quadrature and by Monte Carlo, in values a second,
* start: imports, and the first bias,
* scaling: the simulation against the number of neurons and of trajectories,
* threads: the simulation against the number of threads,
* primitives: random variates and elementary functions alone,
* to_error: seconds to a standard error.

Peers that are not installed are skipped. ``pip install -e '.[bench]'`` installs all but fplanck, which needs NumPy
below 2; ``--peer fplanck=PYTHON`` names the interpreter of an environment that has it. The exit status is 1 if a part
failed, or a result was wrong. With ``--write`` the numbers are kept in ``benchmarks/peers.json``, from which
``python -m docs.generate`` makes the tables of docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import click
from rich.console import Console

from benchmarks import fokker_planck, simulation, start
from benchmarks.kept import keep
from benchmarks.processes import Found, cores, run_apart
from benchmarks.tables import show

PARTS = {
    "simulation": "simulation",
    "fokker_planck": "fokker_planck",
    "smoothing": "smoothing",
    "start": "start",
    "scaling": "scaling",
    "threads": "threads",
    "primitives": "peers.primitives",
    "to_error": "to_error",
}
"""Modules of the parts."""
PEERS = tuple(dict.fromkeys((*simulation.PEERS, *fokker_planck.PEERS, *start.PEERS)))


def machine() -> Found:
    """Return processor, cores, system and version of Python."""
    info, name = Path("/proc/cpuinfo"), platform.processor()
    if info.exists():
        lines = info.read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def run(peers: list[str], parts: list[str], quick: bool) -> Found:
    """Measure the parts, and show on standard error which one runs."""
    console = Console(stderr=True, highlight=False)
    found: Found = {"machine": machine(), "quick": quick, "missing": {}}
    for i, part in enumerate(parts, 1):
        label, begin = f"{i}/{len(parts)} {part}", perf_counter()
        with console.status(label) as status:
            answer = run_apart(
                PARTS[part],
                quick,
                cores() if part == "threads" else 1,
                peers,
                show=lambda text, label=label, status=status: status.update(f"{label}: {text}"),
            )
        console.print(f"{label}: {perf_counter() - begin:.0f} s", markup=False)
        if "report" in answer:
            found[part] = answer["report"]
        else:
            found["missing"][part] = answer
    return found


def wrong(found: Any) -> bool:
    """Return whether any entry failed, or is marked as wrong."""
    if isinstance(found, dict):
        return found.get("right") is False or "failed" in found or any(map(wrong, found.values()))
    return isinstance(found, list) and any(map(wrong, found))


def chosen(context: click.Context, option: click.Parameter, text: str | None) -> list[str]:
    """Return the names of a list with commas, or all names without one."""
    known = {"peers": PEERS, "parts": tuple(PARTS)}[str(option.name)]
    names = list(known) if text is None else [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"must be one of {', '.join(known)}; got {name!r}")
    return names


def elsewhere(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Return interpreters by the names of solvers, from texts NAME=PYTHON."""
    found = dict(text.split("=", 1) for text in texts if "=" in text)
    if len(found) < len(texts) or not set(found) <= set(fokker_planck.PEERS):
        raise click.BadParameter(
            f"must be NAME=PYTHON, with NAME one of {', '.join(fokker_planck.PEERS)}; got {texts!r}"
        )
    return found


@click.command()
@click.option("--quick", is_flag=True, help="Measure roughly: fewer trajectories and steps, coarser grids.")
@click.option("--json", "as_json", is_flag=True, help="Print one object with all numbers.")
@click.option("--write", is_flag=True, help="Keep all numbers in benchmarks/peers.json.")
@click.option("--peers", callback=chosen, metavar="LIST", help=f"Measure these peers only, from {', '.join(PEERS)}.")
@click.option("--parts", callback=chosen, metavar="LIST", help=f"Measure these parts only, from {', '.join(PARTS)}.")
@click.option(
    "--peer", callback=elsewhere, multiple=True, metavar="NAME=PYTHON", help="Interpreter with fplanck or py-pde."
)
def main(quick: bool, as_json: bool, write: bool, peers: list[str], parts: list[str], peer: dict[str, str]) -> None:
    """Measure, and print tables or JSON, or keep the numbers."""
    found = run([f"{name}={peer[name]}" if name in peer else name for name in peers], parts, quick)
    if write:
        keep("peers", found)
    elif as_json:
        print(json.dumps(found))
    else:
        show(found)
    if wrong(found):
        sys.exit(1)


if __name__ == "__main__":
    main()
