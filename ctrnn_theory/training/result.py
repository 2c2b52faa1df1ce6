"""A trained network, as the trainer returns it and as a folder keeps it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn
from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training import checkpoint
from ctrnn_theory.training.settings import Settings
from ctrnn_theory.training.tasks import Task
from ctrnn_theory.training.tradeoff import critical


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Training(Drawn, picture="training"):
    """A trained network, and how it was trained."""

    network: CTRNN
    """The mean of the search distribution at the end, or the network of the solved decoders."""
    task: Task
    """Task that it was trained for."""
    noise: Noise
    """Noise during training."""
    loss: float
    """Loss of the network, on noise that the search has not seen."""
    losses: FloatArray
    """Loss of each network of each generation, (generations, popsize)."""
    evaluations: int
    """Number of networks that were tried."""
    seconds: float
    """Duration of training, since it was last resumed."""
    message: str
    """Why training ended."""
    K: float | None = None
    """Squared shift of the mean output between no noise and the training noise, as the Gaussian closure predicts it;
    None for the method "cma", for a closed-loop task, and where the closure grows without bound."""
    nu: float | None = None
    """Variance ν of the output under the training noise, likewise."""

    @property
    def sigma_c(self) -> float | None:
        """Critical noise σ_c = √(ν/2K), in units of the training noise: below one, some noise is preferred to none.

        The preferred level is about √(1 - σ_c²) then; see :func:`ctrnn_theory.preference`.
        """
        return critical(self.K, self.nu)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Training:
        """Read a run that :func:`train` kept; one that was cut off has its latest network, and a loss of NaN.

        Raises
        ------
        ValueError
            If the folder holds no run, or a damaged one.
        """
        return read(Folder(folder, checkpoint.KIND))

    def _headline(self) -> str:
        return f"{self.task.name}: {self.network.title}; noise {self.noise.title}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        tried = f"{self.evaluations} evaluation{'s' * (self.evaluations != 1)}"
        yield f"loss {self.loss:.4g} after {tried} in {self.seconds:.1f} s ({self.message})"
        if self.sigma_c is not None:
            yield f"K = {self.K:.4g}, ν = {self.nu:.4g}: critical {self.sigma_c:.4g}"
        count = len(self.losses)
        if count > 1:
            shown = sorted({0, count // 4, count // 2, 3 * count // 4, count - 1})
            rows = [[str(k), f"{self.losses[k].min():.5g}", f"{np.median(self.losses[k]):.5g}"] for k in shown]
            yield Table(("generation", "least loss", "median loss"), rows)

    def _arrays(self) -> Arrays:
        return Arrays({"loss": (("generation", "candidate"), self.losses)}, {})


def training_of(settings: Settings, net: CTRNN, history: list[FloatArray], result: dict[str, Any]) -> Training:
    """Return the result of a run from its last network, the losses of its generations, and what else was found."""
    losses = np.array(history).reshape(len(history), settings.popsize)
    return Training(net, settings.task, settings.noise, evaluations=losses.size, losses=losses, **result)


def read(folder: Folder) -> Training:
    """Return the result that a folder keeps; see :meth:`Training.load`."""
    settings = checkpoint.read_settings(folder)
    history, _, _ = checkpoint.read_log(folder, settings)
    network, found = checkpoint.read_network(folder, settings), checkpoint.read_result(folder)
    cut_off = f"cut off after {len(history)} of {settings.generations} generations"
    result = found or {"loss": math.nan, "seconds": 0.0, "message": cut_off}
    return training_of(settings, network, history, result)
