"""One thread for linear algebra while the package computes: the only place that limits BLAS.

Threads of OpenBLAS wait for each other by spinning. For matrices of a few hundred rows they gain little where the
machine is free, and where another process wants a core they take a hundred times as long. What is more, the last bits
of a product depend on how many threads make it. So a public function holds BLAS to one thread while it runs, unless its
network is so large that threads pay. The limit is one of the whole process: other threads of the user's see it too.
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
LARGE = 1000
"""Rows of a matrix from which BLAS keeps the threads that it has."""

_lock = Lock()
_holders: set[tuple[int, object]] = set()
"""Who needs the limit now: threads, each as often as it has asked."""
_before: list[tuple[Any, int]] = []
"""Libraries, and the threads that they had before the first of the holders came."""


@lru_cache
def _libraries() -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The BLAS libraries of this process, found once: those with one limit for all, and with one for each thread.

    NumPy and SciPy may each have one of their own. With OpenMP, each thread has its own limit.
    """
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401

    found = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
    single = [getattr(library, "threading_layer", None) == "openmp" for library in found]
    shared = tuple(library for library, own in zip(found, single, strict=True) if not own)
    return shared, tuple(library for library, own in zip(found, single, strict=True) if own)


def _set(library: Any, threads: int) -> None:
    """Set the threads of a library from whatever thread: threadpoolctl lets only the first thread that asks."""
    getattr(library, "_real_set_num_threads", library.set_num_threads)(threads)


@contextmanager
def one_thread(size: int = 0) -> Iterator[None]:
    """Hold BLAS to one thread while the block runs, unless it works on matrices of `LARGE` rows or more.

    Blocks may be nested, and may overlap in several threads: the first to come limits, and the last to go restores what
    was there before.

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
    """Forget the holders that a new process does not have: of the threads, only the one that forked goes on."""
    global _lock
    _lock = Lock()
    _holders.difference_update([holder for holder in _holders if holder[0] != get_ident()])
    _restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
