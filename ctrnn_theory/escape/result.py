"""Escape from the basins of a network, as a Markov chain between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.dynamics.fixed_points import FixedPoint
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, counted, row_of
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class EscapeTimes(Drawn, picture="escape_times"):
    """Passages between the B basins of a network under noise, as a Markov chain."""

    basins: tuple[FixedPoint, ...]
    """Stable fixed points of the noise-free network, B of them, sorted by their coordinates; for "latent" those of the
    mean step under noise."""
    rates: FloatArray
    """Rates per step (B, B) from the basin of the row to that of the column; each row adds up to zero."""
    time: FloatArray
    """Mean escape time of each basin in steps, (B,); infinite where the state never leaves the basin."""
    gamma: float
    """Length of a step in units of τ, γ = Δt/τ, with the τ of the slowest neuron where they differ."""
    occupation: FloatArray
    """Share of time that the state spends in each basin in the long run, (B,); NaN where the rates do not determine
    it."""
    method: str
    """Name of the method: "exact", "latent", "simulation", "fokker_planck" or "kramers"."""
    standard_error: FloatArray | None = None
    """Standard error of ``time``, (B,), for "simulation"; otherwise None."""
    separation: float | None = None
    """Escape time over the relaxation time within the basins, for "exact" and "latent"; otherwise None. A rate is
    defined up to a relative uncertainty of a few times the inverse of this ratio, within which the methods may differ.
    """
    converged: bool = True
    """Whether the method reached its tolerance, and the state leaves the basins slowly enough to speak of rates."""
    message: str = ""
    """What limits the result; empty when there is nothing to say."""
    error: FloatArray | None = None
    """Estimated error of ``time``, (B,), by the grid and by what Edgeworth's correction leaves out, for "latent"."""

    @property
    def time_tau(self) -> FloatArray:
        """Mean escape time of each basin in units of τ, (B,)."""
        return self.time * self.gamma

    def _headline(self) -> str:
        end = "" if self.converged else ", not converged"
        return f"{self.method}{end}; {counted(len(self.basins), 'basin')}, gamma = {self.gamma:g}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        if self.basins:
            titles = ["basin", "stable fixed point", "time (steps)", "time (τ)", "occupation", "most often to"]
            yield Table(titles, [self._row(i, few) for i in range(len(self.basins))[:few]])
            if len(self.basins) > few:
                yield f"and {len(self.basins) - few} more"
        if self.separation is not None:
            yield f"the state relaxes within the basins {self.separation:.3g} times faster than it leaves them"
        if self.message:
            yield self.message

    def _row(self, i: int, few: int) -> list[str]:
        given = self.error if self.standard_error is None else self.standard_error
        error = "" if given is None else f" ± {given[i]:.2g}"
        leaving = np.delete(self.rates[i], i)
        known = leaving.size and np.all(np.isfinite(leaving)) and leaving.max() > 0.0
        onward = np.where(np.arange(len(self.basins)) == i, -np.inf, self.rates[i])
        return [
            str(i),
            row_of(self.basins[i].state, few),
            f"{self.time[i]:.6g}{error}",
            f"{self.time_tau[i]:.6g}",
            f"{self.occupation[i]:.4g}",
            str(int(np.argmax(onward))) if known else "",
        ]

    def _arrays(self) -> Arrays:
        states = np.array([point.state for point in self.basins]) if self.basins else None
        return Arrays(
            {
                "time": ("basin", self.time),
                "standard_error": ("basin", self.standard_error),
                "error": ("basin", self.error),
                "occupation": ("basin", self.occupation),
                "rates": (("basin", "to"), self.rates),
                "state": (("basin", "neuron"), states),
            },
            {},
        )


def of_rates(
    net: CTRNN, basins: tuple[FixedPoint, ...], method: str, off_diagonal: FloatArray, **more: Any
) -> EscapeTimes:
    """Return the result that belongs to rates (B, B), whose diagonal is ignored."""
    rates = np.array(off_diagonal)
    np.fill_diagonal(rates, 0.0)
    share = occupation(rates)
    leaving = rates.sum(axis=1)
    np.fill_diagonal(rates, -leaving)
    time = np.where(np.isnan(leaving), np.nan, np.inf)
    np.divide(1.0, leaving, out=time, where=leaving > 0.0)
    more.setdefault("message", "" if np.all(leaving != 0.0) else "the rates are too small for double precision")
    return EscapeTimes(basins, rates, time, float(net.gammas.min()), share, method, **more)


def occupation(rates: FloatArray) -> FloatArray:
    """Return the stationary shares (B,) of a chain with rates (B, B); NaN if the state never leaves some basin.

    The elimination contains no subtraction (W. K. Grassmann, M. I. Taksar and D. P. Heyman, Operations Research 33,
    1985).

    Examples
    --------
    >>> occupation(np.array([[0.0, 2e-9], [1e-9, 0.0]])).round(6)
    array([0.333333, 0.666667])
    """
    Q = np.array(rates)
    count = len(Q)
    for k in range(count - 1, 0, -1):
        out = Q[k, :k].sum()
        if not out > 0.0:
            return np.full(count, np.nan)
        Q[:k, k] /= out
        Q[:k, :k] += np.outer(Q[:k, k], Q[k, :k])
    share = np.ones(count)
    for k in range(1, count):
        share[k] = share[:k] @ Q[:k, k]
    normalised: FloatArray = share / share.sum()
    return normalised
