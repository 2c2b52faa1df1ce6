"""Work spread over threads: what `workers=` means where kernels run without Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar

from ctrnn_theory.arguments import positive_integer

Item = TypeVar("Item")
Workers = int | Callable[..., Any] | None


def threads(workers: Workers) -> int:
    """How many threads `workers` stands for: a number, or for None and a function like ``map`` one a core.

    Raises
    ------
    ValueError
        For a number that is not an integer of at least 1.
    """
    if workers is not None and not callable(workers):
        return positive_integer("workers", workers)
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS or Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def spread(function: Callable[[Item], object], items: Sequence[Item], workers: Workers) -> None:
    """Call a function, which writes its results into arrays of its own, for each item."""
    if callable(workers):
        list(workers(function, items))
        return
    rest, stopped = iter(items), Event()

    def drain() -> None:
        for item in rest:  # an iterator of a sequence gives each item once, whoever asks
            if stopped.is_set():
                return
            function(item)

    others = min(threads(workers), len(items)) - 1
    if others <= 0:
        drain()
        return
    with ThreadPoolExecutor(others) as pool:  # which waits for its threads in the end
        try:
            futures = [pool.submit(drain) for _ in range(others)]
            drain()  # the caller works too: waking up one thread less
            for future in futures:
                future.result()
        except BaseException:  # an interrupt too: what others have begun is finished, and nothing else is begun
            stopped.set()
            raise
