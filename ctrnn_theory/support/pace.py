"""Keeping calls of kernels short, since Python notices an interrupt, such as Ctrl-C, only between them."""

from __future__ import annotations

SECONDS = 0.1
"""Seconds that a call should last: short for a user, long beside what a call costs to begin."""
FIRST = 3e7
"""Operations in the first call; it lasts well below `SECONDS`, or below 1 s if the activation takes 1 µs."""
OVERHEAD = 30
"""Operations of a step of one neuron besides its products: drawing its variates, evaluating its activation."""
GROWTH = 4.0
"""Largest factor between the steps of two calls, since later steps may take more time than earlier ones."""


class Pace:
    """The number of steps that a call of a kernel takes, adapted to how long the calls before it lasted.

    Parameters
    ----------
    neurons
        Number N of neurons of a network.
    lanes
        Number of trajectories that one call advances, of all its networks.
    products
        Products of a step for each neuron; N by default.

    Examples
    --------
    >>> pace = Pace(neurons=10, lanes=64)
    >>> pace.steps
    1171
    >>> pace.lasted(1171, seconds=0.2)
    >>> pace.steps
    585
    """

    def __init__(self, neurons: int, lanes: int, products: int | None = None) -> None:
        self.steps = max(1, int(FIRST / (lanes * neurons * ((neurons if products is None else products) + OVERHEAD))))

    def lasted(self, steps: int, seconds: float) -> None:
        """Adapt to a call that took so many steps and seconds; a short one says little about a long one."""
        if seconds > SECONDS or 2 * steps >= self.steps:
            self.steps = max(1, int(steps * min(GROWTH, SECONDS / max(seconds, 1e-9))))
