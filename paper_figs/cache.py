"""A cache on disk for the data of figures, so that a figure can be drawn again without computing."""

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
"""Environment variable that names the folder of the cache; by default it is the user's cache folder."""
KEPT = Path(__file__).parent / "trained"
"""Folder with a small set of trained networks, from which quick figures are made."""
MOST = 1 << 30
"""Largest number of bytes that the data of a figure may have."""
SHARED = ("networks.py", "shift.py")
"""Modules that figures compute with, besides their own."""

Data = Mapping[str, Any]


def folder(name: str) -> Path:
    """Return the folder of this name in the cache, which is made if it does not exist.

    If the user's cache folder cannot be written, the data are kept in a temporary folder while the process runs.

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
    """Return a folder that is removed when the process ends, and report once why it is used."""
    logging.getLogger("ctrnn_theory").warning(f"The data of figures are not kept after this run: {why}")
    place = tempfile.TemporaryDirectory(prefix="ctrnn_theory-", ignore_cleanup_errors=True)
    atexit.register(place.cleanup)
    return Path(place.name)


def usable(place: Path, name: str) -> Path:
    """Make a folder if it does not exist, check that it can be written, and return it; messages call it `name`."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{name} must be a folder that can be made; got {place}: {error.strerror}") from error
    if not os.access(place, os.W_OK):
        raise ValueError(f"{name} must be a folder that can be written; got {place}")
    return place


def computed(figure: ModuleType, quick: bool, fresh: bool = False) -> Data:
    """Return the data of a figure from the cache, or computed anew if its code or the package's version changed."""
    name = f"{figure.__name__.rpartition('.')[2]}{'-quick' if quick else ''}-{_key(figure, quick)}.npz"
    path = folder("figures") / name
    if not fresh:
        try:
            return read_arrays(path, MOST)
        except (OSError, ValueError):  # there is no such file, or it is damaged
            pass
    data = {key: np.asarray(value) for key, value in figure.compute(quick).items()}
    if path.exists() and not path.is_file():  # a pipe, for example, would wait for a reader
        path.unlink()
    with atomically(path) as temporary:
        np.savez(temporary, **data)
    return data


def _key(figure: ModuleType, quick: bool) -> str:
    """Hash the code that computes, without comments, docstrings and drawing functions, and the quick networks."""
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
