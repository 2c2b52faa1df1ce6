"""The loss of a trained network at many levels of noise, and the level that it prefers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from ctrnn_theory.analysis.preference.result import Preference
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.overflow import growth
from ctrnn_theory.support.arguments import check_rng, positive_integer, positive_number, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.types import BoolArray, FloatArray
from ctrnn_theory.support.workers import Workers, threads
from ctrnn_theory.training.settings import find_task
from ctrnn_theory.training.tasks import Episode, Model, OpenLoop, Task
from ctrnn_theory.training.tasks.base import expected_loss
from ctrnn_theory.training.tasks.given import given_arrays
from ctrnn_theory.training.tasks.latent_network import LatentNetwork
from ctrnn_theory.training.tasks.mean_path import Guided, velocity_error

Key = NDArray[np.uint64]
RESAMPLES = 1000  # resamples of the bootstrap
STEEP = 100.0  # times the lower quartile of the losses, above which a level does not count in the search for the least
AWAY = 1e4  # times the median loss, above which a trial has run away
FINE = 3001  # levels at which a spline is evaluated to find its minimum
BATCH = 2**16  # numbers in the covariances that the closure treats at once, half a megabyte


@guarded
@limited
def preference(
    net: CTRNN,
    task: Task | str | tuple[Any, ...],
    noise_levels: ArrayLike | None = None,
    *,
    noise: Noise | None = None,
    repeats: int = 256,
    rng: Any = 0,
    workers: Workers = None,
    predict: bool = True,
    simulate: bool = True,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> Preference:
    """Return the loss of a trained network against test noise, simulated and predicted, and the level that it prefers.

    If the noise-induced bias of the output is proportional to σ² and was compensated in training, at σ = 1, and if the
    variance of the output is proportional to σ², then::

        L(σ) = K (σ² - 1)² + ν σ² + const,   σ_pref² = max(0, 1 - ν/2K),   σ_c² = ν/2K

    in units of the training noise. The curves that are returned do not assume it. The preferred level is the minimum of
    a cubic spline through the losses; if it is the first or the last level, the minimum may lie beyond. That trained
    networks prefer noise was found by Eckstein and Srinivasan, arXiv:2601.04539, who call it paradoxical.

    All levels see the same trials, conditions and variates, so that the curve is smoother than its points are certain.
    Standard errors and the interval (a percentile bootstrap) are over repeats, with conditions fixed.

    Parameters
    ----------
    net
        The network.
    task
        Task for which it was trained, the name of a task with its default settings, or a tuple ``(inputs, targets)`` or
        ``(inputs, targets, weights)`` of arrays or tensors (time, trial, channel) and weights (time,), see
        :meth:`ctrnn_theory.training.tasks.Given.of`.
    noise_levels
        Levels of the test noise (L,), ascending, as multiples of `noise`; 0, 0.1, ..., 1.5 by default.
    noise
        The training noise, at one site or at both; ``Noise(inside=1.0)`` by default.
    repeats
        Number of trials of each condition, at each level.
    rng
        Seed: an int, a SeedSequence or a Generator.
    workers
        Number of threads, or a function like ``map``; the numbers do not depend on it.
    predict
        Whether to predict the loss by the Gaussian closure in time too, for an open-loop task, or for a closed-loop
        task with an expert whose output is the target, such as the maze with ``cost="velocity"``: along the path of the
        mean output. Networks of 32 neurons or more with W of low rank, zero among them, take seconds, whatever their
        size; others take seconds for relu, and a minute or more for other activations.
    simulate
        Whether to simulate trials. Without them, `preferred`, `loss` and all that is measured are None.
    confidence
        Confidence level of the interval, in (0, 1).
    progress
        Called with (done, total, text) as each level begins, and before the prediction.

    Raises
    ------
    ValueError
        If the network does not fit the task, there is no noise, an argument is out of range, or there is no trial and
        no prediction.
    Divergence
        If the state grows without bound.

    Examples
    --------
    The mean of this layer of one relu is right at σ = 1, but not without noise:

    >>> net = CTRNN([[0.0]], 0.0, "relu", gamma=1.0, W_in=[[0.0]], W_out=[[1.0]], b_out=[-1 / np.sqrt(2 * np.pi)])
    >>> found = preference(net, find_task("feedforward", target="0*x", repeats=1), [0.0, 0.25, 0.5, 0.75, 1.0])
    >>> print(round(found.predicted_preferred, 3), round(found.preferred, 1))   # 1/π
    0.318 0.3
    >>> alone = preference(net, found.task, simulate=False)
    >>> print(round(alone.predicted_preferred, 2), alone.preferred)
    0.32 None
    """
    task = given_arrays(task) if isinstance(task, tuple) else find_task(task)
    noise = Noise(inside=1.0) if noise is None else noise
    check_model(net, noise)
    check_rng(rng)
    threads(workers)
    if noise.is_zero:
        raise ValueError("noise must be above 0, since levels are multiples of it; got 0")
    task.layout(net.n).vector(net)  # raises if it does not fit
    levels = _levels(noise_levels)
    if positive_integer("repeats", repeats) < 3:
        raise ValueError(f"repeats must be at least 3 for standard errors; got {repeats}")
    if task.gamma not in (None, net.gamma):
        raise ValueError(f"gamma must be {task.gamma:g} for {task.name}; got {net.gamma:g}")
    if not task.recurrent and net.W.any():
        raise ValueError(f"W must be zero for {task.name}; it holds {net.W[net.W != 0.0][0]:g}")
    if not positive_number("confidence", confidence) < 1.0:
        raise ValueError(f"confidence must be in (0, 1); got {confidence}")
    if not simulate and not (predict and _predictable(task)):
        raise ValueError(f"simulate must be True, unless a loss is predicted; got {simulate} for {task.name}")
    key, every = seed_words(rng), np.union1d(levels, [0.0, 1.0])  # the ratio needs level 0; K and ν need levels 0 and 1
    report, runs, found = reporter(progress), [], dict[str, Any]()
    for done, level in enumerate(every if simulate else []):
        report(done, len(every), f"simulating level {level:g}")
        runs.append(_run(task, net, noise, level, repeats, key, workers))
    report(len(every), len(every), "predicting" if predict and _predictable(task) else "")
    shown, one = np.isin(every, levels), int(np.flatnonzero(every == 1.0)[0])
    if simulate:
        chosen = [run for run, show in zip(runs, shown, strict=True) if show]
        costs = np.array([run.cost for run in chosen])
        found = _measured(chosen) | _preferred(levels, costs, runs[0].cost, key, confidence)
        found |= _tradeoff(runs[0], runs[one]) if isinstance(task, OpenLoop) else {}
    if predict and isinstance(task, OpenLoop):
        with growth(net, noise):
            found |= _predicted(task, Model.of(net, noise), every, shown, key)
    elif predict and isinstance(task, Guided) and _predictable(task):
        along = velocity_error(task, net, noise, every)
        found |= _curve(every, shown, along.bias, along.variance)
    if not found:
        raise Divergence("W must keep the state bounded; the closure in time grows without bound")
    return Preference(net, task, noise, repeats if simulate else 0, confidence, levels, **found)


def _predictable(task: Task) -> bool:
    """Return whether the loss of a task is predicted."""
    return isinstance(task, OpenLoop) or (getattr(task, "cost", None) == "velocity" and isinstance(task, Guided))


def least(levels: FloatArray, curves: FloatArray) -> tuple[Any, Any]:
    """Return the level at which each of the curves (..., L) is least, and its value there, by a cubic spline.

    The spline goes through the levels around the minimum of the mean curve, up to where that exceeds `STEEP` times its
    lower quartile: it would oscillate about a loss that is far above the others, which occurs where trials run away.

    Examples
    --------
    >>> s = np.linspace(0.0, 1.5, 16)
    >>> level, value = least(s, (s**2 - 0.64) ** 2)
    >>> print(round(float(level), 3), round(float(value), 6))
    0.8 0.0
    """
    mean = curves.reshape(-1, len(levels)).mean(axis=0)
    far = np.flatnonzero(~(mean <= STEEP * np.quantile(np.abs(mean), 0.25, method="lower")))
    below, above = far[far < mean.argmin()], far[far > mean.argmin()]
    window = slice(below[-1] + 1 if below.size else 0, above[0] if above.size else len(levels))
    levels, curves = levels[window], curves[..., window]
    if len(levels) == 1:
        return np.full(curves.shape[:-1], levels[0]), curves[..., 0]
    fine = np.linspace(levels[0], levels[-1], FINE)
    values = CubicSpline(levels, curves, axis=-1)(fine)
    i = np.argmin(values, axis=-1)
    return fine[i], np.take_along_axis(values, i[..., None], -1)[..., 0]


class _Run(NamedTuple):
    """Trials at one level of the noise: R repeats of C conditions."""

    cost: FloatArray
    """Loss of each trial (R, C)."""
    bias: Any = None
    """Share of the squared bias in it (R, C)."""
    variance: Any = None
    """Share of the variance in it (R, C)."""
    mean: Any = None
    """Mean error of the output over repeats (C, T, P)."""
    w: Any = None
    """Weights of the steps (T,)."""
    success: Any = None
    """Whether each trial reached its goal or ended in the right response (R, C), as 0 or 1; None for neither."""


def _run(task: Task, net: CTRNN, noise: Noise, level: float, repeats: int, key: Key, workers: Workers) -> _Run:
    """Run the trials at one level of the noise."""
    trials = task.trials(net, noise.scaled(level), repeats, key, workers)
    if not np.all(np.isfinite(trials.cost)):
        raise Divergence(f"W must keep the state bounded; at level {level:g} of the noise the loss is not finite")
    e, w, success = trials.error, trials.w, None if trials.success is None else trials.success.astype(np.float64)
    if e is None or w is None:
        return _Run(trials.cost, success=success)
    mean = e.mean(axis=0)
    # products of the errors of different trials have a mean that does not contain the variance
    bias = np.einsum("rctp,rctp,t->rc", e, repeats * mean - e, w) / (repeats - 1)
    variance = np.einsum("rctp,t->rc", (e - mean) ** 2, w) * (repeats / (repeats - 1))
    return _Run(trials.cost, bias, variance, mean, w, success)


def _measured(runs: list[_Run]) -> dict[str, FloatArray | None]:
    """Return loss, squared bias, variance and success at each level, with their standard errors."""
    found: dict[str, FloatArray | None] = {}
    repeats = len(runs[0].cost)
    jackknife = (repeats - 1.0) / (repeats - 2.0)  # the share of a trial depends on the mean of the others
    for name, error, factor in (
        ("cost", "standard_error", 1.0),
        ("bias", "bias_standard_error", 2.0 * jackknife),  # each product contains two trials
        ("variance", "variance_standard_error", jackknife),
        ("success", "success_standard_error", 1.0),
    ):
        parts = [getattr(run, name) for run in runs]
        none = parts[0] is None
        found["loss" if name == "cost" else name] = None if none else np.mean(parts, axis=(1, 2))
        found[error] = None if none else np.array([factor * _standard_error(part) for part in parts])
    found["runaway"] = np.array([np.mean(run.cost > AWAY * np.median(run.cost, axis=0)) for run in runs])
    return found


def _standard_error(x: FloatArray) -> float:
    """Return the standard error of the mean of x (R, C) over independent repeats, with conditions fixed."""
    return float(np.sqrt(np.sum(x.var(axis=0, ddof=1)) / x.shape[0]) / x.shape[1])


def _preferred(
    levels: FloatArray, cost: FloatArray, without: FloatArray, key: Key, confidence: float
) -> dict[str, Any]:
    """Return the level of least loss, with a bootstrap, from trials (L, R, C) and trials without noise (R, C)."""
    rows, base = cost.mean(axis=2).T, without.mean(axis=1)
    repeats = len(rows)
    draws = np.random.default_rng(np.random.SeedSequence([int(word) for word in key], spawn_key=(1,)))
    weights = draws.multinomial(repeats, np.full(repeats, 1.0 / repeats), size=RESAMPLES) / repeats
    level, loss = least(levels, rows.mean(axis=0))
    again, losses = least(levels, weights @ rows)
    ratios = _ratio(weights @ base, losses)
    return {
        "preferred": float(level),
        "interval": tuple(np.quantile(again, [0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence]).tolist()),
        "ratio": float(_ratio(base.mean(), loss)),
        "ratio_standard_error": float(np.std(ratios, ddof=1)),
    }


def _ratio(a: Any, b: Any) -> Any:
    """Return a/b, which is NaN where b is not positive."""
    return np.divide(a, b, out=np.full(np.shape(b), np.nan), where=b > 0.0)


def _tradeoff(without: _Run, trained: _Run) -> dict[str, float]:
    """Return simulated values of K and ν; the variance of the means that K is made of is subtracted from it."""
    nu = float(trained.variance.mean())
    moved = np.einsum("ctp,t->c", (trained.mean - without.mean) ** 2, trained.w).mean()
    K = float(moved - nu / len(trained.cost))
    return {"K": K, "nu": nu, "simulated_K": K, "simulated_nu": nu}


def _predicted(task: OpenLoop, model: Model, levels: FloatArray, shown: BoolArray, key: Key) -> dict[str, Any]:
    """Return the prediction of the Gaussian closure, or nothing if its state grows without bound."""
    episode = task.drawn(key)
    mean, variance = _output_moments(task, model, episode, levels)
    squared_bias, variance = expected_loss(episode, mean, variance)
    if not np.all(np.isfinite(variance)):
        return {}
    one = int(np.flatnonzero(levels == 1.0)[0])
    moved = np.sum((mean[:, one] - mean[:, 0]) ** 2, axis=-1).mean(axis=-1)
    tradeoff = {"K": float(episode.w[episode.w > 0.0] @ moved), "nu": float(variance[one])}
    return _curve(levels, shown, squared_bias, variance) | tradeoff


def _output_moments(
    task: OpenLoop, model: Model, episode: Episode, levels: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the moments of the output; of networks without a low rank, a few levels at a time."""
    size = len(levels)
    if LatentNetwork.of(model) is None:
        size = max(1, BATCH // (episode.u.shape[1] * model.weights.W[0].size))
    parts = [task.output_moments(model, episode, levels[i : i + size]) for i in range(0, len(levels), size)]
    mean, variance = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return mean, variance


def _curve(levels: FloatArray, shown: BoolArray, squared_bias: FloatArray, variance: FloatArray) -> dict[str, Any]:
    """Return the predicted curve, and where it is least; the first level is zero."""
    loss = squared_bias + variance
    level, value = least(levels[shown], loss[shown])
    return {
        "predicted_bias": squared_bias[shown],
        "predicted_variance": variance[shown],
        "predicted_preferred": float(level),
        "predicted_ratio": float(_ratio(loss[0], value)),
    }


def _levels(given: ArrayLike | None) -> FloatArray:
    """Return the levels of the noise once they are validated, or the default ones."""
    levels = real_array("noise_levels", np.arange(16) / 10.0 if given is None else given, (None,))
    if levels.size == 0 or np.any(levels < 0.0) or np.any(np.diff(levels) <= 0.0):
        raise ValueError(f"noise_levels must be at least one number, none below 0, ascending; got {levels.tolist()}")
    return levels
