"""The error of what a network remembers against time, as a result that prints and is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ctrnn_theory.analysis.latent import LatentField, latent
from ctrnn_theory.model.low_rank import Factors
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, counted, plain
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

ROWS = 6
"""Most recorded times in a table that is not full."""
POINTS = 4
"""Most stable fixed points that a table gives."""
PARTS = ("squared_error", "systematic", "random", "error", "loss")


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Retention(Drawn, picture="retention"):
    """Error of what a network remembers at T times, for C conditions of P values, in S settings of its noise."""

    network: CTRNN
    """The network."""
    noise: Noise
    """The noise of level one."""
    settings: tuple[str, ...]
    """Names of the settings: "level 1", the noise as it is; "level 0", without; "smoothed", see `noise_free`."""
    levels: FloatArray
    """Levels of the noise (S,) whose drift the settings have; that of a smoothed activation is the drift at level 1."""
    factors: Factors
    """Encoders and decoders of the latent variables (N, R)."""
    inputs: FloatArray
    """Inputs (steps or 1, C or 1, K)."""
    method: str
    """How the law was followed at levels above zero: "closure" or "density"; other settings are exact."""
    time: FloatArray
    """Times (T,) in units of τ; a step lasts γ."""
    target: FloatArray
    """What ought to be remembered (T, C, P)."""
    mean: FloatArray
    """Predicted mean of what is read (S, T, C, P)."""
    covariance: FloatArray
    """Predicted covariance of what is read (S, T, C, P, P)."""
    uncertainty: FloatArray
    """Estimated error of the predicted squared error (S, T)."""
    seconds: float
    """Seconds that the prediction took."""
    simulated_squared_error: FloatArray | None = None
    """Squared error by simulation (S, T); None, as all that is simulated, without simulation."""
    standard_error: FloatArray | None = None
    """Standard error of ``simulated_squared_error`` (S, T), with conditions fixed."""
    simulated_systematic: FloatArray | None = None
    """Systematic part by simulation (S, T); its estimate is unbiased and may fall below zero."""
    simulated_random: FloatArray | None = None
    """Random part by simulation (S, T)."""
    trajectories: int = 0
    """Number of simulated trials of each condition; settings without noise have one."""
    simulation_seconds: float = 0.0
    """Seconds that the simulation took."""

    @cached_property
    def field(self) -> LatentField | None:
        """Drift and diffusion of the latent variables; None if the input changes, or ``ct.latent`` does not apply."""
        if self.inputs.shape[:2] != (1, 1):
            return None
        u = None if self.network.W_in is None else self.inputs[0, 0]
        try:
            return latent(self.network, self.noise, u, factors=self.factors)
        except NotApplicable:
            return None

    @property
    def systematic(self) -> FloatArray:
        """Squared distance of the mean from the target, the mean over conditions (S, T): the part of the drift."""
        found: FloatArray = np.sum((self.mean - self.target) ** 2, axis=-1).mean(axis=-1)
        return found

    @property
    def random(self) -> FloatArray:
        """Total variance, the mean over conditions (S, T): the part of the diffusion."""
        found: FloatArray = np.trace(self.covariance, axis1=-2, axis2=-1).mean(axis=-1)
        return found

    @property
    def squared_error(self) -> FloatArray:
        """Expected squared error E|z - target|² (S, T), the sum of both."""
        return self.systematic + self.random

    @property
    def error(self) -> FloatArray:
        """Root of the expected squared error (S, T)."""
        found: FloatArray = np.sqrt(np.maximum(self.squared_error, 0.0))
        return found

    @property
    def loss(self) -> FloatArray:
        """Mean of the squared error over the recorded times (S,)."""
        return self.squared_error.mean(axis=1)

    def _headline(self) -> str:
        conditions = counted(self.target.shape[1], "condition")
        return f"{conditions} up to time {self.time[-1]:.4g}; {self.network.title}; noise {self.noise.title}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        rows = len(self.time) if few > len(self.time) else min(ROWS, len(self.time))
        times = np.unique(np.linspace(0, len(self.time) - 1, rows).astype(np.intp))
        columns = {setting: self._column(s, times) for s, setting in enumerate(self.settings)}
        cells = zip(*columns.values(), strict=True)
        yield "root of the squared error, and the parts of drift and diffusion in the squared error:"
        yield Table(("time", *columns), [[f"{self.time[t]:.4g}", *row] for t, row in zip(times, cells, strict=True)])
        if self.field is not None:
            for setting, level in zip(self.settings, self.levels, strict=True):
                yield f"{setting}: {_stable(self.field, float(level))}"
        simulated = f", {self.simulation_seconds:.3g} s of simulation" if self.trajectories else ""
        yield f"prediction by {self.method} in {self.seconds:.3g} s{simulated}"

    def _column(self, s: int, times: Any) -> list[str]:
        cells = []
        for t in times:
            cell = f"{self.error[s, t]:.4g} ({self.systematic[s, t]:.2g} + {max(self.random[s, t], 0.0):.2g})"
            if self.simulated_squared_error is not None:
                cell += f", simulated {np.sqrt(max(self.simulated_squared_error[s, t], 0.0)):.4g}"
            cells.append(cell)
        return cells

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python objects that JSON can hold; NaN and infinity become None."""
        return super().to_dict() | {name: plain(getattr(self, name)) for name in PARTS}

    def _arrays(self) -> Arrays:
        over, at = ("setting", "time"), ("time", "condition", "value")
        names = (*PARTS[:-1], "uncertainty", "simulated_squared_error", "standard_error")
        variables: dict[str, Any] = {name: (over, getattr(self, name)) for name in names}
        variables |= {"mean": (("setting", *at), self.mean), "target": (at, self.target)}
        variables["covariance"] = (("setting", *at, "other"), self.covariance)
        return Arrays(variables, {"setting": list(self.settings), "time": self.time})


def _stable(field: LatentField, level: float) -> str:
    """Return how many stable fixed points there are, and where, if they are few and of one latent variable."""
    points = [point.latent for point in field.fixed_points(level) if point.stable]
    few = 0 < len(points) <= POINTS and field.rank == 1
    places = ", κ = " + ", ".join(f"{point[0]:.4g}" for point in points) if few else ""
    return counted(len(points), "stable fixed point") + places
