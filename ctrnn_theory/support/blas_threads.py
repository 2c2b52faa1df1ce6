"""Holding linear algebra to one thread while the package computes; no other module limits BLAS.

Threads of OpenBLAS wait for each other in busy loops. For matrices of a few hundred rows they gain little on an idle
machine, and take a hundred times as long if another process needs a core. At 1000 rows the eigenvalues and the Cholesky
factor still take ten times as long then, while products alone would gain. Moreover, the last bits of a product depend
on the number of threads. A public function therefore holds BLAS to one thread while it runs, unless its network is so
large that threads pay off. The limit holds for the whole process, so that other threads of the user see it too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from threading import Lock, get_ident
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")
LARGE = 2000
"""Number of rows of a matrix from which BLAS keeps its threads, since one thread then takes too long."""

_lock = Lock()
_holders: set[tuple[int, object]] = set()
"""The blocks that need the limit now, each with its thread."""
_before: list[tuple[Any, int]] = []
"""Libraries, and the numbers of threads that they had before the first of these blocks began."""


@lru_cache
def _libraries() -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the BLAS libraries of this process: those with one limit for all threads, and those with one for each.

    NumPy and SciPy may each have a library of their own. With OpenMP, each thread has its own limit.
    """
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401

    found = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
    single = [getattr(library, "threading_layer", None) == "openmp" for library in found]
    shared = tuple(library for library, own in zip(found, single, strict=True) if not own)
    return shared, tuple(library for library, own in zip(found, single, strict=True) if own)


def _set(library: Any, threads: int) -> None:
    """Set the number of threads of a library from any thread; threadpoolctl allows it only to the first that asks."""
    getattr(library, "_real_set_num_threads", library.set_num_threads)(threads)


@contextmanager
def one_thread(size: int = 0) -> Iterator[None]:
    """Hold BLAS to one thread while the block runs, unless it works on matrices of `size` >= `LARGE` rows.

    Blocks may be nested, and may overlap in several threads: the first one sets the limit, and the last one to end
    restores what was there before.

    Examples
    --------
    >>> with one_thread():
    ...     [library.num_threads for library in _libraries()[0] if library.num_threads != 1]
    []
    """
    if size >= LARGE:
        yield
        return
    (shared, own), holder = _libraries(), (get_ident(), object())
    mine = [(library, library.num_threads or 1) for library in own]
    try:
        for library in own:
            _set(library, 1)
        with _lock:
            if not _holders:
                _before.extend((library, library.num_threads or 1) for library in shared)
                for library in shared:
                    _set(library, 1)
            _holders.add(holder)
        yield
    finally:
        for library, threads in mine:
            _set(library, threads)
        with _lock:
            _holders.discard(holder)
            _restore()


def _restore() -> None:
    while _before and not _holders:
        _set(*_before.pop())


def limited(function: Callable[P, R]) -> Callable[P, R]:
    """Hold BLAS to one thread while a function runs, unless its first argument is a network of `LARGE` neurons."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        first = args[0] if args else kwargs.get("net")
        with one_thread(getattr(first, "n", 0)):
            return function(*args, **kwargs)

    return inner


def _after_fork() -> None:
    """Forget the blocks of threads that a new process does not have: only the thread that forked goes on in it."""
    global _lock
    _lock = Lock()
    _holders.difference_update([holder for holder in _holders if holder[0] != get_ident()])
    _restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
