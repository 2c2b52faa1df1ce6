"""The difference that a change of the noise makes to the mean state, by two simulations on the same variates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.integrators.ensemble import Averages, Ensemble, TooFine, Unbounded, standard_error
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary import simulation
from ctrnn_theory.stationary.sampling.control_variates import Model
from ctrnn_theory.stationary.sampling.plan import default_trajectories
from ctrnn_theory.support.arguments import check_rng, positive_integer, positive_number
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, counted, neuron_table
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import threads


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Difference(Drawn, picture="difference"):
    """Difference of the mean state between two noises, see :func:`difference`."""

    mean: FloatArray
    """Mean E[h] under the one noise minus E[h] under the other, (N,)."""
    standard_error: FloatArray
    """Standard error of ``mean``, over pairs of trajectories that see the same variates, (N,)."""
    independent_standard_error: FloatArray
    """Standard error that two simulations with separate variates would have, (N,)."""
    means: FloatArray
    """Mean E[h] under each of the two noises, (2, N)."""
    trajectories: int
    """Number of pairs of trajectories."""
    steps: int
    """Number of measured steps of each trajectory."""
    converged: bool
    """Whether the target of the standard error was reached."""
    message: str
    """Reason, if it was not; and that there were no control variates, if they were asked for and could not be had."""

    def _headline(self) -> str:
        end = "" if self.converged else ", not converged"
        return f"{counted(self.trajectories, 'pair')} of trajectories, {counted(self.steps, 'step')} of each{end}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        columns = {
            "difference": self.mean,
            "standard error": self.standard_error,
            "with separate variates": self.independent_standard_error,
            "mean": self.means[0],
            "other mean": self.means[1],
        }
        yield neuron_table(columns, few)
        if self.message:
            yield self.message

    def _arrays(self) -> Arrays:
        names = ("mean", "standard_error", "independent_standard_error")
        variables: dict[str, Any] = {name: ("neuron", getattr(self, name)) for name in names}
        variables["means"] = (("noise", "neuron"), self.means)
        return Arrays(variables, {"noise": ["noise", "other"]})


@guarded
@limited
def difference(
    net: CTRNN,
    noise: Noise,
    other: Noise,
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
) -> Difference:
    """Return E[h] under one noise minus E[h] under another, by simulation with common random numbers.

    Trajectories are simulated in pairs, one under each noise, on the same standard normal variates, and with the
    control variates of :func:`ctrnn_theory.predict`. Fluctuations that both have in common cancel, so that two similar
    levels of noise are distinguished in far fewer steps than by two separate runs. Noise inside and noise outside share
    variates neuron by neuron; correlated noises share those of the columns of their factors. Gains share those of
    gains, and dropout those of dropout.

    Parameters
    ----------
    net, u, start
        See :func:`ctrnn_theory.predict`.
    noise, other
        The two noises, such as one inside and one outside, or two levels of the same noise.
    target_se
        Largest standard error of the difference at which the simulation stops; for None it runs for `steps`.
    trajectories, steps, max_steps, rng, workers, control_variate
        Options of the method "simulation".

    Raises
    ------
    Divergence
        If the state grows without bound.
    ValueError
        If an option is out of range, or both `steps` and `target_se` are given.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> found = difference(net, Noise(inside=0.5), Noise(inside=0.49), steps=10_000)
    >>> bool(abs(found.mean[0] - 0.0052915) < 5 * found.standard_error[0])
    True
    >>> bool(found.standard_error[0] < 0.2 * found.independent_standard_error[0])
    True
    """
    check_model(net, noise, u, start)
    check_model(net, other, name="other")
    check_rng(rng)
    threads(workers)
    if target_se is not None and steps is not None:
        raise ValueError(f"steps must be None when target_se is given; got {steps!r}")
    if target_se is not None:
        target_se = positive_number("target_se", target_se)
    limit = positive_integer("max_steps", max_steps)
    count = default_trajectories(net.n) if trajectories is None else positive_integer("trajectories", trajectories)
    fixed = None if steps is None else positive_integer("steps", steps)
    drive, key = net.drive(u), np.random.SeedSequence([int(word) for word in seed_words(rng)])
    pair = [
        Ensemble(net, each, drive, start, count, key, workers, partner=partner)
        for each, partner in ((noise, other), (other, noise))
    ]

    def run_both(controlled: bool) -> Difference:
        plans = [
            simulation.plan_run(Model.of(net, each, u), ensemble, controlled, False)
            for each, ensemble in zip((noise, other), pair, strict=True)
        ]
        begin = max(ensemble.steps for ensemble in pair)
        for ensemble in pair:
            ensemble.advance(max(1, begin + 1 - ensemble.steps))
        return _measured(pair, plans, target_se, fixed, limit)

    try:
        try:
            return run_both(control_variate)
        except TooFine as error:
            for ensemble in pair:
                ensemble.restart()
            found, remark = run_both(False), f"without control variates: {error}"
            return replace(found, message="; ".join(filter(None, [found.message, remark])))
    except Unbounded as error:
        raise Divergence(f"W must keep the state bounded; {error}") from None


def _measured(
    pair: list[Ensemble], plans: list[simulation.Plan], target_se: float | None, steps: int | None, limit: int
) -> Difference:
    """Measure both ensembles side by side, for `steps` or until the target is reached."""
    least = max(plan.least for plan in plans)
    more = steps or max(least, math.ceil(simulation.WORK / (2 * pair[0].h.size)))
    if target_se is not None:
        more = min(limit, more)
    totals: list[Averages] = []
    done = 0
    while True:
        parts = [
            simulation.measured(ensemble, more, plan.every, plan.pilot.centre, plan.controlled)
            for ensemble, plan in zip(pair, plans, strict=True)
        ]
        totals = [a + b for a, b in zip(totals, parts, strict=True)] if totals else parts
        done += more
        values = [total.means(plan.M) for total, plan in zip(totals, plans, strict=True)]
        error = standard_error(values[0] - values[1])
        if target_se is None or np.max(error) <= target_se or done >= limit:
            break
        ratio = min(simulation.SPARE * (np.max(error) / target_se) ** 2, 1e12)
        more = min(limit - done, max(least, math.ceil((ratio - 1.0) * done)))
    short = target_se is not None and np.max(error) > target_se
    message = (
        f"standard error {np.max(error):.2g} after {done} steps, the most allowed: raise max_steps" if short else ""
    )
    means = np.array([value.mean(axis=0) for value in values])
    return Difference(
        mean=means[0] - means[1],
        standard_error=error,
        independent_standard_error=np.hypot(*(standard_error(value) for value in values)),
        means=means,
        trajectories=len(values[0]),
        steps=done,
        converged=not short,
        message=message,
    )
