"""The nonlinearity of the activation that is nearest to the pre-activation of a neuron."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.group import parts
from ctrnn_theory.support.types import FloatArray


def nearest_nonlinearity(f: Activation | ActivationGroup, a: FloatArray) -> FloatArray:
    """Return the nonlinearity of f nearest to each pre-activation (..., N), 0 for an f without any; NaN for a NaN.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> nearest_nonlinearity(activation("hardtanh"), np.array([[0.3], [-4.0]]))
    array([[ 1.],
           [-1.]])
    """
    nearest = np.full(a.shape, np.nan)
    for one, neurons in parts(f, a.shape[-1]):
        places, own = np.array(one.nonlinearities or (0.0,)), a[..., neurons]
        at = places[np.argmin(np.abs(own[..., None] - places), axis=-1)]
        nearest[..., neurons] = np.where(np.isnan(own), np.nan, at)
    return nearest
