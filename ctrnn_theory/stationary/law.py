"""The stationary law: mean and covariance of the state, as every method returns them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctrnn_theory.support.arguments import float_array, function_values
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, counted, neuron_table, plain
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

ROUNDING = 1e-12  # asymmetry that rounding may leave in a covariance, relative to its largest entry


def symmetric(matrices: FloatArray) -> FloatArray:
    """Return the symmetric parts of matrices (..., N, N); matrices that are symmetric are returned unchanged.

    Examples
    --------
    >>> symmetric(np.array([[1.0, 2.0], [4.0, 1.0]]))
    array([[1., 3.],
           [3., 1.]])
    """
    part: FloatArray = 0.5 * (matrices + np.swapaxes(matrices, -1, -2))
    return part


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class StationaryLaw(Drawn, picture="law"):
    """Stationary mean and covariance of a network's state by one method."""

    mean: FloatArray
    """Stationary mean E[h], shape (N,)."""
    covariance: FloatArray
    """Stationary covariance of h, shape (N, N), symmetric positive semi-definite; NaN where the method has none."""
    method: str = ""
    """Name of the method in ``METHODS``, which :func:`ctrnn_theory.predict` sets."""
    converged: bool = True
    """Whether the method reached its tolerance."""
    message: str = ""
    """One sentence on what limits the result; empty if nothing does."""
    standard_error: FloatArray | None = None
    """Standard error of ``mean``, shape (N,), for a method that samples; otherwise None."""
    seconds: float = 0.0
    """Wall-clock time of the call."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further results of this method, such as its estimated error; see its docstring."""
    rates: FloatArray | None = None
    """Mean rates E f(v) (N,) of a network in voltage form, whose state is v; None where the state is the rate."""

    def __post_init__(self) -> None:
        """Make the covariance exactly symmetric, which products of matrices do not guarantee.

        A larger asymmetry than that of rounding is an error of the method, and is kept so that tests find it.
        """
        for name in ("mean", "covariance"):
            object.__setattr__(self, name, float_array(name, getattr(self, name)))
        V = self.covariance
        if V.ndim != 2 or V.shape[0] != V.shape[1] or not np.all(np.isfinite(V)):
            return
        if np.all(np.abs(V - V.T) <= ROUNDING * np.max(np.abs(V), initial=0.0)):
            object.__setattr__(self, "covariance", symmetric(V))

    @property
    def std(self) -> FloatArray:
        """Standard deviation of the state of each neuron, shape (N,)."""
        std: FloatArray = np.sqrt(np.diag(self.covariance))
        return std

    @property
    def rate(self) -> FloatArray:
        """Stationary mean of the rates, shape (N,): E f(v) in voltage form, and the mean of the state in rate form."""
        return self.mean if self.rates is None else self.rates

    def _headline(self) -> str:
        end = "" if self.converged else ", not converged"
        return f"{self.method}, {counted(len(self.mean), 'neuron')}, {self.seconds:.3g} s{end}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        columns = {"mean": self.mean, "standard error": self.standard_error, "std": self.std, "rate": self.rates}
        yield neuron_table(columns, few)
        if self.message:
            yield self.message

    def to_dict(self) -> dict[str, Any]:
        """Return the law without its details as plain Python objects that JSON can hold; NaN becomes None."""
        names = ("method", "mean", "covariance", "standard_error", "converged", "message", "seconds")
        rate = {} if self.rates is None else {"rate": plain(self.rates)}
        return {**{name: plain(getattr(self, name)) for name in names}, **rate}

    def _arrays(self) -> Arrays:
        return Arrays(
            {
                "mean": ("neuron", self.mean),
                "standard_error": ("neuron", self.standard_error),
                "covariance": (("neuron", "other"), self.covariance),
                "rate": ("neuron", self.rates),
            },
            {},
        )

    def expectation(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Return E φ(h) under the law, for a method that has the whole law: "exact", or one with a density.

        Parameters
        ----------
        function
            φ: takes states (M, N) and returns (M,) or (M, K). It should be smooth on the scale of the law's standard
            deviation: the exact method integrates the function that interpolates φ at its nodes, and a ``density``
            integrates what its grid resolves.

        Returns
        -------
        FloatArray
            E φ, () or (K,).

        Raises
        ------
        ValueError
            If the method gives moments only.

        Examples
        --------
        >>> from ctrnn_theory import CTRNN, Noise, predict
        >>> law = predict(CTRNN.single(w=-1.0, b=0.2, activation="softplus"), Noise(1.0), method="exact")
        >>> third = law.expectation(lambda h: (h[:, 0] - law.mean[0]) ** 3)
        >>> print(f"skewness {third / law.std[0] ** 3:.4f}")
        skewness 0.3763
        """
        if "density" in self.details:
            found: FloatArray = self.details["density"].expectation(function)
            return found
        if "points" not in self.details or "weights" not in self.details:
            raise ValueError(f"expectation needs the whole law; {self.method} gives its mean and covariance only")
        points = np.asarray(self.details["points"], dtype=np.float64)
        values = function_values("function", function(points.reshape(len(points), -1)))
        if values.shape[:1] != (len(points),):
            raise ValueError(f"function must return a value for each of {len(points)} states; got {values.shape}")
        weighted: FloatArray = np.asarray(self.details["weights"]) @ values
        return weighted
