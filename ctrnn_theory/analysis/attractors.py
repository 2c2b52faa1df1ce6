"""Sentences on whether noise can carry the state from one attractor to another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.basins import basin_of
from ctrnn_theory.dynamics.fixed_points import FixedPoints
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.results import FEW, row_of

MOST_NAMED = 6  # attractors that a sentence names


def attractor_notes(
    net: CTRNN, u: ArrayLike | None, base: StationaryLaw, laws: Mapping[str, StationaryLaw]
) -> tuple[str, ...]:
    """Return sentences on the attractors of the noise-free network, for a report.

    Parameters
    ----------
    net, u
        The network and its constant input.
    base
        Law of the method "deterministic", whose details hold the fixed points.
    laws
        Laws by method. That of the simulation holds the states in which its trajectories ended.
    """
    notes = []
    if np.any(np.isnan(base.details["fixed_point"])):
        notes.append(f"{base.details['why']}, so that there is no bias")
    points: FixedPoints = base.details["fixed_points"]
    stable = [point for point in points if point.stable]
    if len(stable) < 2:
        return tuple(notes)
    states = "; ".join(f"({row_of(point.state, FEW, '.4g')})" for point in stable[:MOST_NAMED])
    more = f" and {len(stable) - MOST_NAMED} more" if len(stable) > MOST_NAMED else ""
    notes.append(
        f"{len(stable)} stable fixed points{'' if points.complete else ' found'}, {states}{more}"
        f"{'' if points.complete else f' ({points.message})'}: noise can carry the state from one to another; exact"
        " averages over those that noise reaches more than once in 1e12 steps, simulation over those that its"
        " trajectories reached, and the other methods stay with the one to which the start state settles"
    )
    if "simulation" in laws and "final_states" in laws["simulation"].details:
        final = np.asarray(laws["simulation"].details["final_states"])
        basins = basin_of(net, net.drive(u), final, np.array([point.state for point in stable]))
        shares = ", ".join(f"{np.mean(basins == i):.1%}" for i in range(min(len(stable), MOST_NAMED)))
        notes.append(f"simulated trajectories ended in the basins of these points in the shares {shares}")
    return tuple(notes)
