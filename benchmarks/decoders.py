"""Do networks of solved decoders prefer noise? ``python -m benchmarks.decoders [PART ...] [--seeds 101 102 ...]``.

Hidden weights are drawn, and decoders are solved under noise inside and outside; each network is then tested at 0 to
1.5 times its training noise, on the same trials at each level. Parts are `cognitive` (six tasks in one network, and
each alone) and `maze` (with walls along which agents slide, or at which they stop, and without the direction of the
goal).

A row is the median over seeds: the preferred level; the loss without noise over the loss at that level; the success
without noise, at the training noise, and of the noise-free network whose activation is smoothed; the ratio of the loss
of the latter to the least; and the seconds of training. All preferred levels and ratios follow, in the order of seeds.
The scales α and β of the weights are those at which the preference shows: with large α noise is small beside the drive.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

LEVELS = np.arange(16) / 10.0
TRIALS = np.array([11, 12], np.uint64)
"""Key of the trials on which all networks are tested."""


class Part(NamedTuple):
    """A row of a table: networks for a task."""

    label: str
    task: str
    settings: dict[str, Any]
    neurons: int
    site: str = "inside"
    activation: str = "relu"
    repeats: int = 4


def tested(part: Part, seed: int) -> list[float]:
    """Solve the decoders of a network, and test it."""
    import ctrnn_theory as ct

    task = ct.training.tasks.TASKS[part.task](**part.settings)
    noise = ct.Noise(**{part.site: 1.0})
    begun = time.process_time()
    net = ct.train(task, part.neurons, part.activation, noise=noise, method="decoders", rng=seed, workers=1).network
    seconds = time.process_time() - begun
    runs = [task.trials(net, noise.scaled(level), part.repeats, TRIALS, 1) for level in LEVELS]
    smooth = task.trials(ct.noise_free(net, noise), ct.Noise(), 1, TRIALS, 1)
    losses = np.array([run.cost.mean() for run in runs])
    least = int(np.argmin(losses))
    success = [float(np.mean(np.asarray(run.success))) for run in (runs[0], runs[10], smooth)]
    return [LEVELS[least], losses[0] / losses[least], *success, smooth.cost.mean() / losses[least], seconds]


def parts(name: str) -> list[Part]:
    """Return the rows of a table."""
    if name == "cognitive":
        alone = [Part(only, name, {"only": only}, 240) for only in RULES]
        six = [Part(f"six, {n}", name, {}, n, site) for n in (240, 1020) for site in ("inside", "outside")]
        return [*six, Part("six, 1020", name, {}, 1020, activation="tanh"), *alone]
    blind = {"compass": False, "steps": 200}
    kinds: dict[str, dict[str, Any]] = {"slide": {}, "stop": {"contact": "stop"}, "no compass": blind}
    sizes = {"no compass": 512}
    return [
        Part(kind, name, {"cost": "velocity", **settings}, sizes.get(kind, 256), site, repeats=16)
        for kind, settings in kinds.items()
        for site in ("inside", "outside")
    ]


RULES = ("go", "anti_go", "delay_go", "context_1", "context_2", "match")
TITLES = ("", "noise", "f", "preferred", "ratio", "success 0", "success 1", "smoothed", "its ratio", "s")


if __name__ == "__main__":
    from benchmarks.tables import table

    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoders")
    parser.add_argument("part", nargs="*", help="cognitive or maze; the default is both")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(101, 110)))
    chosen = parser.parse_args()
    console = Console(width=160)
    console.print(f"seeds {chosen.seeds}")
    for name in chosen.part or ("maze", "cognitive"):
        made, every = table(*TITLES), []
        for part in parts(name):
            found = np.array([tested(part, seed) for seed in chosen.seeds])
            row = [f"{x:.2f}" for x in np.median(found, axis=0)]
            made.add_row(part.label, part.site, part.activation, *row)
            levels, ratios = (" ".join(f"{x:.3g}" for x in found[:, k]) for k in (0, 1))
            every.append(f"{part.label}, {part.site}, {part.activation}: preferred {levels}; ratios {ratios}")
        console.print(f"\n{name}", made, *every, sep="\n")
