"""Keeping compiled kernels on disk between processes, and compiling them anew when their source changes.

Numba keeps a function beside its file, or in the user's cache, and compiles it anew when that file changes. This module
adds two things. A kernel is also compiled anew when a module changes that its own module imports, directly or not,
since Numba compiles into a function what it calls. And if no such folder can be written, as in many containers, kernels
are kept in a private folder for temporary files, or not at all, which costs time but changes no result.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba.core import config, sigutils
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.runtime import rtsys
from numba.core.typing import bufproto, ctypes_utils  # noqa: F401 - else the first call of a kernel imports these
from numba.experimental import function_type  # noqa: F401 - modules, perhaps in two threads, which then disturb each other
from platformdirs import user_cache_path

PACKAGE = Path(__file__).parents[1]
IMPORT = re.compile(r"^\s*(?:from|import)\s+([\w.]+)(?:\s+import\s+(\([^)]*\)|[^#\n]*))?", re.MULTILINE)
NOWHERE = "No folder for compiled kernels can be written, so that each process compiles them anew"
IN_TEMPORARY = (
    "Compiled kernels are kept in {}, since neither the folder of the package nor the user's cache can be written"
)
REMEDY = ". Set the environment variable NUMBA_CACHE_DIR to a folder to keep them in."


def keep(dispatcher: Any) -> None:
    """Let a compiled function be kept on disk and read from there, if there is a folder for it."""
    if folder(os.path.dirname(os.path.abspath(dispatcher.py_func.__code__.co_filename))) is not None:
        dispatcher._cache = _Cache(dispatcher.py_func)


@lru_cache
def folder(source: str) -> str | None:
    """Return the first folder that can be written for the kernels of a folder of sources, and make it if need be."""
    name = f"{os.path.basename(source)}_{hashlib.sha256(source.encode()).hexdigest()[:32]}"
    for place in _places(source, name):
        if _usable(place):
            return str(place)
    private = temporary()
    if private is not None and _usable(private / name):
        _report(IN_TEMPORARY.format(private))
        return str(private / name)
    _report(NOWHERE)
    return None


def _places(source: str, name: str) -> Iterator[Path]:
    """Give the folders to try: the one that the user has set, that of the package, and the user's cache."""
    if config.CACHE_DIR:
        yield Path(config.CACHE_DIR, name)
    if os.path.isdir(source):  # not within a zip file
        yield Path(source, "__pycache__")
    users = user_cache_path(PACKAGE.name)
    if users.is_absolute():  # which it is not for a user without a home
        yield users / "kernels" / name


def _usable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place).close()
    except OSError:
        return False
    return True


@lru_cache
def temporary() -> Path | None:
    """Return a folder for temporary files that nobody else can write to, or None if there cannot be one.

    What it holds is executed when it is loaded, so that it must belong to the user alone and must not be a link. Others
    cannot replace it if its parent has the sticky bit, as the one for all users has, or if they cannot write to that.
    """
    if not hasattr(os, "geteuid"):  # Windows, where each user has a folder for temporary files
        return Path(tempfile.gettempdir()) / PACKAGE.name
    with suppress(OSError):
        parent = Path(tempfile.gettempdir())
        place = parent / f"{PACKAGE.name}-{os.geteuid()}"
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
        above, here = parent.stat().st_mode, place.lstat()
        private = stat.S_ISDIR(here.st_mode) and here.st_uid == os.geteuid() and not here.st_mode & 0o077
        if private and (above & stat.S_ISVTX or not above & 0o022):
            return place
    return None


@lru_cache
def _report(message: str) -> None:
    """Log a warning once; it goes to standard error unless the user decides otherwise, and logging never raises."""
    logging.getLogger(PACKAGE.name).warning(message + REMEDY)


@lru_cache
def stamp(path: str) -> str:
    """Return a hash of the source of a module and of all modules of the package that it imports, directly or not."""
    if not os.path.isfile(path):  # within a zip file, which is a whole
        archive = next((above for above in Path(path).parents if above.is_file()), None)
        return str(archive and (archive.stat().st_mtime_ns, archive.stat().st_size))
    total = hashlib.sha256()
    for file in sorted(sources(Path(path))):
        total.update(f"{file.name}\0".encode() + _text(file).encode() + b"\0")
    return total.hexdigest()


def sources(file: Path) -> set[Path]:
    """Return the files of a module and of all modules of the package that it imports, directly or not."""
    found, left = {file}, [file]
    while left:
        new = set(_imported(left.pop())) - found
        found |= new
        left += new
    return found


@lru_cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@lru_cache
def _imported(file: Path) -> tuple[Path, ...]:
    """Return the files of the modules of the package that a file imports."""
    names = set()
    for module, what in IMPORT.findall(_text(file)):
        if module.partition(".")[0] == PACKAGE.name:
            names |= {module, *(f"{module}.{name}" for name in re.findall(r"\w+", what))}
    bases = [PACKAGE.parent.joinpath(*name.split(".")) for name in names]
    files = [file for base in bases for file in (base.with_suffix(".py"), base / "__init__.py")]
    return tuple(sorted(file for file in files if file.is_file()))


class _Locator(_CacheLocator):
    """What Numba asks for to find a kernel: its folder, its stamp and its name."""

    def __init__(self, path: str) -> None:
        self._py_file = path

    def get_cache_path(self) -> str | None:
        return folder(os.path.dirname(os.path.abspath(self._py_file)))

    def get_source_stamp(self) -> str:
        return stamp(self._py_file)

    def get_disambiguator(self) -> str:
        return "kernel"  # not its line, so that a kernel that has moved in its file replaces the one that was kept


class _Impl(CompileResultCacheImpl):
    def __init__(self, py_func: Any) -> None:
        path = py_func.__code__.co_filename
        self._lineno, self._locator = py_func.__code__.co_firstlineno, _Locator(path)
        self._filename_base = self.get_filename_base(
            f"{Path(path).stem}.{py_func.__qualname__}", getattr(sys, "abiflags", "")
        )


class _Cache(FunctionCache):
    """A cache without errors: what cannot be read is compiled, and what cannot be written is not kept."""

    _impl_class = _Impl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            # Numba's own method imports all that it can compile first, which takes longer than loading many kernels
            rtsys.initialize(target_context)
            found = self._load_overload(sig, target_context)
            if found is None or tuple(found.signature.args) == tuple(sigutils.normalize_signature(sig)[0]):
                return found  # two processes that keep two signatures at once may take the same name
        except Exception:  # damaged bytes may cause anything
            pass
        with suppress(OSError):
            self.flush()
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)
