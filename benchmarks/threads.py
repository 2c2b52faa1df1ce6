"""Simulation on one, two, four, ... threads up to all cores, in turn, since the load of a machine changes slowly."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from benchmarks.peers.ours import prepare
from benchmarks.processes import Found, cores, tell
from benchmarks.simulation import Work, works

ROUNDS, QUICK_ROUNDS = 31, 5
LEAST = 512
"""Least number of trajectories for each thread."""


def counts() -> list[int]:
    """Return the powers of two below the number of cores, and that number."""
    return sorted({*(2**k for k in range(cores().bit_length())), cores()})


def in_turn(work: Work, rounds: int) -> Found:
    """Return the best time of each number of threads, and the median of its gains over the rounds.

    The result is right if all numbers of threads give the same averages to the last digit.
    """
    advance = {count: prepare(work, workers=count)["Ensemble.measure"] for count in counts()}
    same = True
    seconds: dict[int, list[float]] = {count: [] for count in advance}
    for call in advance.values():
        call()  # compiles, and lets the start state decay
    for _ in range(rounds):
        moments = []
        for count, call in advance.items():
            begin = perf_counter()
            moments.append(call())
            seconds[count].append(perf_counter() - begin)
        same = same and all(np.array_equal(moments[0], other) for other in moments[1:])
    ns = {count: 1e9 * min(found) / work.neuron_steps for count, found in seconds.items()}
    gain = {count: float(np.median(np.divide(seconds[1], found))) for count, found in seconds.items()}
    numbers = {"activation": work.activation, "n": work.n, "trajectories": work.trajectories}
    return numbers | {"ns": ns, "gain": gain, "right": same}


def report(quick: bool) -> list[Found]:
    """Measure all networks with all activations."""
    found = []
    for work in works("inside", quick):
        tell(f"{work.activation}, N = {work.n}")
        enough = work._replace(trajectories=max(work.trajectories, LEAST * cores()))
        found.append(in_turn(enough, QUICK_ROUNDS if quick else ROUNDS))
    return found
