"""Results that are kept in this folder, from which ``python -m docs.generate`` makes the tables of the pages."""

from __future__ import annotations

import json
from pathlib import Path

import ctrnn_theory as ct
from benchmarks.processes import Found, versions

FOLDER = Path(__file__).parent
PACKAGES = ("numpy", "scipy", "numba")


def keep(name: str, found: Found) -> None:
    """Write what a program has measured into its file, with the versions of this package and of what it is built on."""
    named = {"versions": {"ctrnn-theory": ct.__version__, **versions(PACKAGES)}}
    (FOLDER / f"{name}.json").write_text(json.dumps(named | found, indent=1) + "\n", encoding="utf-8")


def kept(name: str) -> Found:
    """Return what a program has measured."""
    found: Found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def measured_on(found: Found, **also: str) -> str:
    """Return the processor and the versions with which something was measured, of some packages besides."""
    machine, packages = found["machine"], found["versions"] | also
    listed = ", ".join(f"{package} {version}" for package, version in packages.items())
    return f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}; {listed}"
