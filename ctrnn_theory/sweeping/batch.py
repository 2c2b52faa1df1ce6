"""A batch of points by one method: the rows of its results, and the reasons of those that failed."""

from __future__ import annotations

import math
from collections.abc import Iterable
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
from ctrnn_theory.sweeping.spec import BY_NEURON, Spec

Rows = NDArray[np.void]
UNIT = 1024
"""Points of a vectorised method that are always computed together: the last bits of sums may depend on it."""


@dataclass(frozen=True)
class Task:
    """Points to be computed by one method."""

    method: int
    """Its number among the methods of the sweep."""
    points: IntArray
    """Numbers of the points, ascending; whole units."""
    longest: float = math.inf
    """Seconds after which it ends with what it has, if that is anything."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Points that are finished."""

    rows: Rows
    """Structured array of :func:`row_type`."""
    reasons: tuple[str, ...]
    """Why points failed: the field "failure" counts from 1 into it, and is 0 for a point that did not."""


def row_type(spec: Spec) -> np.dtype[np.void]:
    """Layout of a row: method, point, failure, and the quantities that are asked for, (N,) where they are by neuron."""
    kinds: list[Any] = [("method", "<i4"), ("failure", "<i4"), ("point", "<i8")]
    for name in spec.quantities:
        by_neuron = name in BY_NEURON and spec.network is not None
        kinds.append((name, "?" if name == "converged" else "<f8", (spec.neurons,) if by_neuron else ()))
    return np.dtype(kinds)


def unit(spec: Spec, method: str) -> int:
    """Points that are computed together whatever the batch: 1 but for the vectorised methods."""
    return UNIT if vectorised.takes(spec, method) else 1


def evaluate(spec: Spec, task: Task, own: Iterable[Method] = ()) -> Batch:
    """Compute the points of a task, as many whole units as its time allows; what fails is told in the rows.

    Points of which one takes much longer than those that the length of tasks was estimated from are thus kept soon.
    BLAS is held to one thread whatever the size: it is points that are spread over cores, and last bits may depend on
    the number of threads. `own`: methods that the user registered, of which this process may not know.
    """
    know(own)
    method, count = spec.methods[task.method], task.points.size
    found = _Found(
        np.full((count, spec.neurons), np.nan),
        np.full((count, spec.neurons), np.nan),
        np.full((count, spec.neurons), np.nan),
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
        rest = _noise_free(spec, task.points, found.reasons) if wanted else np.nan
    return _batch(spec, task, found, rest)


@dataclass(frozen=True, eq=False)
class _Found:
    """What the method says of P points of N neurons, filled in by and by."""

    mean: FloatArray
    """(P, N)."""
    variance: FloatArray
    """(P, N)."""
    error: FloatArray
    """Standard error of the mean (P, N)."""
    spread: FloatArray
    """Variance of what the loss is of, summed over it, (P,)."""
    seconds: FloatArray
    """(P,)."""
    converged: BoolArray
    """(P,)."""
    reasons: dict[int, str] = field(default_factory=dict)
    """Why points failed, by place."""

    def first(self, count: int) -> _Found:
        """Return what was found of the first points, of which others have no reasons."""
        names = ("mean", "variance", "error", "spread", "seconds", "converged")
        return replace(self, **{name: getattr(self, name)[:count] for name in names})


def _batch(spec: Spec, task: Task, found: _Found, rest: Any) -> Batch:
    """Rows of what was found; `rest`: noise-free states (P, N)."""
    gap, W_out = found.mean - rest, None if spec.network is None else spec.network.W_out
    shift = (
        gap if W_out is None else np.sum(gap[:, None] * W_out, axis=2)
    )  # by itself, whatever the batch: not gap @ Wᵀ
    values = {
        "mean": found.mean,
        "bias": gap,
        "variance": found.variance,
        "standard_error": found.error,
        "loss": found.spread + np.sum(shift**2, axis=1),
        "seconds": found.seconds,
        "converged": found.converged,
    }
    rows = np.zeros(task.points.size, row_type(spec))
    rows["method"], rows["point"] = task.method, task.points
    for name in spec.quantities:
        rows[name] = values[name].reshape(rows[name].shape)
    texts = tuple(dict.fromkeys(found.reasons[i] for i in sorted(found.reasons)))
    numbers = {text: number for number, text in enumerate(texts, 1)}
    for i, text in found.reasons.items():
        rows["failure"][i] = numbers[text]
    return Batch(rows, texts)


def _together(spec: Spec, method: str, points: IntArray, block: IntArray, found: _Found) -> IntArray:
    """Take a unit at once; returns the places that are left to be taken one by one."""
    begin = perf_counter()
    try:
        laws = vectorised.laws(spec, method, points)
    except (ValueError, ArithmeticError):  # one of them has no moments: which, the method for one will say
        return block
    found.mean[block, 0], found.variance[block, 0] = laws.mean, laws.variance
    found.spread[block], found.converged[block] = laws.variance, laws.known
    found.seconds[block] = (perf_counter() - begin) / block.size
    found.reasons.update({int(block[i]): reason for i, reason in laws.failed.items()})
    known = laws.known.copy()
    known[list(laws.failed)] = True
    return block[~known]


def _one(spec: Spec, method: str, number: int, i: int, found: _Found) -> None:
    """Take one point by the method itself."""
    point, options = spec.point(number), dict(spec.options.get(method, {}))
    own = METHODS[method].options.names
    if "rng" in own:
        options["rng"] = spec.stream(point)
    if "workers" in own:
        options["workers"] = 1
    try:
        net, noise, u = spec.model(point)
        law = predict(net, noise, u, method, **options)
    except (SystemError, OSError) as error:  # of this machine, and not of the point
        if isinstance(error.__cause__, KeyboardInterrupt):  # as Numba passes it on
            raise KeyboardInterrupt from error
        raise
    except Exception as error:  # whatever it is, the others go on
        found.reasons[i] = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return
    found.mean[i], found.variance[i] = law.mean, np.diag(law.covariance)
    found.spread[i] = np.trace(law.covariance if net.W_out is None else net.W_out @ law.covariance @ net.W_out.T)
    found.seconds[i], found.converged[i] = law.seconds, law.converged
    if law.standard_error is not None:
        found.error[i] = law.standard_error


def _noise_free(spec: Spec, points: IntArray, reasons: dict[int, str]) -> FloatArray:
    """Fixed point that the noise-free network goes to from rest at each point, (P, N); NaN and a reason without one."""
    states = np.full((points.size, spec.neurons), np.nan)
    left = np.ones(points.size, bool)
    for places, neurons in vectorised.groups(spec, points) if spec.network is None else ():
        ends = settle_neurons(neurons)
        states[places, 0], left[places] = ends.state, ~ends.settled
        left[places[list(ends.growing)]] = False
        for i, reason in ends.growing.items():
            reasons.setdefault(int(places[i]), reason)
    for i in np.flatnonzero(left).tolist():
        try:
            net, _, u = spec.model(spec.point(int(points[i])))
            end = settle(net.activation, 0.0, net.W, net.drive(u), net.gamma, net.start_state())
            states[i] = end.fixed_point
            if not end.converged:
                reasons.setdefault(i, f"{end.reason('the noise-free network')}, so that there is no bias")
        except (ValueError, ArithmeticError) as error:
            reasons.setdefault(i, str(error))
    return states
