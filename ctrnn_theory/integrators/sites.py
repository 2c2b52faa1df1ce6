"""The noise of a site in the form that kernels take."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.support.types import FloatArray


class Site(NamedTuple):
    """Noise that is independent between neurons, by `sigma`, or noise of a factor; both are empty if there is none."""

    sigma: FloatArray
    """Standard deviations, (N,) or (0,)."""
    factor: FloatArray
    """Factor, (N, R) or (N, 0)."""

    @classmethod
    def of(cls, given: ArrayLike, factor: FloatArray) -> Site:
        """Make it from a field of :class:`~ctrnn_theory.Noise`, and the factor (N, R) that it stands for."""
        factor = np.array(factor, order="C")
        nothing = cls(np.zeros(0), np.zeros((len(factor), 0)))
        if not factor.any():
            return nothing
        if np.ndim(given) < 2:
            return nothing._replace(sigma=np.array(np.diag(factor)))
        return nothing._replace(factor=factor)

    @property
    def rows(self) -> int:
        """Number of rows of variates."""
        return int(self.sigma.size + self.factor.shape[1])
