"""The result of :func:`ctrnn_theory.orbit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctrnn_theory.analysis.orbit.law import DIMENSIONS, OrbitLaw, with_errors
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, counted
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray, IntArray

LABELS = {"gaussian_closure": "closure", "regional_closure": "closure by region", "simulation": "simulation"}
"""What tables call the methods."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Orbit(Drawn, picture="orbit"):
    """The orbit of a network under noise, by closures and by simulation."""

    network: CTRNN
    """The network, with the readout that was asked for."""
    noise: Noise
    """Its noise."""
    planes: FloatArray
    """Orthonormal axes (Q, 2, N) of the planes in which it turns, those of the largest angular momentum first."""
    laws: Mapping[str, OrbitLaw]
    """Laws by "gaussian_closure", "regional_closure" and "simulation", as far as there are such."""
    path: FloatArray
    """The last steps of a simulated trajectory, at most 1000, (T, N); no rows without a simulation."""
    message: str = ""
    """Why a closure gives no law, or what limits the laws; otherwise empty."""
    neurons: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Neurons (M,) whose noise inside was multiplied."""
    factors: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Factors (F,) by which it was."""
    scaled: tuple[Orbit, ...] = ()
    """The orbit at each factor, in the same planes."""

    def along(self, name: str, method: str = "simulation") -> tuple[FloatArray, FloatArray | None]:
        """Return an array of the orbits at all factors, (F, ...), and its standard errors, or None for a closure.

        Parameters
        ----------
        name
            Name of an array of :class:`OrbitLaw`, such as "rate" or "dwell".
        method
            Name of a law. Where there is none, values are NaN.
        """
        laws = [orbit.laws.get(method) for orbit in self.scaled]
        known = [law for law in laws if law is not None and getattr(law, name) is not None]
        if not known:
            return np.full(len(laws), np.nan), None
        nothing = np.full(getattr(known[0], name).shape, np.nan)
        values = np.array([nothing if law is None else getattr(law, name) for law in laws])
        if known[0].error(name) is None:
            return values, None
        return values, np.array([nothing if law is None else law.error(name) for law in laws])

    def _headline(self) -> str:
        return f"{self.network.title}; noise {_short(self.noise)}; {counted(len(self.planes), 'plane')}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        yield self._table("plane", ("rate", "angle", "variance"))
        yield self._table("region", ("occupancy", "dwell"))
        for method, law in self.laws.items():
            if law.emission is not None and len(law.emission) <= few:
                head = f"emitted next, {LABELS[method]}"
                rows = [
                    [f"after {i}", *with_errors(row, None if (e := law.error("emission")) is None else e[i])]
                    for i, row in enumerate(law.emission)
                ]
                yield Table((head, *map(str, range(len(law.emission)))), rows)
        if len(self.factors) and len(self.planes):
            yield f"noise inside of {counted(len(self.neurons), 'neuron')} multiplied:"
            yield self._scaling()
        if self.message:
            yield self.message

    def _table(self, head: str, names: tuple[str, ...]) -> Table | str:
        """Return a table of arrays with a row for each plane or region and method, or nothing if there are none."""
        columns = {
            LABELS[method]: [law.texts(name) for name in names]
            for method, law in self.laws.items()
            if getattr(law, names[0]) is not None
        }
        count = max((len(column[0]) for column in columns.values()), default=0)
        rows = [
            [str(i), method, *(texts[i] for texts in column)]
            for i in range(count)
            for method, column in columns.items()
        ]
        return Table((head, "method", *names), rows, left=2) if rows else ""

    def _scaling(self) -> Table:
        columns: dict[str, list[str]] = {"factor": [f"{factor:g}" for factor in self.factors]}
        for method in self.laws:
            for name, count in (("rate", 1), ("dwell", None)):
                values, errors = self.along(name, method)
                for i, column in enumerate(values.reshape(len(values), -1).T[:count] if values.ndim > 1 else ()):
                    error = None if errors is None else errors[:, i]
                    columns[f"{name} {i}, {LABELS[method]}"] = with_errors(column, error)
        return Table(tuple(columns), [list(row) for row in zip(*columns.values(), strict=True)])

    def _arrays(self) -> Arrays:
        variables: dict[str, Any] = {"planes": (("plane", "axis", "neuron"), self.planes)}
        for method, law in self.laws.items():
            variables |= {f"{method}_{name}": pair for name, pair in law._arrays().variables.items()}
            for name in ("rate", "dwell"):
                values, _ = self.along(name, method)
                if values.ndim > 1:
                    variables[f"{method}_{name}_scaled"] = (("factor", *DIMENSIONS[name]), values)
        return Arrays(variables, {"factor": self.factors} if len(self.factors) else {})


def _short(noise: Noise) -> str:
    """Return the title of a noise, or the shapes of its factors where they are large."""
    title = noise.title
    return title if len(title) <= 60 else f"{title[:57]}..."
