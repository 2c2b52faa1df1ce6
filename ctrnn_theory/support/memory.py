"""The memory that is free, and whether it is enough."""

from __future__ import annotations

import math
import os

SHARE = 0.8
"""Share of the free memory that a computation may plan to use."""


def free_memory() -> float:
    """Return the bytes of memory that are free or can be freed; all of the machine's where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return 1024.0 * next(float(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) if hasattr(os, "sysconf") else math.inf


def shortage(needed: float) -> str:
    """Return how many bytes a computation needs and how many are free, as text, or nothing where these are enough.

    Examples
    --------
    >>> shortage(1e3), shortage(1e18).partition(";")[0]
    ('', 'about 1e+09 GB are needed')
    """
    free = free_memory()
    return "" if needed <= SHARE * free else f"about {needed / 1e9:.3g} GB are needed; {free / 1e9:.3g} GB are free"
