"""The trainer beside PyTorch: ``python -m benchmarks.training [--quick] [--json] [--torch PYTHON]``.

Eight relu neurons with noise inside of 1 learn the task `function`: by CMA-ES, which needs no gradient, on one core and
on all, and by back-propagation through time with Adam, on the number of threads that is fastest for PyTorch. The tables
show

* evaluations a second of the loss by simulation and by the closure, a generation at once,
* evaluations a second of a whole search, and the share of its time outside the loss, in pycma and SciPy's protocol,
* seconds until the network, the mean of the search, has an expected loss of 0.012, as medians over the seeds. All
  trainings of a seed start from the same weights, see the same number of trials in an evaluation or update, and are
  judged on the same unseen trials, while their clocks stand still. Compiling is not timed.

Adam is shown at several learning rates. PyTorch is skipped if it is not installed; ``--torch`` names the interpreter of
an environment that has it and the package. The exit status is 1 if a part failed, or if PyTorch's loss differs from
that of this package.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import machine, wrong
from benchmarks.processes import Found, cores, run_apart
from benchmarks.tables import table
from ctrnn_theory import Noise
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.search import GUESS
from ctrnn_theory.training.settings import Settings
from ctrnn_theory.training.tasks.function import Function
from ctrnn_theory.training.trainer import Objective

TARGET = 0.012
"""Expected loss to reach; an output of zero has 0.47."""
SEEDS, QUICK_SEEDS = 5, 1
LIMIT, QUICK_LIMIT = 30.0, 4.0
"""Seconds after which a training is stopped."""
REPEATS, ROUGH, UNSEEN = 2000, 100, 10**6
"""Trials of each input in judging, and in judging roughly, and the seed of these trials."""
NEAR = 1.2
"""Ratio to the target below which a rough loss, of standard error 0.02 of the target, is computed accurately."""
FIRST, CLOSER = 0.1, 1.03
"""Seconds before the network is judged first, and the factor of time before it is judged again."""


def settings(seed: int, loss: str | None = None, **task: int) -> Settings:
    """Return the settings of the work, with more evaluations than any training reaches."""
    return Settings.of(Function(**task), 8, "relu", 0.1, Noise(inside=1.0), loss, 10**6, None, None, seed)


def start(seed: int) -> FloatArray:
    """Return the weights (n,) with which all trainings of this seed start."""
    chosen = settings(seed)
    return chosen.task.guess(chosen.layout, np.random.default_rng(chosen.stream(GUESS)))


def judge(repeats: int = REPEATS) -> Objective:
    """Return the expected loss as a function of weights x (n,), to about 1e-4 at the target."""
    return Objective(settings(UNSEEN, repeats=repeats))


class Race:
    """Clock of a training, which stands still while a network is judged."""

    def __init__(self, quick: bool) -> None:
        self.rough, self.judge = judge(ROUGH), judge()
        self.limit, self.next, self.away = QUICK_LIMIT if quick else LIMIT, FIRST, 0.0
        self.result: Found = {}
        self.begin = perf_counter()

    def over(self, x: FloatArray, tried: int) -> bool:
        """Judge weights (n,) after so many evaluations or updates, if it is time, and return whether to stop."""
        now = perf_counter()
        seconds = now - self.begin - self.away
        if seconds < min(self.next, self.limit):
            return False
        loss, late = self.rough(x), seconds >= self.limit
        if late or loss <= NEAR * TARGET:
            loss = self.judge(x)
            self.result = {"seconds": seconds, "tried": tried, "loss": loss, "reached": loss <= TARGET}
        self.next, self.away = CLOSER * seconds, self.away + perf_counter() - now
        return late or loss <= TARGET


def measure(quick: bool, python: str) -> Found:
    """Run all trainings, and show on standard error which one runs."""
    console = Console(stderr=True, highlight=False)
    found: Found = {"machine": machine(), "quick": quick, "missing": {}}
    asked: dict[str, tuple[str, int, str]] = {
        f"ours, threads: {count}": ("peers.training_ours", count, sys.executable) for count in sorted({1, cores()})
    }
    asked["PyTorch"] = ("peers.training_torch", cores(), python)
    for name, (module, threads, interpreter) in asked.items():
        with console.status(name) as status:
            answer = run_apart(
                module,
                quick,
                threads,
                python=interpreter,
                show=lambda text, name=name, status=status: status.update(f"{name}: {text}"),
            )
        if "report" in answer:
            found[name] = answer["report"]
        else:
            found["missing"][name] = answer
    return found


def race_row(name: str, races: list[Found]) -> tuple[str, ...]:
    """Return a row of medians over the seeds, in which a training that was stopped took longest."""
    reached = sum(race["reached"] for race in races)
    half = 2 * reached > len(races)
    ordered = sorted(races, key=lambda race: (not race["reached"], race["seconds"]))
    limit = max(race["seconds"] for race in races)
    seconds = f"{ordered[len(races) // 2]['seconds']:.1f}" if half else f"over {limit:.0f}"
    tried, loss = (float(np.median([race[key] for race in races])) for key in ("tried", "loss"))
    return name, seconds, f"{tried:.0f}", f"{reached} of {len(races)}", f"{loss:.4f}"


def shown(found: Found) -> list[Table]:
    """Return tables of rates and of races."""
    rates = table("a second", "loss by simulation", "by closure", "whole search", "not the loss")
    races = table(f"to a loss of {TARGET:g}", "seconds", "evaluations or updates", "reached", "loss")
    for name, report in found.items():
        if name.startswith("ours"):
            search, losses = report["search"], report["losses"]
            figures = (f"{losses[way]:.3g}" for way in ("simulation", "closure"))
            rates.add_row(name, *figures, f"{search['rate']:.3g}", f"{100.0 * search['share']:.0f} %")
        elif name == "PyTorch":
            for way, rate in report["updates"].items():
                rates.add_row(f"{name}, {way}, updates", f"{rate:.3g}")
    for name, report in found.items():
        if isinstance(report, dict) and "races" in report:
            label = name if report.get("right", True) else f"{name} (wrong)"
            for way, runs in report["races"].items():
                races.add_row(*race_row(f"{label}, {way}", runs))
    return [rates, races]


@click.command()
@click.option("--quick", is_flag=True, help="Measure roughly: one seed, stopped early.")
@click.option("--json", "as_json", is_flag=True, help="Print one object with all numbers.")
@click.option("--torch", default=sys.executable, metavar="PYTHON", help="Interpreter that has PyTorch.")
def main(quick: bool, as_json: bool, torch: str) -> None:
    """Measure, and print tables or JSON."""
    found: dict[str, Any] = measure(quick, torch)
    if as_json:
        print(json.dumps(found))
    else:
        console, about = Console(width=120, highlight=False), found["machine"]
        console.print(f"{about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}")
        for name, answer in found["missing"].items():
            for outcome, reason in answer.items():
                console.print(f"{name} {outcome}: {reason}", markup=False)
        for item in shown(found):
            console.print("", item, sep="\n")
    if wrong(found):
        sys.exit(1)


if __name__ == "__main__":
    main()
