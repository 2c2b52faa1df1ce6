"""The kinds of networks and noise that a method may or may not take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import NotApplicable

Kind = Literal["voltage", "gammas", "activations", "gain_inside", "gain_outside", "coloured_inside", "coloured_outside"]
WORDS: dict[Kind, str] = {
    "voltage": "the voltage form",
    "gammas": "values of gamma that differ between neurons",
    "activations": "activations that differ between neurons",
    "gain_inside": "multiplicative noise inside",
    "gain_outside": "multiplicative noise outside, dropout included",
    "coloured_inside": "coloured noise inside",
    "coloured_outside": "coloured noise outside",
}
"""What a message calls each kind, beyond networks in rate form with one γ, one activation and white additive noise."""


def kinds(net: CTRNN, noise: Noise) -> Iterator[Kind]:
    """Yield the kinds that a network and its noise are of.

    Examples
    --------
    >>> list(kinds(CTRNN.single(w=0.5), Noise.dropout(0.5)))
    ['gain_outside']
    """
    if net.form == "voltage":
        yield "voltage"
    if not isinstance(net.gamma, float):
        yield "gammas"
    if isinstance(net.activation, ActivationGroup):
        yield "activations"
    yield from noise_kinds(noise)


def noise_kinds(noise: Noise) -> Iterator[Kind]:
    """Yield the kinds that noise is of."""
    outside = (noise.gain_outside, noise.common_gain_outside, 1.0 - np.asarray(noise.keep))
    if np.any(noise.gain_inside):
        yield "gain_inside"
    if any(np.any(gain) for gain in outside):
        yield "gain_outside"
    if np.any(noise.inside) and np.any(noise.rho_inside):
        yield "coloured_inside"
    if np.any(noise.outside) and np.any(noise.rho_outside):
        yield "coloured_outside"


def require(method: str, net: CTRNN, noise: Noise, *taken: Kind) -> None:
    """Raise NotApplicable if the network or its noise is of a kind that a method does not take.

    Examples
    --------
    >>> require("exact", CTRNN.single(w=0.5), Noise.dropout(0.5), "voltage")
    Traceback (most recent call last):
    ctrnn_theory.support.errors.NotApplicable: exact does not take multiplicative noise outside, dropout included
    """
    for kind in kinds(net, noise):
        if kind not in taken:
            raise NotApplicable(f"{method} does not take {WORDS[kind]}")


def uniform(method: str, net: CTRNN, noise: Noise) -> tuple[Activation, float]:
    """Return the activation and γ of a network in rate form under white additive noise, whose neurons are alike.

    Raises
    ------
    NotApplicable
        If the network or its noise is of any other kind.

    Examples
    --------
    >>> uniform("method", CTRNN.single(w=0.5, activation="tanh"), Noise(0.5))
    (Activation('tanh'), 0.1)
    """
    require(method, net, noise)
    return net.activations[0], float(net.gammas[0])
