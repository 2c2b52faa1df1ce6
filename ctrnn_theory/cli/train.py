"""The command `train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctrnn_theory.cli.console import check_seed, check_sigma, progress_bar, say

if TYPE_CHECKING:
    from ctrnn_theory.training.settings import Settings
    from ctrnn_theory.training.trainer import Training

DEFAULT_SIGMA = 1.0


@click.command("train")
@click.argument("task", required=False)
@click.option("--neurons", type=int, help="Neurons of the network.  [default: 8; regulator: 1]")
@click.option("--activation", help="A built-in or an expression in x.  [default: relu]")
@click.option("--gamma", type=float, help="Step over time constant, in (0, 1].  [default: 0.1; feedforward: 1]")
@click.option("--sigma-in", type=float, help="Noise inside the activation in training, per step.")
@click.option("--sigma-out", type=float, help="Noise outside the activation in training, per step.")
@click.option("--loss", help="simulation, closure or exact.  [default: the task's first]")
@click.option("--evaluations", type=int, help="Networks to try, at most.  [default: 20000]")
@click.option("--popsize", type=int, help="Networks of a generation.  [default: 4 + 3 log n]")
@click.option("--step", type=float, help="First standard deviation of the weights.  [default: the task's]")
@click.option("--seed", type=int, help="Seed.  [default: 0]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the task; may be repeated.")
@click.option("--workers", type=int, help="Threads.  [default: one a core]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to keep the run in.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out where it was cut off.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def train_command(out: Path, resume: bool, workers: int | None, as_json: bool, **options: Any) -> None:
    """Train a network for TASK under noise, without gradients, by CMA-ES.

    See `ctrnn-theory list tasks`. If neither --sigma-in nor --sigma-out is given, the noise is inside, at 1. A run that
    was cut off goes on with --resume, to the same network: by the same command, or by one with --out alone.
    """
    from ctrnn_theory.training import checkpoint, trainer

    given = {name: value for name, value in options.items() if value not in (None, ())}
    if given.get("task") is None and not resume:
        raise ValueError("TASK must be given unless --resume is; see `ctrnn-theory list tasks`")
    if resume and not given:
        settings = checkpoint.read_settings(out)
    elif "task" not in given:
        raise ValueError(f"TASK must be given with --{next(iter(given)).replace('_', '-')}; left out, it is the run's")
    else:
        settings = _settings(**given)
    with progress_bar(settings.generations) as show:

        def callback(intermediate_result: Any) -> None:
            show(intermediate_result.nit, intermediate_result.fun, intermediate_result.nfev)

        found = trainer.run(settings, workers, out, resume, callback)
    say(json.dumps(_as_dict(found, settings, out)) if as_json else _as_text(found, settings, out))


def _settings(
    task: str,
    neurons: int | None = None,
    activation: str = "relu",
    gamma: float | None = None,
    sigma_in: float | None = None,
    sigma_out: float | None = None,
    loss: str | None = None,
    evaluations: int = 20_000,
    popsize: int | None = None,
    step: float | None = None,
    seed: int = 0,
    settings: tuple[str, ...] = (),
) -> Settings:
    from ctrnn_theory.model.noise import Noise
    from ctrnn_theory.training.settings import Settings, find_task

    check_seed(seed)
    check_sigma(sigma_in=sigma_in, sigma_out=sigma_out)
    if sigma_in is None and sigma_out is None:
        sigma_in = DEFAULT_SIGMA
    noise = Noise(inside=sigma_in or 0.0, outside=sigma_out or 0.0)
    chosen = find_task(task, **dict(_setting(text) for text in settings))
    return Settings.of(chosen, neurons, activation, gamma, noise, loss, evaluations, popsize, step, seed)


def _setting(text: str) -> tuple[str, Any]:
    """Name and value of NAME=VALUE: a number where it reads as one, else text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set must be NAME=VALUE; got {text!r}")
    for kind in (int, float):
        try:
            return name.strip(), kind(value)
        except ValueError:
            continue
    return name.strip(), value.strip()


def _as_dict(found: Training, settings: Settings, out: Path) -> dict[str, Any]:
    return {
        **settings.to_dict(),
        "found": {
            "loss": found.loss,
            "evaluations": found.evaluations,
            "generations": len(found.losses),
            "seconds": found.seconds,
            "message": found.message,
            "network": str(out / "network.npz"),
        },
    }


def _as_text(found: Training, settings: Settings, out: Path) -> str:
    import numpy as np

    levels = [(site, np.asarray(getattr(settings.noise, site))) for site in ("inside", "outside")]
    noise = [f"{site} {level:g}" if level.ndim == 0 else f"{site}, by neuron" for site, level in levels if level.any()]
    n = settings.neurons
    following = f"; next: ctrnn-theory preference {out}" if noise else ""
    return (
        f"{settings.task.name}: {n} {settings.activation.name} neuron{'s' * (n > 1)}, gamma = {settings.gamma:g}; "
        f"noise {' and '.join(noise) or 'none'}\n"
        f"loss {found.loss:.4g} after {found.evaluations} evaluations in {found.seconds:.1f} s ({found.message})\n"
        f"kept in {out}{following}"
    )
