"""Methods that take many single neurons at once, each to the same numbers as :func:`ctrnn_theory.predict`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian.smoothing import quick
from ctrnn_theory.dynamics.settle import BOUND
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray
from ctrnn_theory.sweeping import closure
from ctrnn_theory.sweeping.neurons import Ends, Neurons, settle
from ctrnn_theory.sweeping.spec import Spec

PASSED = f"W must keep the state bounded; the noise-free state passes {BOUND:g} from this start"
NEAR_BREAK = 1e-9  # relative distance of a fixed point to a breakpoint, which the method for one has to look at


@dataclass(frozen=True, eq=False)
class Laws:
    """Means and variances of many neurons."""

    mean: FloatArray
    """(P,); NaN where a neuron is left to the method for one, or has failed."""
    variance: FloatArray
    """(P,)."""
    known: BoolArray
    """Whether there is a mean and a variance, converged, (P,)."""
    failed: dict[int, str]
    """Reasons of those that have no law."""


def noise_free(neurons: Neurons) -> Ends:
    """Fixed points that the noise-free network settles to from rest."""
    return settle(neurons)


def _deterministic(neurons: Neurons) -> Laws:
    ends = noise_free(neurons)
    return Laws(ends.state, np.zeros(neurons.size), ends.settled, _passed(ends))


def _mean_field(neurons: Neurons) -> Laws:
    f, ends = neurons.f, settle(neurons, neurons.inside)
    some, variance = neurons[ends.settled], np.full(neurons.size, np.nan)
    a = some.w * ends.state[ends.settled] + some.b
    A = some.response(f.smoothed(a, some.inside, 1))
    innovation = f.smoothed_variance(a, some.inside) + some.outside**2
    variance[ends.settled] = some.gamma**2 * innovation / (1.0 - A**2)
    return Laws(ends.state, variance, ends.settled, _passed(ends))


def _small_noise(neurons: Neurons) -> Laws:
    ends = noise_free(neurons)
    w, f, a = neurons.w, neurons.f, neurons.w * np.nan_to_num(ends.state) + neurons.b
    d, bend = f.derivative(a), f.derivative(a, 2)
    known = ends.settled.copy()
    for k in f.breakpoints:
        known &= np.abs(a - k) > NEAR_BREAK * (1.0 + abs(k))
    A = np.where(known, neurons.response(d), 0.0)
    variance = neurons.gamma**2 * ((d * neurons.inside) ** 2 + neurons.outside**2) / (1.0 - A**2)
    shift = 0.5 * bend * (neurons.inside**2 + w**2 * variance) / np.where(known, 1.0 - d * w, 1.0)
    return Laws(ends.state + shift, variance, known, _passed(ends))


def _gaussian_closure(neurons: Neurons) -> Laws:
    found = closure.settle(neurons)
    return Laws(found.mean, found.variance, found.settled, found.runaway)


def _passed(ends: Ends) -> dict[int, str]:
    return dict.fromkeys(np.flatnonzero(ends.runaway).tolist(), PASSED)


VECTORISED: dict[str, Callable[[Neurons], Laws]] = {
    "deterministic": _deterministic,
    "mean_field": _mean_field,
    "small_noise": _small_noise,
    "gaussian_closure": _gaussian_closure,
}
SMOOTHED = ("mean_field", "gaussian_closure")
"""Those that smooth the activation, which takes long without a closed form."""


def takes(spec: Spec, method: str) -> bool:
    """Whether the points of a sweep may be given to a vectorised method."""
    if spec.network is not None or method not in VECTORISED or spec.options.get(method):
        return False
    used = spec.axes["activation"].values if "activation" in spec.axes else (spec.fixed["activation"],)
    return method not in SMOOTHED or all(quick(activation(text)) for text in used)


def groups(spec: Spec, points: IntArray) -> list[tuple[NDArray[np.intp], Neurons]]:
    """Neurons at some points of a grid, by activation, and their places among these points."""
    columns = {name: np.broadcast_to(column, points.shape) for name, column in spec.columns(points).items()}
    names = columns.pop("activation")
    order = ("w", "b", "gamma", "sigma_in", "sigma_out")
    found = []
    for text in np.unique(names):
        places = np.flatnonzero(names == text)
        found.append((places, Neurons(activation(str(text)), *(columns[name][places] for name in order))))
    return found


def laws(spec: Spec, method: str, points: IntArray) -> Laws:
    """Laws at some points of a grid, by a method that takes them."""
    mean, variance = np.full(points.size, np.nan), np.full(points.size, np.nan)
    known = np.zeros(points.size, bool)
    failed: dict[int, str] = {}
    for places, neurons in groups(spec, points):
        with np.errstate(all="ignore"):
            found = VECTORISED[method](neurons)
        good = places[found.known]
        mean[good], variance[good] = found.mean[found.known], found.variance[found.known]
        known[good] = True
        failed |= {int(places[i]): reason for i, reason in found.failed.items()}
    return Laws(mean, variance, known, failed)
