"""Whether noise can carry the state from one attractor to another, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.basins import basin_of
from ctrnn_theory.dynamics.fixed_points import FixedPoints
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.stationary.law import StationaryLaw


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
        basins = basin_of(net, net.drive(u), final, np.array([point.state for point in stable]))
        shares = ", ".join(f"{np.mean(basins == i):.1%}" for i in range(min(len(stable), 6)))
        notes.append(f"simulated trajectories ended in the basins of these points in the shares {shares}")
    return tuple(notes)
