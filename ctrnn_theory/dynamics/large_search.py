"""Search for the fixed points of a large network from many states, which are relaxed together.

A step of all states costs one matrix product, and a Newton step many for a single state. So the states are relaxed
until they stay or have met others, and Newton's method ends the paths that are left, one for each place where they met.
Then it also begins at states that were not relaxed, which lead to unstable points too, as long as its budget lasts.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ctrnn_theory.dynamics.newton import newton
from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.results import counted
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

FAST = 0.5  # first step length of the relaxation; what does not come to rest with it goes on with the network's own γ
SLOWEST = 0.05  # least step length: a smaller γ has the same points, and takes longer to them
MOST_STEPS = 200  # steps of the relaxation with either length
BETWEEN = 10  # steps between looks at which paths have met
MET = 1e-3  # distance, relative to 1 + |h|, at which two paths have met
QUIET = 1e-4  # velocity, relative to 1 + |h|, at which a path has come to rest
RELAXATION = 6e10  # multiplications of the relaxation, at most
AT_REST = 1e11  # multiplications of Newton's method from where paths came to rest, at most
ELSEWHERE = 2e9  # the same from other states
RESIDUAL = 1e-9  # relative, of a root


def large_search(
    net: CTRNN, drive: FloatArray, starts: FloatArray, corners: FloatArray
) -> tuple[list[FloatArray], str]:
    """Look for rates h = f(W h + drive) from many states (M, N), and from corners (L, N).

    Newton's method begins at the starts both after and, within its budget, before they are relaxed. Memory is that of a
    few copies of all states and of a few matrices (N, N).

    Returns the ends (N,) of Newton's method that are fixed points, some of which may be the same, and
    a sentence on what was searched.
    """
    rest, moving = _relaxed(net, drive, np.concatenate([starts, corners]))
    ends = list(_newton(net, drive, rest, AT_REST))
    more = list(_newton(net, drive, np.concatenate([moving, starts]), ELSEWHERE))
    found = [state for state, error in ends + more if error <= RESIDUAL]
    others, over = len(moving) + len(starts), ", where its budget ended"
    parts = [
        f"{len(starts) + len(corners)} starts were relaxed together, and came to rest at {counted(len(rest), 'place')}",
        f"{len(moving)} of their paths went on moving" if len(moving) else "",
        f"Newton's method began at {len(ends)} of these places{over}" if len(ends) < len(rest) else "",
        f"Newton's method began at {len(more)} of {others} other states{over if len(more) < others else ''}",
    ]
    return found, "; ".join(filter(None, parts))


def _relaxed(net: CTRNN, drive: FloatArray, states: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Follow the rates from states (M, N); return where paths came to rest, and where others are, one for each place.

    Long steps are faster; shorter ones have attractors that are unstable under long ones. One γ serves all neurons: the
    points do not depend on it.
    """
    rest, moving, left = _followed(net, drive, states, FAST, RELAXATION)
    if len(moving) and (own := max(float(np.min(net.gamma)), SLOWEST)) < FAST:
        more, moving, _ = _followed(net, drive, moving, own, left)
        rest = np.concatenate([rest, more])
        rest = rest[_apart(rest)]
    return rest, moving


def _followed(
    net: CTRNN, drive: FloatArray, h: FloatArray, length: float, budget: float
) -> tuple[FloatArray, FloatArray, float]:
    """Follow h' = h + length (f(W h + drive) - h) from states (M, N), one for those that meet.

    Returns the states that have come to rest, those that still move, and what is left of the budget. Those that grow
    beyond all bounds are left out.
    """
    quiet = np.zeros(len(h), dtype=bool)
    for k in range(1, MOST_STEPS + 1):
        if budget <= 0.0 or not len(h):
            break
        velocity = net.activation(h @ net.W.T + drive) - h
        moved = h + length * velocity
        inside = np.all(np.abs(moved) < BOUND, axis=1)
        h, velocity, quiet = moved[inside], velocity[inside], quiet[inside]
        budget -= len(moved) * net.n**2
        if k % BETWEEN == 0:
            kept = _apart(h)
            h, velocity = h[kept], velocity[kept]
            quiet = np.linalg.norm(velocity, axis=1) <= QUIET * _scale(h)
            if quiet.all():
                break
    return h[quiet], h[~quiet], budget


def _scale(h: FloatArray) -> FloatArray:
    """Return 1 + |h| (M,) of states (M, N)."""
    size: FloatArray = 1.0 + np.max(np.abs(h), axis=1, initial=0.0)
    return size


def _apart(h: FloatArray) -> IntArray:
    """Return the numbers of the states (M, N) that have not met an earlier one."""
    squares = np.sum(h * h, axis=1)
    met: BoolArray = squares[:, None] + squares - 2.0 * (h @ h.T) <= (MET * _scale(h)[:, None]) ** 2
    kept, covered = [], np.zeros(len(h), dtype=bool)
    for i in range(len(h)):
        if not covered[i]:
            kept.append(i)
            covered |= met[i]
    return np.array(kept, dtype=np.intp)


def _newton(net: CTRNN, drive: FloatArray, states: FloatArray, budget: float) -> Iterator[tuple[FloatArray, float]]:
    """Yield the ends (N,) of Newton's method from states (M, N) and their residuals, as long as the budget lasts.

    It begins at batches of states, of as many matrices (N, N) as the states have room for, and one at least.
    """
    f, together = net.activation, max(1, len(states) // net.n)
    rates = Wiring.in_rates(net.W, drive, net.gamma)
    for first in range(0, len(states), together):
        if budget <= 0.0:
            return
        ends, errors, solved = newton(f, f.derivative, rates, states[first : first + together])
        budget -= solved * net.n**3
        yield from zip(ends, errors, strict=True)
