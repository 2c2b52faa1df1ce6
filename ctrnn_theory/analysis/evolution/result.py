"""Mean and covariance of a network's state in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import symmetric
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import WORST, Arrays, Drawn, counted, largest, plain, root_mean_square
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

ROWS = 7  # times that a table shows, evenly over the recorded ones


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Evolution(Drawn, picture="evolution"):
    """Mean and covariance of a network's state in time, as one method sees them: T times, N neurons."""

    time: FloatArray
    """Times (T,) in units of τ, γ for each step; the first is 0. Where neurons differ, τ is the longest one."""
    mean: FloatArray
    """Mean E[h] at each time, (T, N)."""
    covariance: FloatArray
    """Covariance of h at each time, (T, N, N)."""
    network: CTRNN
    """The network."""
    noise: Noise
    """Its noise."""
    method: str
    """Name of the method, see :func:`evolve`."""
    standard_error: FloatArray | None = None
    """Standard error of ``mean``, (T, N), for a method that samples; otherwise None."""
    converged: bool = True
    """Whether the method reached its tolerance."""
    message: str = ""
    """One sentence on what limits the result; empty when there is nothing to say."""
    seconds: float = 0.0
    """Wall-clock time of the call."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Numbers that only this method has."""
    rates: FloatArray | None = None
    """Mean rates E f(v) at each time (T, N) of a network in voltage form; None where the state is the rate."""

    @property
    def std(self) -> FloatArray:
        """Standard deviation of each state at each time, (T, N)."""
        std: FloatArray = np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=1, axis2=2), 0.0))
        return std

    @property
    def rate(self) -> FloatArray:
        """Mean of the rates at each time, (T, N): E f(v) in voltage form, and the mean of the state in rate form."""
        return self.mean if self.rates is None else self.rates

    @property
    def output_mean(self) -> FloatArray:
        """Mean of the output, W_out E r + b_out with E r the mean rates, (T, P).

        Raises
        ------
        ValueError
            If the network has no readout.
        """
        if self.rates is None:
            return self.network.output(self.mean)
        z: FloatArray = self.rates @ self._readout.T
        return z if self.network.b_out is None else z + self.network.b_out

    @property
    def output_covariance(self) -> FloatArray:
        """Covariance of the output, W_out Cov(r) W_outᵀ, (T, P, P).

        The covariance of the rates is that of the state in rate form, and that of f(v) for a normal v in voltage form.

        Raises
        ------
        ValueError
            If the network has no readout.
        """
        W_out, V = self._readout, self.covariance
        if self.rates is not None:
            V = covariance_matrices(self.network.activation, self.mean, V)
        return symmetric(W_out @ V @ W_out.T)

    @property
    def _readout(self) -> FloatArray:
        if self.network.W_out is None:
            raise ValueError("net must have W_out for an output; got None")
        return self.network.W_out

    def _headline(self) -> str:
        end = "" if self.converged else ", not converged"
        return f"{self.method}{end}; {self.network.title}; noise {self.noise.title}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        n = self.network.n
        times = np.unique(np.linspace(0, len(self.time) - 1, min(len(self.time), ROWS)).astype(int))
        if n <= few:
            columns = {
                f"neuron {i}": [f"{self.mean[t, i]:.5g} ± {self.std[t, i]:.2g}" for t in times] for i in range(n)
            }
            yield "mean ± standard deviation at some of the times:"
        else:
            columns = {
                "rms mean": [f"{root_mean_square(self.mean[t]):.5g}" for t in times],
                "rms std": [f"{root_mean_square(self.std[t]):.5g}" for t in times],
                "largest (neuron: mean)": [largest(self.mean[t]) for t in times],
            }
            yield f"{n} neurons at some of the times:"
        if self.network.W_out is not None and len(self.network.W_out) <= WORST:
            columns["mean of the output"] = [", ".join(f"{z:.5g}" for z in self.output_mean[t]) for t in times]
        cells = zip(*columns.values(), strict=True)
        yield Table(("time", *columns), [[f"{self.time[t]:.4g}", *row] for t, row in zip(times, cells, strict=True)])
        yield f"{counted(len(self.time), 'recorded time')}, {self.seconds:.3g} s"
        if self.message:
            yield self.message

    def to_dict(self) -> dict[str, Any]:
        """Return all but the details as plain Python objects that JSON can hold; NaN becomes None."""
        hidden = ("details",) if self.rates is not None else ("details", "rates")
        names = [item.name for item in fields(self) if item.name not in hidden]
        return {name: plain(getattr(self, name)) for name in names}

    def _arrays(self) -> Arrays:
        over = ("time", "neuron")
        return Arrays(
            {
                "mean": (over, self.mean),
                "std": (over, self.std),
                "standard_error": (over, self.standard_error),
                "covariance": ((*over, "other"), self.covariance),
                "rates": (over, self.rates),
                "output_mean": (("time", "output"), None if self.network.W_out is None else self.output_mean),
            },
            {"time": self.time},
        )
