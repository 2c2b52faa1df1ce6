"""The command `figures`, and where the figures are found."""

from __future__ import annotations

import importlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from ctrnn_theory.cli.console import say
from ctrnn_theory.cli.progress import progress_bar

MISSING = (
    "the figures must be made inside a clone of the ctrnn-theory repository, whose folder paper_figs holds them; "
    "the installed package does not, and the current folder is not in such a clone"
)


@click.command("figures")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--quick", is_flag=True, help="Compute coarser data in a minute, from the networks in the repository.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("figures"), show_default=True, help="Folder to write to."
)
@click.option("--fresh", is_flag=True, help="Compute again what was computed before, but do not train again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a line for each figure.")
def figures_command(names: tuple[str, ...], quick: bool, out: Path, fresh: bool, as_json: bool) -> None:
    """Make the figures of the theory, or those named by NAME, as PDF and PNG.

    `ctrnn-theory list figures` says what each of them shows. They belong to the repository and not to the installed
    package, so the command works inside a clone. It keeps what it computes and the networks that it trains in the
    user's cache folder, or in the folder that the environment variable CTRNN_THEORY_CACHE names, and draws the same
    figure again within a second.
    """
    make = paper_figs().make
    found = {}
    with progress_bar("figures") as show:
        for made in make(names, quick, out, fresh, show):
            files = [str(path) for path in made.files]
            found[made.name] = {"files": files, "seconds": made.seconds, "headline": made.headline}
            if not as_json:
                say(f"{made.name:<12} {made.seconds:7.1f} s   {'  '.join(files)}")
    if as_json:
        say(json.dumps(found))


def paper_figs() -> Any:
    """Return the module ``paper_figs.make``, from Python's path or from the repository around the current folder.

    Raises
    ------
    ValueError
        If there is no such module in either place.
    """
    try:
        return importlib.import_module("paper_figs.make")
    except ModuleNotFoundError as error:
        if error.name not in ("paper_figs", "paper_figs.make"):
            raise
    repository = next((folder for folder in _around() if _is_repository(folder)), None)
    if repository is None:
        raise ValueError(MISSING)
    sys.path.append(str(repository))  # at the end, so that other processes take the installed ctrnn_theory too
    sys.modules.pop("paper_figs", None)  # a folder of this name without __init__.py, which was tried above
    importlib.invalidate_caches()
    return importlib.import_module("paper_figs.make")


def _around() -> tuple[Path, ...]:
    """The current folder and its parents; none if the folder has been deleted."""
    try:
        here = Path.cwd()
    except OSError:
        return ()
    return here, *here.parents


def _is_repository(folder: Path) -> bool:
    """Return whether a folder holds paper_figs beside a pyproject.toml that names ctrnn-theory."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project")
        return (
            isinstance(project, dict)
            and project.get("name") == "ctrnn-theory"
            and (folder / "paper_figs" / "__init__.py").is_file()
        )
    except (OSError, ValueError):  # it is missing, cannot be read, or is not TOML
        return False
