"""A batch of points by one method: the rows of its results, and the reasons why points failed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.dynamics.neurons import settle_neurons
from ctrnn_theory.dynamics.settle import settle
from ctrnn_theory.stationary.method import Method
from ctrnn_theory.stationary.registry import METHODS, know, predict
from ctrnn_theory.support.blas_threads import one_thread
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray
from ctrnn_theory.sweeping import vectorised
from ctrnn_theory.sweeping.quantities import BY_NEURON
from ctrnn_theory.sweeping.spec import Spec
from ctrnn_theory.sweeping.trained import measure

Rows = NDArray[np.void]
UNIT = 1024
"""Points of a vectorised method that are always computed together: the last bits of sums may depend on it."""


@dataclass(frozen=True)
class Task:
    """Points that one method is to compute."""

    method: int
    """Number of the method among those of the sweep."""
    points: IntArray
    """Numbers of the points, ascending, in whole units."""
    longest: float = math.inf
    """Seconds after which the task ends with the units that it has finished, if there are any."""


@dataclass(frozen=True, eq=False)
class Batch:
    """The results of points that are finished."""

    rows: Rows
    """Structured array of :func:`row_type`."""
    reasons: tuple[str, ...]
    """Why points failed: the field "failure" counts from 1 into these, and is 0 for a point that did not fail."""


def row_type(spec: Spec) -> np.dtype[np.void]:
    """Return the layout of a row: method, failure, point, and the quantities, which are (N,) if by neuron."""
    kinds: list[Any] = [("method", "<i4"), ("failure", "<i4"), ("point", "<i8")]
    for name in spec.quantities:
        by_neuron = name in BY_NEURON and spec.network is not None
        kinds.append((name, "?" if name == "converged" else "<f8", (spec.neurons,) if by_neuron else ()))
    return np.dtype(kinds)


def unit(spec: Spec, method: str) -> int:
    """Return how many points are computed together whatever the batch, which is 1 but for the vectorised methods."""
    return UNIT if vectorised.takes(spec, method) else 1


def evaluate(spec: Spec, task: Task, own: Iterable[Method] = ()) -> Batch:
    """Compute the points of a task, as many whole units as its time allows; the rows say which points failed.

    The limit on time returns results soon even where points take much longer than those that the length of tasks was
    estimated from. BLAS uses one thread whatever the size, since points are what is distributed over cores, and since
    the last bits of a result may depend on the number of threads. `own` holds the methods that the user registered,
    which this process may not know.
    """
    if spec.trained:
        return _trained(spec, task)
    know(own)
    method, count = spec.methods[task.method], task.points.size
    mean, rate, variance, error = np.full((4, count, spec.neurons), np.nan)
    found = _Found(
        mean,
        rate,
        variance,
        error,
        np.full(count, np.nan),
        np.full(count, np.nan),
        np.zeros(count, bool),
    )
    begin, blocks, size = perf_counter(), list(np.arange(count)[:, None]), unit(spec, method)
    if size > 1:
        blocks = np.split(np.arange(count), 1 + np.flatnonzero(np.diff(task.points // size)))
    done = count
    with one_thread(), np.errstate(all="ignore"):
        for block in blocks:
            if block[0] and perf_counter() - begin > task.longest:
                done = int(block[0])
                break
            left = _together(spec, method, task.points[block], block, found) if size > 1 else block
            for i in left.tolist():
                _one(spec, method, int(task.points[i]), i, found)
        task, found = Task(task.method, task.points[:done]), found.first(done)
        wanted = {"bias", "loss"} & set(spec.quantities)
        fixed_points = _noise_free(spec, task.points, found.reasons) if wanted else np.nan
    return _batch(spec, task, found, fixed_points)


@dataclass(frozen=True, eq=False)
class _Found:
    """The results of a method at P points of N neurons, which are filled in one after the other."""

    mean: FloatArray
    """Mean of the state (P, N)."""
    rate: FloatArray
    """Mean of the rates (P, N)."""
    variance: FloatArray
    """Variance of the state (P, N)."""
    error: FloatArray
    """Standard error of the mean (P, N)."""
    readout_variance: FloatArray
    """Sum of the variances of the readout, or else of the state, (P,)."""
    seconds: FloatArray
    """Time of the computation in seconds (P,)."""
    converged: BoolArray
    """Whether the method reached its tolerance (P,)."""
    reasons: dict[int, str] = field(default_factory=dict)
    """Why points failed, by their place in the task."""

    def first(self, count: int) -> _Found:
        """Return the results of the first points; points that were not computed have no reasons."""
        names = ("mean", "rate", "variance", "error", "readout_variance", "seconds", "converged")
        return replace(self, **{name: getattr(self, name)[:count] for name in names})


def _batch(spec: Spec, task: Task, found: _Found, fixed_points: Any) -> Batch:
    """Return the rows of what was found, with the noise-free rates (P, N), or NaN, that biases are from."""
    gap, W_out = found.rate - fixed_points, None if spec.network is None else spec.network.W_out
    # not gap @ Wᵀ, whose last bits depend on the number of points
    shift = gap if W_out is None else np.sum(gap[:, None] * W_out, axis=2)
    values = {
        "mean": found.mean,
        "bias": gap,
        "variance": found.variance,
        "standard_error": found.error,
        "loss": found.readout_variance + np.sum(shift**2, axis=1),
        "seconds": found.seconds,
        "converged": found.converged,
    }
    return _rows(spec, task, values, found.reasons)


def _rows(spec: Spec, task: Task, values: Mapping[str, Any], reasons: Mapping[int, str]) -> Batch:
    """Return the rows of quantities by name, (P,) or (P, N), and of the reasons by the place of a point."""
    rows = np.zeros(task.points.size, row_type(spec))
    rows["method"], rows["point"] = task.method, task.points
    for name in spec.quantities:
        rows[name] = values[name].reshape(rows[name].shape)
    texts = tuple(dict.fromkeys(reasons[i] for i in sorted(reasons)))
    numbers = {text: number for number, text in enumerate(texts, 1)}
    for i, text in reasons.items():
        rows["failure"][i] = numbers[text]
    return Batch(rows, texts)


def _trained(spec: Spec, task: Task) -> Batch:
    """Train the networks of a task and predict their preference, as many as its time allows."""
    begin, found, reasons = perf_counter(), [], {}
    with one_thread():
        for i, number in enumerate(task.points.tolist()):
            if i and perf_counter() - begin > task.longest:
                break
            try:
                found.append(measure(spec.point(number), spec.methods[task.method]))
            except Exception as error:  # whatever it is, the other points go on
                reasons[i] = _why(error)
                found.append({})
    values = {name: np.array([one.get(name, np.nan) for one in found]) for name in spec.quantities}
    return _rows(spec, Task(task.method, task.points[: len(found)]), values, reasons)


def _why(error: Exception) -> str:
    """Return why a point failed; raise the error again if the machine failed, and not the point."""
    if isinstance(error, SystemError | OSError):
        if isinstance(error.__cause__, KeyboardInterrupt):  # Numba turns an interrupt into a SystemError
            raise KeyboardInterrupt from error
        raise error
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


def _together(spec: Spec, method: str, points: IntArray, block: IntArray, found: _Found) -> IntArray:
    """Compute a unit at once; return the places of points that must be computed one by one."""
    begin = perf_counter()
    try:
        laws = vectorised.laws(spec, method, points)
    except (ValueError, ArithmeticError):  # one of them has no moments, and the method for one network finds which
        return block
    found.mean[block, 0], found.variance[block, 0] = laws.mean, laws.variance
    found.rate[block, 0] = laws.mean
    found.readout_variance[block], found.converged[block] = laws.variance, laws.known
    found.seconds[block] = (perf_counter() - begin) / block.size
    found.reasons.update({int(block[i]): reason for i, reason in laws.failed.items()})
    known = laws.known.copy()
    known[list(laws.failed)] = True
    return block[~known]


def _one(spec: Spec, method: str, number: int, i: int, found: _Found) -> None:
    """Compute one point by the method for one network."""
    point, options = spec.point(number), dict(spec.options.get(method, {}))
    own = METHODS[method].options.names
    if "rng" in own:
        options["rng"] = spec.stream(point)
    if "workers" in own:
        options["workers"] = 1
    try:
        net, noise, u = spec.arguments(point)
        law = predict(net, noise, u, method, **options)
    except Exception as error:  # whatever it is, the other points go on
        found.reasons[i] = _why(error)
        return
    found.mean[i], found.rate[i], found.variance[i] = law.mean, law.rate, np.diag(law.covariance)
    if net.form == "rate":  # the covariance of the rates of a voltage network is not that of its state
        found.readout_variance[i] = np.trace(
            law.covariance if net.W_out is None else net.W_out @ law.covariance @ net.W_out.T
        )
    found.seconds[i], found.converged[i] = law.seconds, law.converged
    if law.standard_error is not None:
        found.error[i] = law.standard_error


def _noise_free(spec: Spec, points: IntArray, reasons: dict[int, str]) -> FloatArray:
    """Return the rates (P, N) at the fixed points that the zero state settles to; NaN where there is none.

    The reason why there is none is added to `reasons`.
    """
    states = np.full((points.size, spec.neurons), np.nan)
    left = np.ones(points.size, bool)
    alike = spec.network is None and "form" not in {*spec.axes, *spec.fixed}
    for places, neurons in vectorised.groups(spec, points) if alike else ():
        ends = settle_neurons(neurons)
        states[places, 0], left[places] = ends.state, ~ends.settled
        left[places[list(ends.growing)]] = False
        for i, reason in ends.growing.items():
            reasons.setdefault(int(places[i]), reason)
    for i in np.flatnonzero(left).tolist():
        try:
            net, _, u = spec.arguments(spec.point(int(points[i])))
            end = settle(net, u)
            states[i] = net.rate(end.fixed_point)
            if not end.converged:
                reasons.setdefault(i, f"{end.reason('the noise-free network')}, so that there is no bias")
        except (ValueError, ArithmeticError) as error:
            reasons.setdefault(i, str(error))
    return states
