"""The command `train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctrnn_theory.cli.console import check_seed, say
from ctrnn_theory.cli.noise import noise_of, noise_options, option_of
from ctrnn_theory.cli.progress import progress_bar

if TYPE_CHECKING:
    from ctrnn_theory.training.settings import Settings
    from ctrnn_theory.training.trainer import Training

DEFAULT_SIGMA = 1.0
"""Noise inside the activation in training if none is given."""


@click.command("train")
@click.argument("task", required=False)
@click.option("--neurons", type=int, help="Number of neurons.  [default: 8; regulator: 1; with solved decoders: 256]")
@click.option("--activation", help="Name of a built-in, or an expression in x.  [default: relu]")
@click.option("--gamma", type=float, help="Step over time constant, in (0, 1].  [default: 0.1; feedforward: 1]")
@click.option("--form", help="Form of the network: rate or voltage.  [default: rate]")
@noise_options
@click.option("--method", help="Method: cma, decoders or decoders+cma.  [default: cma]")
@click.option(
    "--alpha", type=float, help="Scale of drawn weights, for decoders.  [default: 1.5; bounded activation: 1]"
)
@click.option("--beta", type=float, help="Largest drawn bias, for decoders.  [default: 2; bounded activation: 1]")
@click.option("--loss", help="How the loss is computed: simulation, closure or exact.  [default: the task's first]")
@click.option("--evaluations", type=int, help="Largest number of networks to try.  [default: 20000; decoders+cma: 200]")
@click.option(
    "--popsize", type=int, help="Number of networks in a generation.  [default: 4 + 3 log n; decoders+cma: 8]"
)
@click.option(
    "--step", type=float, help="Standard deviation of the weights at the start of the search.  [default: the task's]"
)
@click.option("--seed", type=int, help="Seed of everything that is random.  [default: 0]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Setting of the task; may be repeated.")
@click.option("--workers", type=int, help="Number of threads.  [default: one for each core]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder that the run is kept in.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out from where it was cut off.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def train_command(out: Path, resume: bool, workers: int | None, as_json: bool, **options: Any) -> None:
    """Train a network for a task under noise, without gradients.

    CMA-ES searches all weights, or decoders are solved by least squares for hidden weights that are drawn (--method
    decoders), which takes seconds for 1000 neurons; decoders+cma searches the shape of the drawn weights besides.

    TASK is one of `ctrnn-theory list tasks`. If no option gives noise, it is inside the activation, at 1. A run that
    was cut off goes on with --resume, and ends in the same network; the other options may then be repeated, or left out
    but for --out.
    """
    from ctrnn_theory.support.run_folder import Folder
    from ctrnn_theory.training import checkpoint, trainer

    given = {name: value for name, value in options.items() if value not in (None, (), {})}
    if given.get("task") is None and not resume:
        raise ValueError("TASK must be given unless --resume is; see `ctrnn-theory list tasks`")
    if resume and not given:
        settings = checkpoint.read_settings(Folder(out, checkpoint.KIND))
    elif "task" not in given:
        option = option_of(given)
        raise ValueError(f"TASK must be given with {option}; without TASK, all settings are those of the run")
    else:
        settings = _settings(**given)
    with progress_bar("generations") as show:
        found = trainer.run(settings, workers, out, resume, progress=show)
    say(json.dumps(_as_dict(found, settings, out)) if as_json else _as_text(found, settings, out))


def _settings(
    task: str,
    neurons: int | None = None,
    activation: str = "relu",
    gamma: float | None = None,
    form: str = "rate",
    noise: dict[str, float] | None = None,
    loss: str | None = None,
    method: str = "cma",
    alpha: float | None = None,
    beta: float | None = None,
    evaluations: int | None = None,
    popsize: int | None = None,
    step: float | None = None,
    seed: int = 0,
    settings: tuple[str, ...] = (),
) -> Settings:
    from ctrnn_theory.training.settings import Settings, find_task

    check_seed(seed)
    given = noise_of(noise or {}, DEFAULT_SIGMA)
    chosen = find_task(task, **dict(_setting(text) for text in settings))
    search = evaluations, popsize, step
    return Settings.of(chosen, neurons, activation, gamma, given, loss, *search, seed, form, method, alpha, beta)


def _setting(text: str) -> tuple[str, Any]:
    """Return the name and the value of NAME=VALUE: a number, true or false if it can be read so, else text."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set must be NAME=VALUE; got {text!r}")
    for kind in (int, float):
        try:
            return name.strip(), kind(value)
        except ValueError:
            continue
    text = value.strip()
    return name.strip(), {"true": True, "false": False}.get(text.lower(), text)


def _as_dict(found: Training, settings: Settings, out: Path) -> dict[str, Any]:
    from ctrnn_theory.support.results import plain

    return {
        **settings.to_dict(),
        "found": {
            "loss": found.loss,
            "evaluations": found.evaluations,
            "generations": len(found.losses),
            "seconds": found.seconds,
            "message": found.message,
            **({} if found.sigma_c is None else {"K": found.K, "nu": found.nu, "sigma_c": plain(found.sigma_c)}),
            "network": str(out / "network.npz"),
        },
    }


def _as_text(found: Training, settings: Settings, out: Path) -> str:
    n = settings.neurons
    tried = f"{found.evaluations} evaluation{'s' * (found.evaluations != 1)}"
    law = "" if found.sigma_c is None else f"K = {found.K:.4g}, ν = {found.nu:.4g}: critical {found.sigma_c:.4g}\n"
    following = "" if settings.noise.is_zero else f"; `ctrnn-theory preference {out}` tests it under other noise"
    return (
        f"{settings.task.name}: {n} {settings.activation.name} neuron{'s' * (n > 1)}, gamma = {settings.gamma:g}; "
        f"noise {settings.noise.title}\n"
        f"loss {found.loss:.4g} after {tried} in {found.seconds:.1f} s ({found.message})\n{law}"
        f"The run is in {out}{following}."
    )
