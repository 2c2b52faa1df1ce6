"""The loss of a network at many levels of noise, as a result that prints and is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, plain
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.tasks import Task
from ctrnn_theory.training.tradeoff import critical

ROUNDING = 1e-12  # a standard error below it is rounding, at a level without noise


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Preference(Drawn, picture="preference"):
    """Loss against test noise at L levels, in units of the training noise, and the level that is preferred."""

    network: CTRNN
    """The network."""
    task: Task
    """Task on which the network is tested."""
    noise: Noise
    """The training noise, which is that of level one."""
    repeats: int
    """Number of trials of each condition at each level; zero without simulation."""
    confidence: float
    """Confidence level of the interval."""
    levels: FloatArray
    """Levels of the test noise (L,), as multiples of the training noise."""
    loss: FloatArray | None = None
    """Loss by simulation (L,); None, as all that is measured, without simulation."""
    standard_error: FloatArray | None = None
    """Standard error of ``loss`` (L,), over repeats."""
    bias: FloatArray | None = None
    """Squared output bias (L,); its estimate is unbiased and may fall below zero. None for a closed-loop task."""
    bias_standard_error: FloatArray | None = None
    """Standard error of ``bias`` (L,)."""
    variance: FloatArray | None = None
    """Variance of the output (L,), which with ``bias`` adds up to the loss; None for a closed-loop task."""
    variance_standard_error: FloatArray | None = None
    """Standard error of ``variance`` (L,)."""
    success: FloatArray | None = None
    """Share of trials that reach their goal, or end in the right response (L,); None for a task without either."""
    success_standard_error: FloatArray | None = None
    """Standard error of ``success`` (L,)."""
    runaway: FloatArray | None = None
    """Share of trials that have run away, (L,), with a loss of more than 1e4 times the median. Where there are some,
    the rarest of them decide on the expected loss, and no sample is large enough for it."""
    preferred: float | None = None
    """Level of least loss."""
    interval: tuple[float, float] | None = None
    """Confidence interval of the preferred level."""
    ratio: float | None = None
    """Loss without noise over the loss at the preferred level; NaN where the latter is zero."""
    ratio_standard_error: float | None = None
    """Standard error of ``ratio``."""
    predicted_bias: FloatArray | None = None
    """Squared output bias (L,) by the Gaussian closure in time, for a closed-loop task along the path of the mean
    output; None where that is not the loss, without `predict`, and where the closure grows without bound."""
    predicted_variance: FloatArray | None = None
    """Variance of the output (L,) by the Gaussian closure in time; None where ``predicted_bias`` is."""
    predicted_preferred: float | None = None
    """Level of least predicted loss."""
    predicted_ratio: float | None = None
    """Predicted loss without noise over the predicted loss there."""
    K: float | None = None
    """Squared shift of the mean output between no noise and level one, the mean of |E z(1) - E z(0)|²; by the closure
    if it was used, else simulated; None for a closed-loop task."""
    nu: float | None = None
    """Variance ν of the output at level one; by the closure if it was used, else simulated; None for a closed-loop
    task."""
    simulated_K: float | None = None
    """K by simulation, less the variance of the means that it is made of; None for a closed-loop task."""
    simulated_nu: float | None = None
    """ν by simulation; None for a closed-loop task."""

    @property
    def predicted_loss(self) -> FloatArray | None:
        """Loss (L,) by the Gaussian closure in time."""
        if self.predicted_bias is None or self.predicted_variance is None:
            return None
        return self.predicted_bias + self.predicted_variance

    @property
    def sigma_c(self) -> float | None:
        """Critical training noise σ_c = √(ν/2K) above which noise is preferred, in units of the training noise."""
        return critical(self.K, self.nu)

    @property
    def simulated_sigma_c(self) -> float | None:
        """The same by simulation."""
        return critical(self.simulated_K, self.simulated_nu)

    @property
    def sigma_pref(self) -> float | None:
        """Preferred level σ_pref = √max(0, 1 - ν/2K) if bias and variance of the output were proportional to σ²."""
        return None if self.sigma_c is None else math.sqrt(max(0.0, 1.0 - self.sigma_c**2))

    def _headline(self) -> str:
        return f"{self.task.name}: {self.network.title}; training noise {self.noise.title}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        if self.preferred is not None and self.interval is not None:
            low, high = self.interval
            also = "" if self.predicted_preferred is None else f"; predicted {self.predicted_preferred:.4g}"
            yield f"preferred level {self.preferred:.4g}, {self.confidence:.0%} interval {low:.4g} to {high:.4g}{also}"
            large = self.ratio_standard_error is not None and self.ratio_standard_error > ROUNDING
            error = f" ± {self.ratio_standard_error:.1g}" if large else ""
            yield f"loss without noise over loss there {self.ratio:.4g}{error}"
        else:
            yield f"predicted preferred level {self.predicted_preferred:.4g}"
            yield f"loss without noise over loss there {self.predicted_ratio:.4g}"
        if self.sigma_c is not None:
            simulated = self.simulated_sigma_c
            both = "" if simulated is None or self.predicted_bias is None else f"; simulated {simulated:.4g}"
            yield (
                f"K = {self.K:.4g}, ν = {self.nu:.4g}: preferred {self.sigma_pref:.4g}, critical {self.sigma_c:.4g}"
                + both
            )
        if self.runaway is not None and np.any(self.runaway):
            at = self.levels[self.runaway > 0.0]
            yield f"from level {at[0]:g} on trials run away, up to {self.runaway.max():.2g} of them"
        columns = {
            "level": [f"{s:g}" for s in self.levels],
            "loss": _numbers(self.loss, self.standard_error),
            "bias²": _numbers(self.bias, self.bias_standard_error),
            "variance": _numbers(self.variance, self.variance_standard_error),
            "predicted loss": _numbers(self.predicted_loss),
            "predicted bias²": _numbers(self.predicted_bias),
            "success": _numbers(self.success, self.success_standard_error),
        }
        shown = {title: cells for title, cells in columns.items() if cells}
        yield Table(tuple(shown), list(zip(*shown.values(), strict=True)))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python objects that JSON can hold; NaN and infinity become None."""
        return super().to_dict() | {
            name: plain(getattr(self, name))
            for name in ("predicted_loss", "sigma_c", "simulated_sigma_c", "sigma_pref")
        }

    def _arrays(self) -> Arrays:
        parts = ("loss", "bias", "variance", "success")
        errors = ("standard_error", *(f"{name}_standard_error" for name in parts[1:]))
        names = (*parts, *errors, "runaway", "predicted_loss", "predicted_bias", "predicted_variance")
        return Arrays({name: ("level", getattr(self, name)) for name in names}, {"level": self.levels})


def _numbers(values: FloatArray | None, errors: FloatArray | None = None) -> list[str]:
    if values is None:
        return []
    if errors is None:
        return [f"{value:.5f}" for value in values]
    shown = (f" ± {error:.0e}" if error > ROUNDING else "" for error in errors)
    return [f"{value:.5f}{error}" for value, error in zip(values, shown, strict=True)]
