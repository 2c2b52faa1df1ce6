"""Running kernels on several threads: what `workers=` means for functions that run without Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from time import perf_counter
from typing import Any, NoReturn, TypeVar

from ctrnn_theory.support.arguments import positive_integer

Item = TypeVar("Item")
Workers = int | Callable[..., Any] | None


def threads(workers: Workers) -> int:
    """Return the number of threads that `workers` stands for; None and a function like ``map`` mean one for each core.

    Raises
    ------
    ValueError
        If `workers` is a number, but no integer of at least 1.
    """
    if workers is not None and not callable(workers):
        return positive_integer("workers", workers)
    affinity = getattr(os, "sched_getaffinity", None)  # which macOS and Windows lack
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def for_each(function: Callable[[Item], object], items: Sequence[Item], workers: Workers) -> None:
    """Call a function once for each item, on threads; it writes its results into arrays of its own.

    Raises
    ------
    ValueError
        If `workers` is a function that does not make each call once, in the memory of this process.
    """
    if callable(workers):
        _Calls(function, items).through(workers)
        return
    left, stopped = iter(items), Event()

    def drain() -> None:
        for item in left:  # which gives each item once, to whichever thread asks
            if stopped.is_set():
                return
            function(item)

    others = min(threads(workers), len(items)) - 1
    if others <= 0:
        drain()
        return
    with ThreadPoolExecutor(others) as pool:  # which waits for its threads at the end
        try:
            futures = [pool.submit(drain) for _ in range(others)]
            drain()  # the caller works too, so that one thread less has to be woken
            for future in futures:
                future.result()
        except BaseException:  # also an interrupt: calls that have begun are finished, and no others begin
            stopped.set()
            raise


def longest(function: Callable[[Item], object], items: Sequence[Item], workers: Workers) -> float:
    """Call a function once for each item, as :func:`for_each` does, and return the seconds of the longest call."""
    lasted: list[float] = []

    def timed(item: Item) -> None:
        begin = perf_counter()
        function(item)
        lasted.append(perf_counter() - begin)

    for_each(timed, items, workers)
    return max(lasted)


class _Calls:
    """One call of a function for each item, made by a map of the caller, and counted in this process.

    Another process would write into a copy of the arrays; its calls are not counted here, so that they are noticed as
    missing. Pickling is refused at once, so that nothing is computed in vain.
    """

    def __init__(self, function: Callable[[Item], object], items: Sequence[Item]) -> None:
        self.function, self.items, self.lock = function, items, Lock()
        self.begun, self.done = [0] * len(items), 0
        self.reason: str | None = None
        """What the map has done wrong, if anything."""

    def through(self, map_like: Callable[..., Any]) -> None:
        """Let a map make the calls."""
        try:
            returned = map_like(self, range(len(self.items)))
            for _ in returned if returned is not None else ():  # a lazy map makes its calls as its results are read
                pass
        except Exception as error:
            if self.reason is not None:
                raise self._wrong(map_like) from error
            raise
        except BaseException:  # an interrupt: no further call begins
            self.reason = "it was interrupted"
            raise
        with self.lock:
            if self.reason is None and self.done < len(self.items):
                self.reason = f"{self.done} of {len(self.items)} calls were done when it returned"
        if self.reason is not None:
            raise self._wrong(map_like)

    def __call__(self, number: int) -> None:
        with self.lock:
            self.begun[number] += 1
            if self.begun[number] > 1:
                self.reason = "it made a call twice"
            if self.reason is not None:  # the arrays are no longer used, or are those of another call
                return
        self.function(self.items[number])
        with self.lock:
            self.done += 1

    def __reduce__(self) -> NoReturn:
        self.reason = "it sends work to another process"
        raise TypeError(self.reason)

    def _wrong(self, map_like: Callable[..., Any]) -> ValueError:
        return ValueError(
            "workers must be a number of threads, or a function like map that makes each call once in this process, as"
            f" the map of a pool of threads does; got {map_like!r}: {self.reason}"
        )
