"""What figures compute, kept on disk, so that drawing them again takes no time."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import BadZipFile

import numpy as np
from platformdirs import user_cache_path

import ctrnn_theory as ct
from ctrnn_theory.files import atomically

PLACE = "CTRNN_THEORY_CACHE"
"""Environment variable with the folder to keep things in; a folder of the user's for such things by default."""
SHARED = ("networks.py", "shift.py")
"""What figures compute by, besides their own file."""

Data = Mapping[str, Any]


def folder(name: str) -> Path:
    """Folder of this name, made if need be."""
    kept = os.environ.get(PLACE)
    place = (Path(kept) if kept else user_cache_path("ctrnn_theory")) / name
    place.mkdir(parents=True, exist_ok=True)
    return place


def computed(figure: ModuleType, quick: bool, fresh: bool = False) -> Data:
    """Data of a figure: those kept, if its code and the package's version are still the same, or new ones."""
    name = f"{figure.__name__.rpartition('.')[2]}{'-quick' if quick else ''}-{_key(figure)}.npz"
    path = folder("figures") / name
    if not fresh:
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as kept:
                return {key: kept[key] for key in kept.files}
        except (OSError, ValueError, BadZipFile):  # there is none, or what is left of one
            pass
    data = {key: np.asarray(value) for key, value in figure.compute(quick).items()}
    with atomically(path) as temporary:
        np.savez(temporary, **data)
    return data


def _key(figure: ModuleType) -> str:
    """Hash of the code that computes: without functions that draw, comments and docstrings."""
    source = Path(str(figure.__file__))
    code = "".join(_code(path) for path in (source, *map(source.with_name, SHARED)))
    return hashlib.sha256(f"{ct.__version__} {code}".encode()).hexdigest()[:16]


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
