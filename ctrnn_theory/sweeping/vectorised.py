"""Which points of a sweep a method can take many at a time, and their laws."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.activations import activation
from ctrnn_theory.activations.gaussian.smoothing import quick
from ctrnn_theory.dynamics.neurons import Neurons
from ctrnn_theory.stationary.method import loaded
from ctrnn_theory.stationary.neuron_laws import NeuronLaws
from ctrnn_theory.stationary.registry import METHODS
from ctrnn_theory.support.types import IntArray
from ctrnn_theory.sweeping.spec import Spec

SMOOTHED = ("mean_field", "gaussian_closure")
"""Methods that smooth the activation, which takes long without a closed form."""


def takes(spec: Spec, method: str) -> bool:
    """Return whether the points of a sweep may be given to a vectorised method."""
    if (
        spec.trained
        or spec.network is not None
        or spec.extended
        or METHODS[method].neurons is None
        or spec.options.get(method)
    ):
        return False
    used = spec.axes["activation"].values if "activation" in spec.axes else (spec.fixed["activation"],)
    return method not in SMOOTHED or all(quick(activation(text)) for text in used)


def groups(spec: Spec, points: IntArray) -> list[tuple[IntArray, Neurons]]:
    """Return the neurons at some points of a grid, by activation, and their places among these points."""
    columns = {name: np.broadcast_to(column, points.shape) for name, column in spec.columns(points).items()}
    names = columns.pop("activation")
    order = ("w", "b", "gamma", "sigma_in", "sigma_out")
    found = []
    for text in np.unique(names):
        places = np.flatnonzero(names == text)
        found.append((places, Neurons(activation(str(text)), *(columns[name][places] for name in order))))
    return found


def laws(spec: Spec, method: str, points: IntArray) -> NeuronLaws:
    """Return the laws at some points of a grid, by a method that takes them; NaN where a law is not known."""
    mean, variance = np.full(points.size, np.nan), np.full(points.size, np.nan)
    known = np.zeros(points.size, bool)
    failed: dict[int, str] = {}
    solve = loaded(METHODS[method].neurons)
    for places, neurons in groups(spec, points):
        with np.errstate(all="ignore"):
            found = solve(neurons)
        good = places[found.known]
        mean[good], variance[good] = found.mean[found.known], found.variance[found.known]
        known[good] = True
        failed |= {int(places[i]): reason for i, reason in found.failed.items()}
    return NeuronLaws(mean, variance, known, failed)
