"""What figures compute, kept on disk, so that drawing them again takes no time."""

from __future__ import annotations

import ast
import atexit
import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from platformdirs import user_cache_path

import ctrnn_theory as ct
from ctrnn_theory.support.files import atomically
from ctrnn_theory.support.npz import read_arrays

PLACE = "CTRNN_THEORY_CACHE"
"""Environment variable with the folder to keep things in; a folder of the user's for such things by default."""
KEPT = Path(__file__).parent / "trained"
"""Small set of trained networks, for the quick figures."""
MOST = 1 << 30
"""Bytes that the data of a figure may have."""
SHARED = ("networks.py", "shift.py")
"""What figures compute by, besides their own file."""

Data = Mapping[str, Any]


def folder(name: str) -> Path:
    """Return the folder of this name, made if need be.

    Without a folder that can be written, what is computed is kept while the process runs, which costs time but no
    figure.

    Raises
    ------
    ValueError
        If the folder that the environment variable names cannot be written.
    """
    kept = os.environ.get(PLACE)
    if kept:
        return usable(Path(kept) / name, PLACE)
    try:
        return usable(user_cache_path("ctrnn_theory") / name, PLACE)
    except ValueError as error:
        return usable(_temporary(str(error)) / name, PLACE)


@lru_cache
def _temporary(why: str) -> Path:
    """Return a folder that is removed as the process ends, and report once why it is used."""
    logging.getLogger("ctrnn_theory").warning(f"What figures compute is not kept after this run: {why}")
    place = tempfile.TemporaryDirectory(prefix="ctrnn_theory-", ignore_cleanup_errors=True)
    atexit.register(place.cleanup)
    return Path(place.name)


def usable(place: Path, name: str) -> Path:
    """Make a folder if need be, and see that it can be written; `name` is what the user knows it by."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{name} must be a folder that can be made; got {place}: {error.strerror}") from error
    if not os.access(place, os.W_OK):
        raise ValueError(f"{name} must be a folder that can be written; got {place}")
    return place


def computed(figure: ModuleType, quick: bool, fresh: bool = False) -> Data:
    """Data of a figure: those kept, if its code and the package's version are still the same, or new ones."""
    name = f"{figure.__name__.rpartition('.')[2]}{'-quick' if quick else ''}-{_key(figure, quick)}.npz"
    path = folder("figures") / name
    if not fresh:
        try:
            return read_arrays(path, MOST)
        except (OSError, ValueError):  # none, or a damaged one
            pass
    data = {key: np.asarray(value) for key, value in figure.compute(quick).items()}
    if path.exists() and not path.is_file():  # such as a pipe, which would wait for a reader
        path.unlink()
    with atomically(path) as temporary:
        np.savez(temporary, **data)
    return data


def _key(figure: ModuleType, quick: bool) -> str:
    """Hash of the code that computes, without functions that draw, comments and docstrings; of quick networks too."""
    source = Path(str(figure.__file__))
    code = "".join(_code(path) for path in (source, *map(source.with_name, SHARED)))
    found = hashlib.sha256(f"{ct.__version__} {code}".encode())
    for path in sorted(KEPT.iterdir()) if quick else ():
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:16]


def _code(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and _draws(node))]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def _draws(function: ast.FunctionDef) -> bool:
    first = function.args.args[:1]
    return function.name == "draw" or any(argument.arg == "ax" for argument in first)
