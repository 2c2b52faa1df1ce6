"""Steps in time that conserve mass, by polynomials of the generator."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy  # which imports its parts when they are first used

from ctrnn_theory.fokker_planck.faber import Series, bounds, integral_series, longest
from ctrnn_theory.fokker_planck.generator import Generator
from ctrnn_theory.support.types import FloatArray

EULER = 16  # largest number of Euler steps in a step that keeps p positive
FAR, FEW = 10, 1024  # steps after which, and cells up to which, a full matrix is faster than polynomials
STILL = 1e-10  # change in a step, in total variation, below which p is stationary
GROWN = 100.0  # sum of the absolute values of probabilities that mean nothing any more
KEPT = 4  # series that are kept


def grown(p: FloatArray) -> bool:
    """Return whether probabilities grew too far in absolute value to mean anything."""
    return not float(np.abs(p).sum()) < GROWN


class Stepper:
    """A solver of dp/dt = L p for one generator, with central fluxes as a rule.

    Its means are exact but for the error of L. Where cells are too wide for the density, p is negative in some of them,
    and :meth:`positive` follows probabilities that are not, whose means are less exact.
    """

    def __init__(self, scheme: Generator, tolerance: float) -> None:
        self.scheme = scheme
        self.tolerance = tolerance
        self.matrix = scheme.matrix.tocsr()
        self.support = bounds(scheme)
        self.series: dict[float, tuple[Series, scipy.sparse.csr_matrix]] = {}
        self.full: tuple[float, FloatArray] | None = None

    def advance(self, p: FloatArray, duration: float) -> FloatArray:
        """Return exp(Δ L) p as p + L ∫ exp(t L) p dt, which conserves mass to rounding.

        It may grow without bound where drift from both sides meets and outweighs the diffusion in a cell; what grew too
        far is left as it is.
        """
        count = int(np.ceil(duration / longest(self.support)))
        if count > FAR and len(p) <= FEW:
            with np.errstate(all="ignore"):
                q = self._exponential(duration) @ p
                return np.asarray(q * (p.sum() / q.sum()))
        for _ in range(count):
            if grown(p) or duration / count * float(np.abs(self.matrix @ p).sum()) < STILL:
                break
            p = p + self.matrix @ self._integral(p, duration / count)
        return p

    def positive(self, p: FloatArray, before: FloatArray, duration: float) -> FloatArray:
        """Return what probabilities `before`, none of them negative, become; p is what is known without that demand.

        If the negative part of p is within the tolerance, it is cut off. Otherwise `before` is followed: what exp(Δ L)
        adds to Euler steps of a monotone generator is treated as a flux through each face, and fluxes that leave a cell
        are cut to what it holds (S. T. Zalesak, J. Comput. Phys. 31, 1979).
        """
        if grown(p) or -p[p < 0.0].sum() > self.tolerance:
            count = int(np.ceil(duration * max(self.fastest / EULER, 1.0 / longest(self.support))))
            p = before
            for _ in range(count):
                p = self._limited(p, duration / count)
        p = np.maximum(p, 0.0)
        return p * (before.sum() / p.sum())

    @cached_property
    def monotone(self) -> Generator:
        """The generator with so much diffusion that no rate is negative."""
        return self.scheme.made_monotone()

    @cached_property
    def monotone_matrix(self) -> scipy.sparse.csr_matrix:
        """Its matrix."""
        return self.monotone.matrix.tocsr()

    @cached_property
    def fastest(self) -> float:
        """Largest rate of leaving a cell."""
        return float(self.monotone.leaving.max())

    def _exponential(self, duration: float) -> FloatArray:
        """Return exp(Δ L), a full matrix, by squaring."""
        if self.full is None or self.full[0] != duration:
            with np.errstate(all="ignore"):  # it may have grown too far
                self.full = duration, scipy.linalg.expm(duration * self.matrix.toarray())
        return self.full[1]

    def _integral(self, p: FloatArray, step: float) -> FloatArray:
        """Return ∫ exp(t L) p dt over a step."""
        key = float(f"{step:.9e}")
        if key not in self.series:
            while len(self.series) >= KEPT:
                self.series.pop(next(iter(self.series)))
            of = integral_series(self.support, key, self.tolerance)
            shifted = self.matrix - of.centre * scipy.sparse.eye(len(p), format="csr")
            self.series[key] = of, shifted / of.scale
        of, S = self.series[key]
        before, now = 2.0 * p, S @ p
        total = of.coefficients[0] * p + of.coefficients[1] * now
        for c in of.coefficients[2:]:
            before, now = now, S @ now - of.ratio * before
            total += c * now
        return total

    def _limited(self, p: FloatArray, step: float) -> FloatArray:
        """Take a step that keeps p positive."""
        scheme, low = self.scheme, self.monotone
        count = int(np.ceil(step * self.fastest))
        q, spent = p, np.zeros_like(p)
        for _ in range(count):
            spent = spent + (step / count) * q
            q = q + (step / count) * (self.monotone_matrix @ q)
        through = scheme.flux @ self._integral(p, step) - low.flux @ spent
        leaving = scheme.sums(np.maximum(through, 0.0), np.maximum(-through, 0.0))
        share = np.minimum(1.0, np.divide(q, leaving, out=np.ones_like(q), where=leaving > q))
        cut = through * np.where(through > 0.0, share[scheme.source], share[scheme.target])
        return np.maximum(q + scheme.divergence @ cut, 0.0)
