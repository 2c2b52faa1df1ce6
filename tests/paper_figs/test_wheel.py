"""The wheel holds the library alone, and its command finds the figures inside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from paper_figs import FIGURES

ROOT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder that holds what a wheel of this checkout installs."""
    place = tmp_path_factory.mktemp("wheel")
    unpacked = place / "source"
    unpacked.mkdir()
    for name in ("ctrnn_theory", "paper_figs"):
        shutil.copytree(ROOT / name, unpacked / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, unpacked)
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(place / "dist"), str(unpacked))
    subprocess.run([*PIP, *build], check=True, cwd=place)
    (wheel,) = (place / "dist").iterdir()
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", place / "site", wheel], check=True)
    return place / "site"


@pytest.fixture
def run(installed, tmp_path):
    """Return a function that runs the installed command in a folder, without the checkout on Python's path."""

    def command(folder, *arguments):
        path = [installed, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CTRNN_THEORY_CACHE": str(tmp_path / "cache"),
        }
        # without site, so that an editable installation of the checkout does not count
        call = [sys.executable, "-S", "-m", "ctrnn_theory", *map(str, arguments)]
        return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return command


def test_the_wheel_holds_the_library_alone(installed):
    names = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert names - {"bin"} == {"ctrnn_theory"}


@pytest.mark.parametrize("arguments", [("figures",), ("list", "figures")], ids=" ".join)
@pytest.mark.parametrize("pyproject", [None, '[project]\nname = "other"\n', "not TOML"])
def test_outside_the_repository_one_sentence_says_where_the_figures_are(run, tmp_path, arguments, pyproject):
    folder = tmp_path / "elsewhere"
    (folder / "paper_figs").mkdir(parents=True)
    (folder / "paper_figs" / "__init__.py").write_text("FIGURES = ()")
    if pyproject is not None:
        (folder / "pyproject.toml").write_text(pyproject)
    done = run(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "ctrnn-theory: the figures must be made inside a clone of the ctrnn-theory repository"
    )
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("folder", [ROOT, ROOT / "paper_figs" / "trained"], ids=["root", "below"])
def test_inside_the_repository_the_figures_are_found(run, folder):
    done = run(folder, "list", "figures")
    assert done.returncode == 0, done.stderr
    named = [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert named == list(FIGURES)


def test_inside_the_repository_the_command_knows_the_figures(run, tmp_path):
    done = run(ROOT, "figures", "nope", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "NAME must be one of smoothing, " in done.stderr


@pytest.mark.slow  # an installation compiles its own kernels
def test_inside_the_repository_a_figure_is_made(run, tmp_path):
    done = run(ROOT, "figures", "operating", "--quick", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["operating.pdf", "operating.png"]


def test_the_other_commands_work_without_the_figures(run, tmp_path):
    done = run(tmp_path, "bias", "relu", "--methods", "mean_field")
    assert done.returncode == 0, done.stderr
