"""Calls of kernels that end soon: Python hears an interrupt, such as Ctrl-C, only between them."""

from __future__ import annotations

SECONDS = 0.1
"""How long a call is to last."""
FIRST = 3e7
"""Operations in the first call: well below `SECONDS`, and below one second for an activation that takes 1 µs."""
OVERHEAD = 30
"""Operations that a neuron-step takes besides its products: its variates and its activation."""
GROWTH = 4.0
"""Factor by which calls become longer at most, since later steps may take more time than earlier ones."""


class Pace:
    """How many steps a call of a kernel takes, learned from how long the calls before it lasted.

    Parameters
    ----------
    neurons
        N of a network.
    lanes
        Trajectories that one call advances, of all its networks.

    Examples
    --------
    >>> pace = Pace(neurons=10, lanes=64)
    >>> pace.steps
    1171
    >>> pace.lasted(1171, seconds=0.2)
    >>> pace.steps
    585
    """

    def __init__(self, neurons: int, lanes: int) -> None:
        self.steps = max(1, int(FIRST / (lanes * neurons * (neurons + OVERHEAD))))

    def lasted(self, steps: int, seconds: float) -> None:
        """Learn that a call of so many steps lasted so long; one of few steps says little about a long one."""
        if seconds > SECONDS or 2 * steps >= self.steps:
            self.steps = max(1, int(steps * min(GROWTH, SECONDS / max(seconds, 1e-9))))
