"""Simulation of the map: an ensemble of trajectories, with control variates and standard errors."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.settle import jacobian, spectral_radius
from ctrnn_theory.integrators.ensemble import Averages, Ensemble, Unbounded, standard_error
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.arguments import positive_integer, positive_number
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.types import FloatArray

WORK = 5e7  # neuron-steps of a run without a target: well under a second on one core for a small network
PIECE = 2e8  # neuron-steps between looks at the table and the interrupt key
DECAY = 30.0  # e-folds that the start is given to die away: e^-30 is 1e-13
ENOUGH = 10.0  # e-folds without which the start is reported to be still felt
PILOT = 10.0  # relaxation times that a pilot run averages over
PATIENCE = 2e8  # neuron-steps that the start is given at most, or
LONGEST = 100.0  # time constants, where those are longer
SAMPLED = 0.5  # time constants between samples: consecutive steps say nearly the same
ALIKE = 0.5  # correlation of a trajectory's means over both parts, by chance below 0.25 for 512 trajectories
ROUNDING = 32 * np.finfo(np.float64).eps  # relative error that many steps of rounding may leave in a mean
DRIFT = 5.0  # standard errors between two parts of a run that are taken for a drift
WORTH = 0.9  # standard error with the control variate, relative to that without, at which it is used
PARTS = 4  # that a run is measured in: early ones against late ones, and replicates for the error of the covariance
LARGEST_RADIUS = 1.0 - 1e-6  # of A, up to which the control variate of the covariance is solved for
LARGEST_CONDITION = 1e8  # of its eigenvectors, likewise
TINY = np.finfo(np.float64).tiny
SPARE = 1.1  # steps planned beyond what the pilot's standard error asks for


@dataclass(frozen=True, eq=False)
class Plan:
    """What is settled before the measuring starts."""

    M: FloatArray | None
    """Matrix of the control variate (N, N), or None."""
    slopes: FloatArray | None
    """Slopes (N,) that the control variate of the covariance is made with, or None."""
    pilot: Averages
    """The run that it was settled from, no part of the result: M must not depend on what it multiplies."""
    every: int
    """Steps between samples."""
    pilot_steps: int
    """Steps of the pilot run."""
    quiet: bool
    """Whether there is no noise at all, so that one trajectory tells all."""
    controlled: bool
    """Whether control variates are measured at all."""
    relaxations: float
    """Relaxation times of the linear response that the start was given; infinite where that is not stable."""


def solve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    target_se: float | None = None,
    trajectories: int = 512,
    steps: int | None = None,
    max_steps: int = 10_000_000,
    rng: Any = 0,
    workers: int | Callable[..., Any] | None = None,
    control_variate: bool = True,
    antithetic: bool = False,
) -> StationaryLaw:
    """Stationary mean and covariance by simulation of the map itself, with control variates for both.

    The mean is the average of ``h + M (F(W h + drive; σ_in) - h)``, with F the smoothed activation and
    ``M = (I - D̄ W)⁻¹``, ``D̄ = diag F'``, from a pilot run. What M multiplies has mean zero exactly, so that M
    decides on the variance only. For a neuron whose variance the pilot sees it raise, M is zero.

    The covariance is the average of ``d dᵀ + X``, d = h - c, where X solves ``X = A X Aᵀ + E[d' d'ᵀ | h] - d dᵀ``, d' a
    step later and ``A = (1-γ) I + γ D̄ W``: what X is made of has mean zero exactly as well. It needs the covariance of
    one step given h, which for noise inside that is common to neurons is not tabulated: then, where the pilot sees no
    gain, and where an eigenvalue came out negative, the covariance is the plain one.

    What no trajectory has met has no part in the standard error: an event too rare for the run, such as a jump to
    another attractor, biases the mean unseen.

    A first stage finds the relaxation rate from the eigenvalues of ``(1-γ) I + γ D̄ W`` and lets the start die
    away over 30 relaxation times, but for no more than 2e8 neuron-steps, or 100 time constants where that is
    longer; a burn-in of fewer than 10 relaxation times, and a drift that remains, are reported. Memory does not grow
    with the number of steps. The same ``rng`` gives the same numbers whatever the number of threads.

    Parameters
    ----------
    net, noise, u, start
        The network, its noise, constant input (K,) or None, and the state (N,) where trajectories start.
    target_se
        Run until the largest standard error of the mean is at most this. None: run `steps`.
    trajectories
        Independent ones, rounded up to a multiple of 64; standard errors are over them.
    steps
        Measured steps of each trajectory, when there is no `target_se`. None: 5e7 neuron-steps in all, about
        half a second of one core, or 20 relaxation times where that is more.
    max_steps
        With `target_se`: measured steps of each trajectory, at most.
    rng
        int, SeedSequence, Generator, or None for fresh entropy.
    workers
        Threads, None for one a core; or a function like ``map``, of this process.
    control_variate
        Whether mean and covariance are taken with their control variates.
    antithetic
        Whether trajectories come in pairs under noise of opposite signs. It helps where the control variate does not:
        without one, in nearly linear networks.

    Returns
    -------
    StationaryLaw
        ``converged`` is False if the target was not reached or the ensemble still drifted. In ``details``:
        ``plain_mean``, ``plain_standard_error`` (without the control variate), ``variance_reduction`` (N,),
        ``covariance_standard_error`` (N, N), over blocks of 64 trajectories in the parts of the run,
        ``plain_covariance``, ``variance_standard_error`` (N,) of its diagonal, ``autocorrelation_time`` (N,) of h in
        steps (of the mean of two partners, if antithetic), ``trajectories``, ``steps``, ``burn_in``, ``every``,
        ``table_error`` (of F, relative) and ``final_states`` (trajectories, N).

    Raises
    ------
    Divergence
        If the state grows without bound.
    ValueError
        For options out of range, or both `steps` and `target_se`.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> law = solve(net, Noise(inside=0.5), target_se=1e-4, rng=0)
    >>> bool(abs(law.mean[0] - 0.3770394962) < 5 * law.standard_error[0])
    True
    """
    if target_se is not None and steps is not None:
        raise ValueError(f"steps must be None when target_se is given; got {steps!r}")
    if target_se is not None:
        target_se = positive_number("target_se", target_se)
    limit = positive_integer("max_steps", max_steps)
    fixed = None if steps is None else positive_integer("steps", steps)
    count = positive_integer("trajectories", trajectories)
    drive = net.drive(u)
    quiet = noise.is_zero
    ensemble = Ensemble(net, noise, drive, start, 1 if quiet else count, rng, workers, antithetic and not quiet)
    try:
        plan = plan_run(net, noise, drive, ensemble, control_variate and not quiet, quiet)
        burn_in = ensemble.steps
        parts = _run(ensemble, plan, target_se, fixed, limit)
    except Unbounded as error:
        raise Divergence(f"W must keep the state bounded; {error}") from None
    early, late = _joined(parts[: PARTS // 2]), _joined(parts[PARTS // 2 :])
    _check_growth(net, noise, drive, early, late)
    return _law(net, ensemble, plan, parts, early, late, target_se, burn_in)


def plan_run(
    net: CTRNN, noise: Noise, drive: FloatArray, ensemble: Ensemble, control_variate: bool, quiet: bool
) -> Plan:
    """Let the start die away, and settle how to measure."""
    every = max(1, int(SAMPLED / net.gamma))
    time = math.ceil(PILOT / net.gamma)
    ensemble.advance(time)
    first = measured(ensemble, time, every, ensemble.states.mean(axis=0))
    slopes = _slopes(net, noise, drive, first)
    decay = 1.0 - spectral_radius(jacobian(net.W, slopes, net.gamma))
    rate = max(decay, 1e-12)
    longest = max(math.ceil(LONGEST / net.gamma), int(PATIENCE / ensemble.h.size))
    ensemble.advance(max(1, min(math.ceil(DECAY / rate), longest) - ensemble.steps))
    relaxations = decay * ensemble.steps if decay > 0.0 else np.inf
    if control_variate:
        separate = np.ndim(noise.inside) < 2  # else what neurons share within a step is not in the table
        ensemble.tabulate(first.low, first.high, separate)
    length = max(time, min(math.ceil(PILOT / rate), longest // 4))
    pilot = measured(ensemble, length, every, ensemble.states.mean(axis=0), control_variate)
    if not control_variate:
        return Plan(None, None, pilot, every, length, quiet, False, relaxations)
    slopes = _slopes(net, noise, drive, pilot)
    kept = slopes if _controls_covariance(net, slopes, pilot) else None
    return Plan(_control(net, slopes, pilot), kept, pilot, every, length, quiet, True, relaxations)


def _run(ensemble: Ensemble, plan: Plan, target_se: float | None, steps: int | None, limit: int) -> list[Averages]:
    """Measure, in `PARTS` parts or more, for `steps` or until the target is reached."""
    centre = plan.pilot.centre + plan.pilot.first.mean(axis=0)
    least = 2 * plan.pilot_steps
    if target_se is not None:
        ratio = np.max(standard_error(plan.pilot.means(plan.M))) / target_se
        steps = min(limit, max(least, math.ceil(min(SPARE * ratio**2, 1e12) * plan.pilot_steps)))
    elif steps is None:
        steps = least if plan.quiet else max(least, math.ceil(WORK / ensemble.h.size))
    ends = [steps * i // PARTS for i in range(PARTS + 1)]
    lengths = [max(1, b - a) for a, b in pairwise(ends)]
    parts = [measured(ensemble, length, plan.every, centre, plan.controlled) for length in lengths]
    while target_se is not None and steps < limit:
        ratio = np.max(standard_error(_joined(parts).means(plan.M))) / target_se
        if ratio <= 1.0:
            break
        more = min(limit - steps, max(least, math.ceil((min(SPARE * ratio**2, 1e12) - 1.0) * steps)))
        parts.append(measured(ensemble, more, plan.every, centre, plan.controlled))
        steps += more
    return parts


def _joined(parts: list[Averages]) -> Averages:
    return reduce(operator.add, parts)


def measured(ensemble: Ensemble, steps: int, every: int, centre: FloatArray, residual: bool = True) -> Averages:
    """Measure for about `steps` steps, in pieces."""
    left = max(1, round(steps / every))
    piece = max(1, int(PIECE / (ensemble.h.size * every)))
    averages = ensemble.measure(min(piece, left), every, centre, residual)
    while (left := left - piece) > 0:
        averages = averages + ensemble.measure(min(piece, left), every, centre, residual)
    return averages


def _slopes(net: CTRNN, noise: Noise, drive: FloatArray, averages: Averages) -> FloatArray:
    """Mean slope F'(W m + drive; s) of each neuron, (N,), s² the variance of its whole pre-activation."""
    mean = averages.means().mean(axis=0)
    variance = np.diag(net.W @ averages.covariance(mean) @ net.W.T)
    std = np.sqrt(noise.std("inside", net.n) ** 2 + np.maximum(variance, 0.0))
    slopes: FloatArray = np.nan_to_num(net.activation.smoothed(net.W @ mean + drive, std, 1), posinf=0.0, neginf=0.0)
    return slopes


def _control(net: CTRNN, slopes: FloatArray, pilot: Averages) -> FloatArray:
    """M = (I - D̄ W)⁻¹, without the rows that would raise the variance."""
    eye = np.eye(net.n)
    A = eye - slopes[:, None] * net.W
    M = cast(FloatArray, np.linalg.inv(A) if np.linalg.cond(A) < 1e8 else eye)
    values = pilot.means(M)
    # A pilot that has met no event at all has no variance to lower, and yet F knows of the event.
    rounding = ROUNDING * np.abs(values.mean(axis=0))
    M[standard_error(values) > np.maximum(WORTH * standard_error(pilot.means()), rounding)] = 0.0
    return M


def _covariances(net: CTRNN, slopes: FloatArray | None, averages: Averages, mean: FloatArray) -> FloatArray:
    """Second moments about the mean by block (blocks, N, N), with their control variate where there are slopes."""
    shift = mean - averages.centre
    blocks = len(averages.cross)

    def about_mean(second: FloatArray, values: FloatArray) -> FloatArray:
        """Move second moments about the centre; values (K, N): first moments."""
        first = values.reshape(blocks, -1, net.n).mean(axis=1) - shift
        mixed = shift[:, None] * first[:, None, :]  # the sum with its transpose first: it is symmetric to the bit
        moved: FloatArray = second - (mixed + mixed.transpose(0, 2, 1)) - np.outer(shift, shift)
        return moved

    now = about_mean(averages.cross, averages.first)
    if slopes is None:
        return now
    ahead = about_mean(averages.ahead, averages.first + net.gamma * averages.residual)
    # X in the eigenvectors of A, for all blocks at once: an error there would cost variance alone
    values, Q = np.linalg.eig(jacobian(net.W, slopes, net.gamma))
    inverse = np.linalg.inv(Q)
    X = (Q @ ((inverse @ (ahead - now) @ inverse.T) / (1.0 - np.outer(values, values))) @ Q.T).real
    controlled: FloatArray = now + 0.5 * (X + X.transpose(0, 2, 1))
    return controlled


def _controls_covariance(net: CTRNN, slopes: FloatArray, pilot: Averages) -> bool:
    """Whether the control variate of the covariance can be had, and the pilot finds it of use."""
    values, vectors = np.linalg.eig(jacobian(net.W, slopes, net.gamma))
    if pilot.ahead.size == 0 or np.max(np.abs(values)) > LARGEST_RADIUS or np.linalg.cond(vectors) > LARGEST_CONDITION:
        return False
    mean = pilot.means().mean(axis=0)
    controlled, plain = (_covariances(net, with_slopes, pilot, mean) for with_slopes in (slopes, None))
    spread, plain_spread = (found.std(axis=0).diagonal() for found in (controlled, plain))
    rounding = ROUNDING * np.abs(controlled.mean(axis=0)).diagonal()  # see `_control`
    return bool(np.sum(spread**2) <= max(WORTH**2 * np.sum(plain_spread**2), np.sum(rounding**2)))


def _check_growth(net: CTRNN, noise: Noise, drive: FloatArray, early: Averages, late: Averages) -> None:
    """Raise a Divergence if nothing pulls the state back, and it has been growing.

    Growth by a constant factor ends beyond every bound; this is for growth that is slower, as of a random walk.
    """
    if not any(net.activation.limit_slopes):
        return
    growth = late.squares(np.zeros(net.n)) - early.squares(np.zeros(net.n))
    grown = np.any(growth.mean(axis=0) > DRIFT * standard_error(growth))
    radius = spectral_radius(jacobian(net.W, _slopes(net, noise, drive, late), net.gamma))
    if grown and radius > 1.0 - 1e-9:
        raise Divergence(
            "W must keep the state bounded; it grows steadily, and the step's slope does not pull it back"
            f" (spectral radius {radius:.6g})"
        )


def _drifts(plan: Plan, early: Averages, late: Averages, mean: FloatArray) -> bool:
    """Whether the two parts of the run differ by more than chance and rounding allow."""
    pairs = (
        (early.means(plan.M), late.means(plan.M), np.abs(mean)),
        (early.squares(mean), late.squares(mean), mean**2),
    )
    return any(
        bool(np.any(np.abs((b - a).mean(axis=0)) > DRIFT * standard_error(b - a) + 1e-10 * scale))
        for a, b, scale in pairs
    )


def _remembers(early: FloatArray, late: FloatArray) -> bool:
    """Whether means over two parts of the run, (K, N) each, are alike for each trajectory: it has not forgotten."""
    a, b = early - early.mean(axis=0), late - late.mean(axis=0)
    size = np.sqrt(np.mean(a**2, axis=0) * np.mean(b**2, axis=0))
    return bool(np.any(np.mean(a * b, axis=0) > ALIKE * size + ROUNDING**2 * np.maximum(1.0, np.abs(early).max()) ** 2))


def _law(
    net: CTRNN,
    ensemble: Ensemble,
    plan: Plan,
    parts: list[Averages],
    early: Averages,
    late: Averages,
    target_se: float | None,
    burn_in: int,
) -> StationaryLaw:
    both = early + late
    values, plain = both.means(plan.M), both.means()
    mean, error, plain_error = values.mean(axis=0), standard_error(values), standard_error(plain)
    error = np.maximum(error, ROUNDING * np.abs(mean))
    if plan.quiet:
        error, plain_error = np.zeros_like(mean), np.zeros_like(mean)
    steps = both.samples * plan.every
    messages = []
    if target_se is not None and np.max(error) > target_se:
        messages.append(f"standard error {np.max(error):.2g} after {steps} steps, the most allowed: raise max_steps")
    if plan.relaxations < ENOUGH:
        messages.append(f"the start was given only {plan.relaxations:.2g} relaxation times to die away: begin nearer")
    if not plan.quiet and _drifts(plan, early, late, mean):
        messages.append("the ensemble still drifted: relaxation is slower than the run")
    if not plan.quiet and _remembers(early.means(), late.means()):
        messages.append(
            "the trajectories have not mixed, as with attractors that noise leaves seldom: each has its own mean"
        )
    reduction = np.ones_like(mean)
    np.divide(plain_error**2, error**2, out=reduction, where=error > 0.0)
    plain_covariance = both.covariance(mean)
    covariance = plain_covariance
    if plan.slopes is not None:
        covariance = _covariances(net, plan.slopes, both, mean).mean(axis=0)
    slopes = plan.slopes
    if np.linalg.eigvalsh(covariance)[0] < 0.0:  # by chance, or where a neuron has no noise
        slopes, covariance = None, plain_covariance
    replicates = np.concatenate([_covariances(net, slopes, part, mean) for part in parts[:PARTS]])
    spread = replicates.std(axis=0, ddof=1 if len(replicates) > 1 else 0)
    share = sum(part.samples for part in parts[:PARTS]) / both.samples
    return StationaryLaw(
        mean,
        covariance,
        "simulation",
        converged=not messages,
        message="; ".join(messages),
        standard_error=error,
        details={
            "plain_mean": plain.mean(axis=0),
            "plain_standard_error": plain_error,
            "variance_reduction": reduction,
            "plain_covariance": plain_covariance,
            "covariance_standard_error": spread * np.sqrt(share / len(replicates)),
            "variance_standard_error": standard_error(both.squares(mean)),
            "autocorrelation_time": steps * len(plain) * plain_error**2 / np.maximum(np.diag(plain_covariance), TINY),
            "trajectories": ensemble.h.shape[1],
            "steps": steps,
            "burn_in": burn_in,
            "every": plan.every,
            "table_error": ensemble.table.error,
            "final_states": ensemble.states,
        },
    )
