"""The task of holding an output at a set-point with one neuron; its loss is computed without sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.model.kinds import Kind
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.arguments import finite_number, positive_number
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.layout import Layout
from ctrnn_theory.training.model import TAKEN
from ctrnn_theory.training.rollout import Key
from ctrnn_theory.training.tasks.base import Episode, Model, OpenLoop


@dataclass(frozen=True)
class Regulator(OpenLoop):
    """One neuron holds z = r h + c at a set-point y; the loss is E(z - y)² under the stationary law.

    Weights are bounded: |w| ≤ `weight`, |b| ≤ `drive`, 1 ≤ r ≤ `readout`, |c| ≤ `offset`. Without bounds there is no
    best neuron: a large state with a small r has an output with as little noise as one likes, and so has a silent one
    with c = y. With bounds the neuron has to supply at least y - `offset`, and can choose its place on f.

    Examples
    --------
    >>> net = CTRNN([[0.0]], 0.5, activation="relu", gamma=0.1, W_out=[[1.0]], b_out=[0.5])
    >>> from ctrnn_theory.model.noise import Noise
    >>> Regulator().exact(Model.of(net, Noise(outside=0.1))).round(6)      # γ σ² / (2 - γ)
    array([0.000526])
    """

    name = "regulator"
    summary = "one neuron holds its output at a set-point; the loss is exact"
    losses_by = ("exact", "closure", "simulation")
    neurons = 1
    step = 0.2
    inputs = 0
    outputs = 1

    set_point: float = 1.0
    """Set-point y."""
    weight: float = 1.0
    """Largest |w|."""
    drive: float = 3.0
    """Largest |b|."""
    readout: float = 3.0
    """Largest r; the least is 1."""
    offset: float = 0.5
    """Largest |c|; it must be below y, else the neuron has nothing to do."""
    steps: int = 400
    """Steps of a simulated trial from zero, of which the second half has a weight in the loss. For γ below 0.05 take
    more, so that 20 time constants pass before it."""
    repeats: int = 256
    """Trials in a loss by simulation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("set_point", "weight", "drive", "readout", "offset"):
            object.__setattr__(self, name, positive_number(name, finite_number(name, getattr(self, name))))
        if self.readout <= 1.0:
            raise ValueError(f"readout must be above 1, the least; got {self.readout:g}")
        if self.offset >= self.set_point:
            raise ValueError(f"offset must be below set_point, {self.set_point:g}; got {self.offset:g}")

    def layout(self, neurons: int) -> Layout:
        if neurons != 1:
            raise ValueError(f"neurons must be 1 for the regulator; got {neurons}")
        return super().layout(neurons)

    def bounds(self, layout: Layout) -> tuple[FloatArray, FloatArray]:
        most = np.array([self.weight, self.drive, self.readout, self.offset])
        return np.array([-self.weight, -self.drive, 1.0, -self.offset]), most

    def guess(self, layout: Layout, rng: np.random.Generator) -> FloatArray:
        low, high = self.bounds(layout)
        return low + (high - low) * rng.uniform(0.25, 0.75, 4)

    def episode(self, rng: np.random.Generator) -> Episode:
        counted = np.arange(self.steps) >= self.steps // 2
        return Episode(np.zeros((1, 1, 0)), np.full((1, 1, 1), self.set_point), counted / counted.sum())

    def kinds_taken(self, loss: str) -> tuple[Kind, ...]:
        return TAKEN if loss == "simulation" else tuple(kind for kind in TAKEN if kind != "voltage")

    def exact(self, model: Model, key: Key | None = None) -> FloatArray:
        """Return the loss (S,) under the exact stationary law, which is infinite if the state grows without bound."""
        return self._stationary(model, "exact")

    def predicted(self, model: Model, key: Key | None = None) -> FloatArray:
        """Return the loss (S,) under the stationary law of the Gaussian closure."""
        return self._stationary(model, "gaussian_closure")

    def _stationary(self, model: Model, method: str) -> FloatArray:
        losses = []
        for W, b, _, W_out, b_out in zip(*model.weights, strict=True):
            try:
                law = predict(CTRNN(W, b, model.f, model.gamma, form=model.form), model.noise, method=method)
            except (Divergence, NotApplicable):
                losses.append(np.inf)
                continue
            gap = W_out[0, 0] * law.mean[0] + b_out[0] - self.set_point
            losses.append(float(gap**2 + W_out[0, 0] ** 2 * law.covariance[0, 0]))
        return np.array(losses)
