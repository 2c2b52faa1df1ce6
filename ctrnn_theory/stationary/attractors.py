"""Whether noise can carry the state from one attractor to another, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.network import CTRNN
from ctrnn_theory.stationary.fixed_points import FixedPoint, FixedPoints
from ctrnn_theory.stationary.law import FloatArray, StationaryLaw

FLOW_TIMES = 30.0  # time constants for which an end state is let go, to see where it settles
MAX_STEPS = 5000


def attractor_notes(
    net: CTRNN, u: ArrayLike | None, base: StationaryLaw, laws: Mapping[str, StationaryLaw]
) -> tuple[str, ...]:
    """Sentences on the attractors of the noise-free network, for a report.

    Parameters
    ----------
    net, u
        The network and its constant input.
    base
        The "deterministic" law, with the fixed points found.
    laws
        The laws found, by method. The simulation's tells how many trajectories left the basin that they began in.
    """
    notes = []
    if np.any(np.isnan(base.details["fixed_point"])):
        notes.append(f"{base.details['why']}, so that there is no bias")
    points: FixedPoints = base.details["fixed_points"]
    stable = [point for point in points if point.stable]
    if len(stable) < 2:
        return tuple(notes)
    states = "; ".join(f"({', '.join(f'{x:.4g}' for x in point.state)})" for point in stable[:6])
    more = f" and {len(stable) - 6} more" if len(stable) > 6 else ""
    notes.append(
        f"{len(stable)} stable fixed points{'' if points.complete else ' found'}, {states}{more}"
        f"{'' if points.complete else f' ({points.message})'}: noise can carry the state from one to another; exact"
        " averages over those that noise reaches more than once in 1e12 steps, simulation over those that its"
        " trajectories reached, the other methods stay with the one that the start flows to"
    )
    if "simulation" in laws and "final_states" in laws["simulation"].details:
        final = np.asarray(laws["simulation"].details["final_states"])
        basins = _basin(net, u, final, stable)
        shares = ", ".join(f"{np.mean(basins == i):.1%}" for i in range(min(len(stable), 6)))
        notes.append(f"simulated trajectories ended in the basins of these points in the shares {shares}")
    return tuple(notes)


def _basin(net: CTRNN, u: ArrayLike | None, states: FloatArray, stable: list[FixedPoint]) -> FloatArray:
    """Index of the stable fixed point that each state (M, N) flows to, (M,)."""
    h = np.array(states)
    for _ in range(min(MAX_STEPS, int(np.ceil(FLOW_TIMES / net.gamma)))):
        h = (1.0 - net.gamma) * h + net.gamma * net.activation(net.preactivation(h, u))
    ends = np.array([point.state for point in stable])
    nearest: FloatArray = np.argmin(np.max(np.abs(h[:, None] - ends), axis=2), axis=1)
    return nearest
