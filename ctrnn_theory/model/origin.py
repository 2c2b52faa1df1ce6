"""Where a network was read from, so that it can go back in the names that came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class Origin:
    """The arrays that a network was read from, and how they were read."""

    convention: str
    """Name of the convention."""
    names: Mapping[str, str]
    """Name of the array that each part of the network came from, such as {"W": "rnn.weight_hh_l0"}."""
    arrays: Mapping[str, NDArray[Any]]
    """All arrays that came in, by name, those included that the network does not use."""
    read: Mapping[str, FloatArray]
    """W, b, W_in, W_out and b_out as they were read, after masks."""
