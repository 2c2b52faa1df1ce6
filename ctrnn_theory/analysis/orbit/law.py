"""What is known of an orbit by one method: moments one step apart, rotation, dwell times and emitted symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Result
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray, IntArray

NEURONS = {"mean": ("neuron",), "covariance": ("neuron", "other"), "lagged": ("neuron", "other")}
PLANES = {"rate": ("plane",), "angle": ("plane",), "variance": ("plane",)}
REGIONS = {
    "occupancy": ("region",),
    "dwell": ("region",),
    "transitions": ("region", "next"),
    "emission": ("region", "next"),
}
DIMENSIONS = NEURONS | PLANES | REGIONS
"""Names of the axes of the arrays of a law."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class OrbitLaw(Result):
    """Stationary law of a network at two times one step apart, by one method.

    Arrays over the P regions and symbols are None without a readout. By a closure they are None too if the regions are
    those of a function, or if the output is not linear in the state, as in voltage form.
    """

    method: str
    """"gaussian_closure", "regional_closure" or "simulation"."""
    mean: FloatArray
    """m = E h, (N,)."""
    covariance: FloatArray
    """C = E (h - m)(h - m)ᵀ, (N, N)."""
    lagged: FloatArray
    """K = E (h' - m)(h - m)ᵀ, with h' one step after h, (N, N)."""
    rate: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Angular momentum per step over the variance in each plane, in radians per step, (Q,)."""
    angle: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Phase advance per step in each plane, the argument of E ζ' ζ̄ with ζ the state in the plane, (Q,)."""
    variance: FloatArray = field(default_factory=lambda: np.zeros(0))
    """Variance in each plane, (Q,)."""
    occupancy: FloatArray | None = None
    """Share of the time in each region, (P,)."""
    dwell: FloatArray | None = None
    """Mean number of steps from entering a region to leaving it, 1/(1 - T_ii), (P,)."""
    transitions: FloatArray | None = None
    """T_ij = P(region j at t + 1 | region i at t), (P, P)."""
    emission: FloatArray | None = None
    """P(symbol j at t + 1 | symbol i at t), for symbols drawn from the softmax of the output, (P, P)."""
    sojourns: IntArray | None = None
    """Number of completed stays of each length in each region, (P, L), the first column for one step; by simulation."""
    standard_errors: Mapping[str, FloatArray] = field(default_factory=dict)
    """Standard errors of the arrays by name, by simulation."""
    converged: bool = True
    """Whether a closure settled, or the simulation was stationary."""
    message: str = ""
    """Why it was not, or an empty text."""

    @property
    def antisymmetric(self) -> FloatArray:
        """Antisymmetric part (K - Kᵀ)/2 of the lagged covariance, (N, N): the area swept per step in each plane."""
        return 0.5 * (self.lagged - self.lagged.T)

    def error(self, name: str) -> FloatArray | None:
        """Return the standard error of an array, or None where there is none."""
        return self.standard_errors.get(name)

    def _headline(self) -> str:
        return f"{self.method}, {len(self.mean)} neurons"

    def _parts(self, few: int) -> Iterator[str | Table]:
        for columns, head in ((PLANES, "plane"), (("occupancy", "dwell"), "region")):
            known = {name: getattr(self, name) for name in columns if getattr(self, name) is not None}
            if known and len(next(iter(known.values()))):
                rows = zip(*(self.texts(name) for name in known), strict=True)
                yield Table((head, *known), [[str(i), *row] for i, row in enumerate(rows)])
        if self.message:
            yield self.message

    def texts(self, name: str) -> list[str]:
        """Return the entries of an array (n,) as text, with their standard errors."""
        return with_errors(getattr(self, name), self.error(name))

    def _arrays(self) -> Arrays:
        known = {name: (dims, getattr(self, name)) for name, dims in DIMENSIONS.items()}
        errors = {f"{name}_error": (DIMENSIONS[name], error) for name, error in self.standard_errors.items()}
        return Arrays(known | errors, {})


def with_errors(values: FloatArray, errors: FloatArray | None) -> list[str]:
    """Return numbers (n,) as text, with their standard errors where there are any.

    Examples
    --------
    >>> with_errors(np.array([0.25, 1.0]), np.array([0.01, 0.0]))
    ['0.25 ± 0.01', '1 ± 0']
    """
    if errors is None:
        return [f"{value:.5g}" for value in values]
    return [f"{value:.5g} ± {error:.2g}" for value, error in zip(values, errors, strict=True)]
