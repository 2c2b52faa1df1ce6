"""An orbit by simulation, with standard errors over groups of trajectories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.orbit.law import DIMENSIONS, OrbitLaw
from ctrnn_theory.analysis.orbit.regions import Regions, dwell_times, transition_matrix
from ctrnn_theory.analysis.orbit.rotation import rotation_planes, turning
from ctrnn_theory.analysis.orbit.tally import GROUPS, Tally
from ctrnn_theory.integrators.ensemble import BOUND, Ensemble, Unbounded
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.memory import shortage
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import Workers

PILOT = GROUPS // 4
"""Groups in which planes are looked for; rates are then those of the others, which the choice does not bias."""
CHUNK = 1 << 22
"""Numbers in the states that are held at once."""
DRIFT = 6.0
"""Standard errors by which the means of the two halves of a run may differ; one in a million does so by chance."""
SHOWN = 1000
"""Last steps of a trajectory that are kept for pictures."""
GROWS = f"W must keep the state bounded; in a simulation it passes {BOUND:g}"


@dataclass(frozen=True)
class Plan:
    """How long is simulated."""

    steps: int
    """Steps that are measured."""
    burn_in: int
    """Steps before."""
    trajectories: int
    """Least number of trajectories."""
    rng: Any
    """Seed."""
    workers: Workers
    """Threads."""


def simulated(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None,
    start: ArrayLike | None,
    regions: Regions,
    plan: Plan,
    planes: FloatArray | int,
    report: Callable[[int], object],
) -> tuple[OrbitLaw, FloatArray, FloatArray]:
    """Return the law by simulation, the planes (Q, 2, N), and the last states (T, N) of a trajectory.

    Raises
    ------
    Divergence
        If a state grows without bound.
    ValueError
        If the sums do not fit into memory.
    """
    if short := shortage(8.0 * 3 * GROUPS * net.n**2):
        raise ValueError(f"net must have sums of products that fit into memory: {short}")
    ensemble = Ensemble(net, noise, net.drive(u), start, plan.trajectories, plan.rng, plan.workers)
    lanes = ensemble.h.shape[1]
    if plan.burn_in:
        try:
            ensemble.advance(plan.burn_in)
        except Unbounded as error:
            raise Divergence(GROWS) from error
    before = ensemble.states
    tally, half, done = Tally(regions, before.mean(axis=0)), -(-plan.steps // 2), 0
    shown = before[None, 0]
    while done < plan.steps:
        report(done)
        first = done < half
        end = half if first else plan.steps
        steps = min(max(1, CHUNK // before.size), end - done)
        rows = np.concatenate([before[None], ensemble.record(steps, 1, lanes)])
        if not np.all(np.abs(rows[-1]) < BOUND):
            raise Divergence(GROWS)
        tally.add(rows, 0 if first else 1, steps / (half if first else plan.steps - half))
        shown = np.concatenate([shown, rows[1:, 0]])[-SHOWN:]
        before, done = rows[-1], done + steps
    if isinstance(planes, int):
        pilot = _moments(tally, slice(0, PILOT))
        planes, used = rotation_planes(pilot["covariance"], pilot["lagged"], planes), np.arange(PILOT, GROUPS)
    else:
        used = np.arange(GROUPS)
    return _law(tally, planes, used), planes, shown


def _moments(tally: Tally, groups: Any) -> dict[str, FloatArray]:
    """Return mean, covariance and lagged covariance over some groups (G,), or for each row of groups (B, G)."""
    samples = tally.samples * np.shape(tally.first[groups])[-2]
    first, later = tally.first[groups].sum(axis=-2) / samples, tally.later[groups].sum(axis=-2) / samples
    square, cross = (x[groups].sum(axis=-3) / samples for x in (tally.square, tally.cross))
    C = square - first[..., :, None] * first[..., None, :]
    K = cross - later[..., :, None] * first[..., None, :]
    return {"mean": tally.centre + first, "covariance": C, "lagged": K}


def _law(tally: Tally, planes: FloatArray, used: Any) -> OrbitLaw:
    """Return all that follows from the sums, with standard errors by the jackknife over groups."""
    moved = tally.moved() if tally.regions.count else None

    def measured(every: Any, some: Any) -> dict[str, FloatArray]:
        found = _moments(tally, every)
        at = _moments(tally, some)
        found |= turning(planes, at["covariance"], at["lagged"])._asdict()
        if tally.regions.symbols:
            found["emission"] = transition_matrix(tally.emitted[every].sum(axis=0))
        if moved is not None:
            joint = moved[every].sum(axis=0)
            found["occupancy"], found["transitions"] = joint.sum(axis=1) / joint.sum(), transition_matrix(joint)
            found["dwell"] = dwell_times(found["transitions"])
        return found

    groups = np.arange(GROUPS)
    total = measured(groups, used)
    without = [measured(np.delete(groups, g), used[used != g]) for g in groups]
    errors = {}
    for name in total:
        count = len(used) if name in ("rate", "angle", "variance") else GROUPS
        values = np.array([one[name] for one in without])[-count:]  # the pilot groups come first, and change nothing
        if name == "angle":
            values = total[name] + np.angle(np.exp(1j * (values - total[name])))  # near ±π
        errors[name] = np.sqrt((count - 1.0) * np.mean((values - values.mean(axis=0)) ** 2, axis=0))
    drift = np.diff(tally.halves, axis=0)[0]
    spread = drift.std(axis=0, ddof=1) / np.sqrt(GROUPS)
    moving = bool(np.any(np.abs(drift.mean(axis=0)) > DRIFT * spread + 1e-12 * np.abs(tally.centre)))
    return OrbitLaw(
        "simulation",
        **total,
        sojourns=None if moved is None else tally.sojourns(),
        standard_errors={name: errors[name] for name in DIMENSIONS if name in errors},
        converged=not moving,
        message="the means of the two halves of the run differ: burn_in is too short" if moving else "",
    )
