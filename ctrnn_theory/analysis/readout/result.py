"""The loss of a readout over training and test noise, as a result that prints and is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import FEW, Arrays, Drawn, counted, plain
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

COLUMNS = 5
"""Most test noises in a table that is not full."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class ReadoutTheory(Drawn, picture="readout"):
    """Loss of a linear readout for K noises in training and L noises in the test."""

    train_levels: FloatArray
    """Levels of the training noise, (K,)."""
    test_levels: FloatArray
    """Levels of the test noise, (L,)."""
    noise_train: tuple[Noise, ...]
    """Training noise at each level."""
    noise_test: tuple[Noise, ...]
    """Test noise at each level."""
    squared_bias: FloatArray
    """Squared difference of mean output and target, averaged over time and summed over outputs, (K, L)."""
    variance: FloatArray
    """Variance of the output, averaged and summed likewise, (K, L)."""
    weights: FloatArray
    """Weights that training finds, (K, P, N)."""
    constants: FloatArray
    """Constants of the outputs, (K, P); zero without an intercept."""
    intercept: bool
    """Whether the constants were trained."""

    @property
    def loss(self) -> FloatArray:
        """Mean squared error, squared bias and variance together, (K, L)."""
        return self.squared_bias + self.variance

    @property
    def preferred(self) -> FloatArray:
        """Test level of the least loss for each training noise, (K,)."""
        return self.test_levels[np.argmin(self.loss, axis=1)]

    @property
    def best_training(self) -> FloatArray:
        """Training level of the least loss for each test noise, (L,): its own, if that is there and no ridge is."""
        return self.train_levels[np.argmin(self.loss, axis=0)]

    @property
    def norm(self) -> FloatArray:
        """Euclidean norm of the weights, (K,)."""
        return np.sqrt(np.sum(self.weights**2, axis=(1, 2)))

    @property
    def weight_mean(self) -> FloatArray:
        """Mean of each output's weights, (K, P), whose square decides on the variance by common additive noise."""
        mean: FloatArray = self.weights.mean(axis=2)
        return mean

    @property
    def weight_mean_square(self) -> FloatArray:
        """Mean square of each output's weights, (K, P), which decides on the variance by private additive noise."""
        mean: FloatArray = np.mean(self.weights**2, axis=2)
        return mean

    def _headline(self) -> str:
        K, L = self.loss.shape
        _, P, N = self.weights.shape
        constant = "with" if self.intercept else "without"
        trained, tested = counted(K, "training noise"), counted(L, "test noise")
        return f"{counted(P, 'output')} of {counted(N, 'neuron')} {constant} intercept, {trained}, {tested}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        loss, preferred = self.loss, self.preferred
        columns = min(loss.shape[1], few if few > FEW else COLUMNS)
        shown = np.unique(np.linspace(0, loss.shape[1] - 1, columns).astype(int))
        titles = ("trained at", "|w|", "preferred", *(f"loss at {self.test_levels[j]:g}" for j in shown))
        yield Table(
            titles,
            [
                [f"{level:g}", f"{norm:.4g}", f"{best:g}", *(f"{row[j]:.4g}" for j in shown)]
                for level, norm, best, row in zip(self.train_levels, self.norm, preferred, loss, strict=True)
            ],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python objects that JSON can hold; NaN and infinity become None."""
        names = ("loss", "preferred", "best_training", "norm", "weight_mean", "weight_mean_square")
        return super().to_dict() | {name: plain(getattr(self, name)) for name in names}

    def _arrays(self) -> Arrays:
        matrices = {name: (("train", "test"), getattr(self, name)) for name in ("loss", "squared_bias", "variance")}
        others = {
            "preferred": ("train", self.preferred),
            "best_training": ("test", self.best_training),
            "norm": ("train", self.norm),
            "weights": (("train", "output", "neuron"), self.weights),
            "constants": (("train", "output"), self.constants),
        }
        return Arrays(matrices | others, {"train": self.train_levels, "test": self.test_levels})
