"""How much memory there is to plan with."""

from __future__ import annotations

import math
import os

SHARE = 0.8  # of the free memory that a computation may plan with


def free_memory() -> float:
    """Bytes of memory that are free, or could be freed; of the whole machine where that is not told."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return 1024.0 * next(float(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) if hasattr(os, "sysconf") else math.inf
