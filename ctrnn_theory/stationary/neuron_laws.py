"""The stationary laws of many single neurons, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

from ctrnn_theory.support.types import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class NeuronLaws:
    """Means and variances of P single neurons by one method."""

    mean: FloatArray
    """Means (P,); they count only where `known`."""
    variance: FloatArray
    """Variances (P,)."""
    known: BoolArray
    """Whether the law is known and converged, (P,); otherwise the method for one network has to find it."""
    failed: dict[int, str]
    """Neurons that have no law, and the reason."""
