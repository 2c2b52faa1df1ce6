"""Values of the stationary law of one neuron from a solver independent of this package."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """One neuron, its noise, and its stationary law."""

    activation: str
    w: float
    b: float
    sigma: float
    gamma: float
    site: str
    fixed_point: float
    mean: float
    std: float

    @property
    def name(self) -> str:
        """Short label for a test."""
        return f"{self.activation}-{self.w:g}-{self.site}"


LAST_DIGIT = {"fixed_point": 1e-10, "mean": 1e-10, "std": 1e-9}
"""How far a value may be off: one unit of its last digit."""

REFERENCE_CASES = (
    Case("relu", 0.5, 0.1, 0.5, 0.1, "inside", 0.2, 0.3770394962, 0.108885239),
    Case("relu", 0.5, 0.1, 0.5, 0.1, "outside", 0.2, 0.2002656504, 0.159738516),
    Case("relu", -1, 0.5, 1, 0.5, "inside", 0.25, 0.4460194042, 0.317225915),
    Case("relu", -1, 0.5, 1, 0.5, "outside", 0.25, 0.3124879835, 0.513908038),
    Case("softplus", -1, 0.2, 1, 0.2, "inside", 0.5382543425, 0.6170322636, 0.126362001),
    Case("softplus", -1, 0.2, 1, 0.2, "outside", 0.5382543425, 0.5452447492, 0.286936929),
    Case("tanh", 0.8, 0.5, 0.7, 0.1, "inside", 0.8196366389, 0.6373938527, 0.103079004),
    Case("tanh", 0.8, 0.5, 0.7, 0.1, "outside", 0.8196366389, 0.8113390990, 0.187151930),
    Case("hardtanh", 0.9, 0.2, 0.6, 0.1, "inside", 1, 0.6077103916, 0.156997737),
    Case("hardtanh", 0.9, 0.2, 0.6, 0.1, "outside", 1, 0.9655542219, 0.172851201),
    Case("gelu", 0.6, 0.1, 0.7, 0.25, "inside", 0.0843026780, 0.3439802702, 0.240381409),
)
