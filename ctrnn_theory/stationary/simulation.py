"""The simulation of the map: an ensemble of trajectories, with control variates and standard errors."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.integrators.ensemble import Averages, Ensemble, TooFine, Unbounded, standard_error
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.existence import moments_exist
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.sampling.checks import check_growth, drifts, remembers
from ctrnn_theory.stationary.sampling.control_variates import (
    ROUNDING,
    Model,
    block_covariances,
)
from ctrnn_theory.stationary.sampling.plan import Plan, default_trajectories, measured, plan_run
from ctrnn_theory.support.arguments import positive_integer, positive_number
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.memory import shortage
from ctrnn_theory.support.types import FloatArray

WORK = 5e7  # neuron-steps of a run without a target, which take less than a second on one core
ENOUGH = 10.0  # relaxation times of the burn-in, below which the message warns
PARTS = 4  # parts of a run: early ones are compared with late ones, and their covariances give its error
SPARE = 1.1  # steps planned over those that the present standard error asks for
MOST_TIMES = 1e12  # largest multiple of the present steps that is planned, so that their number is an integer
MATRICES = 40  # matrices (N, N) of a block of trajectories that are held at once
TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class Run:
    """A run of the ensemble: its plan and its averages."""

    model: Model
    """The step that was simulated."""
    ensemble: Ensemble
    """The trajectories."""
    plan: Plan
    """How they were measured."""
    parts: list[Averages]
    """Averages over the parts of the run."""
    burn_in: int
    """Steps before the measuring began."""
    remark: str
    """Why no control variates were used although they were asked for, or an empty text."""

    @cached_property
    def early(self) -> Averages:
        """Averages over the first half of the parts."""
        return _joined(self.parts[: PARTS // 2])

    @cached_property
    def late(self) -> Averages:
        """Averages over the other parts."""
        return _joined(self.parts[PARTS // 2 :])

    @cached_property
    def both(self) -> Averages:
        """Averages over the whole run."""
        return self.early + self.late

    @property
    def steps(self) -> int:
        """Measured steps of each trajectory."""
        return self.both.samples * self.plan.every


def solve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    target_se: float | None = None,
    trajectories: int | None = None,
    steps: int | None = None,
    max_steps: int = 10_000_000,
    rng: Any = 0,
    workers: int | Callable[..., Any] | None = None,
    control_variate: bool = True,
    antithetic: bool = False,
) -> StationaryLaw:
    """Return stationary mean and covariance by simulation of the map itself, with control variates for both.

    The mean is the average of ``h + M (E[g' | g] - g) / γ``, with g the states h and those x of coloured sources, and
    ``M = (1 - A)⁻¹ γ`` with A the mean slope of a step of g, from a pilot run. The factor of M has mean zero exactly,
    so that M changes the variance only. For white noise the factor is ``F(W h + drive; σ_in) - h``, with F the smoothed
    activation, and ``M = (I - D̄ W)⁻¹``, ``D̄ = diag F'``. The row of M is zero for a neuron whose variance it raised in
    the pilot run.

    The covariance is the average of ``d dᵀ + X``, d = g - c, where X solves ``X = A X Aᵀ + E[d' d'ᵀ | g] - d dᵀ``, d' a
    step later: the mean of X is zero exactly as well. It needs the covariance of one step given g, which has no table
    for noise inside that neurons have in common. In that case, if the pilot run shows no gain, and if an eigenvalue of
    the result is negative, the plain covariance is returned. If F oscillates so often that a table of it would be too
    long, there are no control variates at all, and the message says so. Multiplicative noise may leave a law without a
    fourth moment; standard errors of the covariance are then NaN.

    The standard error knows only of events that occurred: an event too rare for the run, such as a jump to another
    attractor, biases the mean without being noticed.

    A first stage finds the relaxation rate from the eigenvalues of A, correlations of sources among them, and lets the
    start die away over 30 relaxation times, but over no more than 1e8 neuron-steps, or 100 time constants if that is
    longer; the message reports a burn-in of fewer than 10 relaxation times, and a drift that remains. Memory does not
    grow with the number of steps. The same ``rng`` gives the same numbers whatever the number of threads.

    From 128 neurons on, where steps are dear, the run is planned to be hardly longer than it must be. It has fewer
    trajectories by default, the 10 relaxation times of the pilot run count as burn-in, a target needs only as much
    burn-in as leaves a thousandth of it, and states are observed every time constant instead of twice.

    Parameters
    ----------
    net, noise, u, start
        The network, its noise, constant input (K,) or None, and the state (N,) where trajectories start.
    target_se
        Run until the largest standard error of the mean is at most this. A run lasts 20 relaxation times at least, or
        10 from 128 neurons on, which may take it far below the target. None: run `steps`.
    trajectories
        Number of independent trajectories, rounded up to a multiple of 64; standard errors are over them. None: 512, or
        128 for a network of 128 neurons or more. Blocks of 64 are spread over the threads, so that more trajectories
        use more cores.
    steps
        Measured steps of each trajectory if there is no `target_se`. None: 5e7 neuron-steps in all, which take
        about half a second of one core, or 20 relaxation times if that is more.
    max_steps
        Largest number of measured steps of each trajectory with `target_se`.
    rng
        Seed: an int, a SeedSequence or a Generator, or None for fresh entropy.
    workers
        Number of threads, None for one per core; or a function like ``map`` that works in this process.
    control_variate
        Whether mean and covariance are estimated with their control variates.
    antithetic
        Whether trajectories come in pairs under noise of opposite sign, which helps in nearly linear networks if
        there is no control variate.

    Returns
    -------
    StationaryLaw
        ``converged`` is False if the target was not reached or the ensemble still drifted. ``details``:
        ``plain_mean``, ``plain_standard_error`` (without the control variate), ``variance_reduction`` (N,),
        ``covariance_standard_error`` (N, N), over blocks of 64 trajectories in the parts of the run,
        ``plain_covariance``, ``variance_standard_error`` (N,) of its diagonal, ``autocorrelation_time`` (N,) of h in
        steps (of the mean of two partners, if antithetic), ``trajectories``, ``steps``, ``burn_in``, ``every``,
        ``table_error`` (of F, relative), ``final_states`` (trajectories, N), ``trajectory_rates`` (K, N), the mean
        rates by each trajectory (or pair, if antithetic), from which the standard error of any readout follows, and
        ``rate_standard_error`` (N,) of the mean rates of a network in voltage form.

    Raises
    ------
    Divergence
        If the state grows without bound.
    NotApplicable
        If the averages over the blocks of trajectories do not fit into memory.
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
    count = default_trajectories(net.n) if trajectories is None else positive_integer("trajectories", trajectories)
    quiet, model = noise.is_zero, Model.of(net, noise, u)
    ensemble = Ensemble(net, noise, net.drive(u), start, 1 if quiet else count, rng, workers, antithetic and not quiet)

    if short := shortage(8.0 * MATRICES * len(ensemble.streams) * model.whole.size**2):
        raise NotApplicable(f"the simulation of {net.n} neurons in {count} trajectories must fit into memory; {short}")

    def run_it(controlled: bool, remark: str = "") -> Run:
        plan = plan_run(model, ensemble, controlled and not quiet, quiet, target_se)
        burn_in = ensemble.steps
        return Run(model, ensemble, plan, _run(ensemble, plan, target_se, fixed, limit), burn_in, remark)

    try:
        try:
            run = run_it(control_variate)
        except TooFine as error:
            ensemble.restart()
            run = run_it(False, f"without control variates: {error}")
    except Unbounded as error:
        raise Divergence(f"W must keep the state bounded; {error}") from None
    check_growth(net, model, run.early, run.late)
    return _law(net, noise, run, target_se)


def _run(ensemble: Ensemble, plan: Plan, target_se: float | None, steps: int | None, limit: int) -> list[Averages]:
    """Measure in `PARTS` parts or more, for so many steps or until the target is reached."""
    centre = plan.pilot.centre + plan.pilot.first.mean(axis=0)
    least = plan.least
    if target_se is not None:
        ratio = np.max(standard_error(plan.pilot.means(plan.M))) / target_se
        steps = min(limit, max(least, math.ceil(min(SPARE * ratio**2, MOST_TIMES) * plan.pilot_steps)))
    elif steps is None:
        steps = least if plan.quiet else max(least, math.ceil(WORK / ensemble.h.size))
    ends = [steps * i // PARTS for i in range(PARTS + 1)]
    lengths = [max(1, b - a) for a, b in pairwise(ends)]
    parts = [measured(ensemble, length, plan.every, centre, plan.controlled) for length in lengths]
    while target_se is not None and steps < limit:
        ratio = np.max(standard_error(_joined(parts).means(plan.M))) / target_se
        if ratio <= 1.0:
            break
        more = min(limit - steps, max(plan.further, math.ceil((min(SPARE * ratio**2, MOST_TIMES) - 1.0) * steps)))
        parts.append(measured(ensemble, more, plan.every, centre, plan.controlled))
        steps += more
    return parts


def _joined(parts: list[Averages]) -> Averages:
    """Return the averages over several parts."""
    return reduce(operator.add, parts)


def _law(net: CTRNN, noise: Noise, run: Run, target_se: float | None) -> StationaryLaw:
    """Return the law that was measured."""
    plan, both = run.plan, run.both
    values, plain = both.means(plan.M), both.means()
    mean, error, plain_error = values.mean(axis=0), standard_error(values), standard_error(plain)
    error = np.maximum(error, ROUNDING * np.abs(mean))
    if plan.quiet:
        error, plain_error = np.zeros_like(mean), np.zeros_like(mean)
    reduction = np.ones_like(mean)
    np.divide(plain_error, error, out=reduction, where=error > 0.0)
    reduction **= 2
    messages = _messages(run, mean, error, target_se)
    plain_covariance = both.covariance(mean)
    covariance, covariance_error = _covariance(run, mean, plain_covariance)
    variance_error = standard_error(both.squares(mean))
    if remark := _heavy_tail(net, noise):
        covariance_error, variance_error = np.full_like(covariance_error, np.nan), np.full_like(mean, np.nan)
    details = {
        "plain_mean": plain.mean(axis=0),
        "plain_standard_error": plain_error,
        "variance_reduction": reduction,
        "plain_covariance": plain_covariance,
        "covariance_standard_error": covariance_error,
        "variance_standard_error": variance_error,
        "autocorrelation_time": run.steps * len(plain) * plain_error**2 / np.maximum(np.diag(plain_covariance), TINY),
        "trajectories": run.ensemble.h.shape[1],
        "steps": run.steps,
        "burn_in": run.burn_in,
        "every": plan.every,
        "table_error": run.ensemble.table.error,
        "final_states": run.ensemble.states,
        "trajectory_rates": values,
    }
    rates = None
    if both.rate.size:
        observed = both.rate if plan.rate is None else both.rate + both.residual @ plan.rate.T
        rates, details["rate_standard_error"] = observed.mean(axis=0), standard_error(observed)
        details["trajectory_rates"] = observed
        if plan.quiet:
            details["rate_standard_error"] = np.zeros_like(mean)
    converged, message = not messages, "; ".join([*messages, *filter(None, (run.remark, remark))])
    more: dict[str, Any] = {"standard_error": error, "details": details, "rates": rates}
    return StationaryLaw(mean, covariance, "simulation", converged, message, **more)


def _heavy_tail(net: CTRNN, noise: Noise) -> str:
    """Return why there are no standard errors of the covariance, or an empty text."""
    if not noise.has_gains or (exists := moments_exist(net, noise, 4)):
        return ""
    known = "is infinite" if exists is False else "may be infinite"
    return f"no standard errors of the covariance: under multiplicative noise the fourth moment of the state {known}"


def _messages(run: Run, mean: FloatArray, error: FloatArray, target_se: float | None) -> list[str]:
    """Return one sentence for each thing that limits the result."""
    plan, early, late = run.plan, run.early, run.late
    messages = []
    if target_se is not None and np.max(error) > target_se:
        messages.append(
            f"standard error {np.max(error):.2g} after {run.steps} steps, the most allowed: raise max_steps"
        )
    if plan.relaxations < ENOUGH:
        messages.append(f"the start was given only {plan.relaxations:.2g} relaxation times to die away: begin nearer")
    if not plan.quiet and drifts(plan.M, early, late, mean):
        messages.append("the ensemble still drifted: relaxation is slower than the run")
    if not plan.quiet and remembers(early.means(), late.means(), run.parts[0].means(), run.parts[-1].means()):
        messages.append(
            "the trajectories have not mixed, as with attractors that noise seldom leaves: each has its own mean"
        )
    return messages


def _covariance(run: Run, mean: FloatArray, plain: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the covariance and its standard error, (N, N) each; `plain` if its control variate is not used."""
    modes, covariance = run.plan.modes, plain
    if modes is not None:
        covariance = block_covariances(run.model, modes, run.both, mean).mean(axis=0)
    if np.linalg.eigvalsh(covariance)[0] < 0.0:  # this occurs by chance, or where a neuron has no noise
        modes, covariance = None, plain
    replicates = np.concatenate([block_covariances(run.model, modes, part, mean) for part in run.parts[:PARTS]])
    deviation = replicates.std(axis=0, ddof=1 if len(replicates) > 1 else 0)
    share = sum(part.samples for part in run.parts[:PARTS]) / run.both.samples
    return covariance, deviation * np.sqrt(share / len(replicates))
