"""The ensemble kernels beside what one would pick instead: ``python -m benchmarks [--quick] [--json] [--peers LIST]``.

Every peer does the same work, on one core, in a process of its own (see ``benchmarks/simulation.py``). Compiling and
the decay of the start come before the clock starts. Then come variates and functions alone, threads, the first call,
and the time to a standard error; with ``--peers`` the comparison alone is made. Peers that are not installed are
skipped: ``pip install -e '.[bench]'`` has them all. The exit status is 1 if anything failed, or a peer's result was
wrong.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from benchmarks.simulation import BOUND, Estimate, Work, deviation, exact, run_apart, works
from benchmarks.tables import show

PEERS = ("numpy", "mkl_random", "numba", "torch", "jax", "diffrax", "torchsde")
OURS = {"inside": "ours", "outside": "ours_outside"}
EXTRAS = {"primitives": 1, "threads": 2, "start": 1, "to_error": 1}
"""What is measured besides, and on how many cores."""
Found = dict[str, Any]


def machine() -> Found:
    """What it runs on."""
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


def judged(work: Work, result: Found, ours: Found) -> Found:
    """A result with its ratio to ours, and its deviation in standard errors: from the exact law where it is known."""
    found = Estimate(np.array(result["value"]), np.array(result["error"]))
    truth = exact(work) if work.n == 1 else Estimate(np.array(ours["value"]), np.array(ours["error"]))
    off = deviation(found, truth)
    kept = {key: result[key] for key in ("way", "ns", "first_call")}
    return kept | {"ratio": result["ns"] / ours["ns"], "deviation": off, "right": off < BOUND}


def compared(answers: dict[str, Found], quick: bool) -> list[Found]:
    """Each piece of work with every peer's judged result."""
    found = []
    for site in sorted({answer["site"] for answer in answers.values()}):
        ours = answers[OURS[site]]["results"]
        for i, work in enumerate(works(site, quick)):
            results = {
                name: judged(work, answer["results"][i], ours[i])
                for name, answer in answers.items()
                if answer["site"] == site
            }
            numbers = {"n": work.n, "trajectories": work.trajectories, "steps": work.steps}
            found.append({"activation": work.activation, "site": site, **numbers, "results": results})
    return found


def run(peers: tuple[str, ...], extras: tuple[str, ...], quick: bool) -> Found:
    """Measure everything, each in its own process."""
    console = Console(stderr=True)
    answers: dict[str, Found] = {}
    missing: Found = {}
    reports: Found = {}

    def ask(label: str, module: str, threads: int = 1) -> None:
        with console.status(label):
            answer = run_apart(module, quick, threads)
        if "results" in answer:
            answers[label] = answer
        elif "report" in answer:
            reports[label] = answer["report"]
        else:
            missing[label] = answer

    ask("ours_plain", "ours_plain")
    for peer in peers:
        ask(peer, f"with_{peer}")
    for site in sorted({"inside", *(answer["site"] for answer in answers.values())}):
        ask(OURS[site], OURS[site])
        if OURS[site] not in answers:
            raise click.ClickException(f"ours could not be measured: {missing[OURS[site]]}")
    for extra in extras:
        ask(extra, extra, EXTRAS[extra])
    return {
        "machine": machine(),
        "quick": quick,
        "peers": {name: {key: a[key] for key in ("site", "versions", "import")} for name, a in answers.items()},
        "missing": missing,
        "works": compared(answers, quick),
        **reports,
    }


def chosen(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """Names from a list with commas."""
    names = None if text is None else tuple(name for name in text.split(",") if name)
    for name in names or ():
        if name not in PEERS:
            raise click.BadParameter(f"must be among {', '.join(PEERS)}; got {name!r}")
    return names


@click.command()
@click.option("--quick", is_flag=True, help="Rough: a tenth of the trajectories, and fewer steps.")
@click.option("--json", "as_json", is_flag=True, help="Print one object with every number.")
@click.option("--peers", callback=chosen, metavar="LIST", help=f"Only these, with commas, of {', '.join(PEERS)}.")
def main(quick: bool, as_json: bool, peers: tuple[str, ...] | None) -> None:
    """Measure, and print tables or JSON."""
    found = run(PEERS, tuple(EXTRAS), quick) if peers is None else run(peers, (), quick)
    if as_json:
        print(json.dumps(found))
    else:
        show(found)
    right = all(result["right"] for work in found["works"] for result in work["results"].values())
    if not right or any("failed" in answer for answer in found["missing"].values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
