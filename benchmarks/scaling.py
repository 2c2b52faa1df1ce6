"""Ours beside NumPy with the number of neurons, and with that of trajectories; tanh, noise inside, one core."""

from benchmarks.peers import ours, with_numpy
from benchmarks.processes import Found, tell
from benchmarks.simulation import QUICK_STEPS, STEPS, Work, judged, measure, network

NEURONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STATES = 16_384
"""N K of the networks of many sizes; K is 64 to 10 240, whole blocks of ours."""
TRAJECTORIES = (64, 256, 1_024, 4_096, 16_384, 65_536)


def works(quick: bool) -> dict[str, list[Work]]:
    """What grows, and the works."""
    steps = QUICK_STEPS if quick else STEPS

    def work(n: int, trajectories: int) -> Work:
        return network("tanh", "inside", n, trajectories, steps)

    return {
        "neurons": [work(n, min(10_240, max(64, STATES // n))) for n in NEURONS[:: 2 if quick else 1]],
        "trajectories": [work(2, k) for k in TRAJECTORIES[:: 2 if quick else 1]],
    }


def report(quick: bool) -> dict[str, list[Found]]:
    """ns a neuron-step."""
    found = {}
    for name, many in works(quick).items():
        found[name] = []
        for work in many:
            tell(f"{name}: N = {work.n}, K = {work.trajectories}")
            mine, other = (measure(work, peer.prepare(work), quick) for peer in (ours, with_numpy))
            results = {"ours": judged(work, mine, mine), "numpy": judged(work, other, mine)}
            found[name].append({"n": work.n, "trajectories": work.trajectories, "results": results})
    return found
