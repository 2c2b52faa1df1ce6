"""What a training searches: all weights of a network, or the shape of drawn weights whose decoders are solved."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.optimize import Bounds

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.arguments import real_array
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.decoders.network import Family
from ctrnn_theory.training.kernels import Weights
from ctrnn_theory.training.layout import weights_of
from ctrnn_theory.training.settings import Settings

GUESS, POINTS = 1, 3
"""Numbers of the random streams of the start of a search, which draws the weights, and of the latent system's points;
the trainer has those between."""
WIDEST = 1.5
"""Largest absolute value of a parameter of the shape, by which scales change up to 4.5 times."""


class Search(Protocol):
    """A family of networks with n parameters, and where a search for the best of them begins."""

    def start(self) -> tuple[FloatArray, Bounds | None, float | FloatArray]:
        """Return the first mean (n,) of the search, its bounds, and its first standard deviation."""

    def weights(self, x: FloatArray) -> Weights:
        """Return the arrays of the S networks with the parameters x (n, S)."""

    def network(self, x: FloatArray) -> CTRNN:
        """Return the network with the parameters x (n,)."""


class AllWeights:
    """All weights of a network are parameters."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.layout = settings, settings.layout

    def start(self) -> tuple[FloatArray, Bounds | None, float | FloatArray]:
        """Return the first mean, the bounds and the first standard deviation, which the task decides."""
        settings, layout = self.settings, self.layout
        limits = settings.task.bounds(layout)
        if limits is not None:
            low, high = (real_array("bounds of the task", side, (layout.size,)) for side in limits)
        guess = settings.task.guess(layout, np.random.default_rng(settings.stream(GUESS)))
        guess = real_array("guess of the task", guess, (layout.size,))
        if limits is None:
            return guess, None, settings.step
        return guess, Bounds(low, high), settings.step * (high - low)

    def weights(self, x: FloatArray) -> Weights:
        """Return the arrays of S networks."""
        return self.layout.weights(x)

    def network(self, x: FloatArray) -> CTRNN:
        """Return one network."""
        return self.layout.network(x, self.settings.activation, self.settings.gamma, self.settings.form)


class Shapes:
    """The shape of drawn weights has a few parameters, and decoders are solved for each shape."""

    def __init__(self, settings: Settings) -> None:
        s, keys = settings, (settings.stream(POINTS), settings.stream(GUESS))
        self.family = Family.of(s.task, s.neurons, s.activation, s.gamma, s.noise, s.alpha, s.beta, *keys)
        self.step = s.step

    def start(self) -> tuple[FloatArray, Bounds | None, float | FloatArray]:
        """Return the shape of normal weights and uniform biases, bounds, and the first standard deviation."""
        n = self.family.size
        return np.zeros(n), Bounds(np.full(n, -WIDEST), np.full(n, WIDEST)), self.step

    def weights(self, x: FloatArray) -> Weights:
        """Return the arrays of S networks, whose decoders are solved one after the other."""
        each = [weights_of(self.network(column)) for column in x.T]
        return Weights(*(np.concatenate(arrays) for arrays in zip(*each, strict=True)))

    def network(self, x: FloatArray) -> CTRNN:
        """Return one network."""
        return self.family.network(x)


def search_of(settings: Settings) -> Search:
    """Return what the method of a training searches."""
    return AllWeights(settings) if settings.method == "cma" else Shapes(settings)
