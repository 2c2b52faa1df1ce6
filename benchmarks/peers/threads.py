"""Ours on one thread and on two."""

from benchmarks.peers.ours import prepare
from benchmarks.simulation import measure, works

THREADS = (1, 2)


def report(quick: bool) -> list[dict[str, object]]:
    """ns a neuron-step of each network with tanh, by threads."""
    return [
        {"n": work.n, "ns": {count: measure(work, prepare(work, workers=count))["ns"] for count in THREADS}}
        for work in works("inside", quick)
        if work.activation == "tanh"
    ]
