"""Simulation beside NumPy against the number of neurons and of trajectories, for tanh and noise inside, on one core."""

from benchmarks.peers import ours, with_numpy
from benchmarks.processes import Found, tell
from benchmarks.simulation import QUICK_STEPS, STEPS, Work, judged, measure, network

NEURONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STATES = 16_384
"""Product N K for networks of several sizes; K is 64 to 10 240, a multiple of this package's block."""
TRAJECTORIES = (64, 256, 1_024, 4_096, 16_384, 65_536)


def works(quick: bool) -> dict[str, list[Work]]:
    """Return the works, by the name of what grows."""
    steps = QUICK_STEPS if quick else STEPS

    def work(n: int, trajectories: int) -> Work:
        return network("tanh", "inside", n, trajectories, steps)

    return {
        "neurons": [work(n, min(10_240, max(64, STATES // n))) for n in NEURONS[:: 2 if quick else 1]],
        "trajectories": [work(2, k) for k in TRAJECTORIES[:: 2 if quick else 1]],
    }


def report(quick: bool) -> dict[str, list[Found]]:
    """Return ns a neuron-step for all works."""
    found = {}
    for name, many in works(quick).items():
        found[name] = []
        for work in many:
            tell(f"{name}: N = {work.n}, K = {work.trajectories}")
            mine, other = (measure(work, peer.prepare(work), quick) for peer in (ours, with_numpy))
            results = {"ours": judged(work, mine, mine), "numpy": judged(work, other, mine)}
            found[name].append({"n": work.n, "trajectories": work.trajectories, "results": results})
    return found
