"""The stationary density of one dimension, p ∝ exp(∫ 2A/B) / B, by quadrature."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.fokker_planck.exponent import Exponent, beyond, exponent_from_top
from ctrnn_theory.fokker_planck.first_panels import first_panels
from ctrnn_theory.fokker_planck.panels import CUMULATE, LEAST, WEIGHTS, Panels, last_coefficients
from ctrnn_theory.support.types import BoolArray, FloatArray

FIRST_PANELS, OTHER_PANELS = 32, 23  # numbers of panels that the two solutions which are compared begin with
MOST_PANELS = 4096
DEPTH = 120.0  # e-folds below the largest mass of a panel at which others are negligible, in any moment
RESOLVED = 1e-13  # part of the mass, and of the moments, that a panel may leave unresolved
NOISE = 1e-9  # largest last coefficients that can be rounding, of a diffusion that is a small difference
STALLED = 0.7  # factor by which halving must reduce them, if they are not rounding
ROUNDING = 64.0 * np.finfo(float).eps  # last coefficients that are rounding in any case
GRAIN = 8.0 * np.finfo(float).eps  # the same, in a panel as wide as its distance from zero
STEP = 1.0  # e-folds between a panel's end and the nearest node beyond which the end is not resolved
GRADED = 4.0  # ratio of the widths of neighbours beyond which the wider one may miss what the other resolves
POINT = 1e-6  # part of the mass in an unresolved panel too narrow to be cut: the law is a point
EMPTY = 1e-12  # part of the mass that rounding may put where the diffusion underflows


def solve_on_interval(
    problem: Equation, low: float, high: float, breaks: Iterable[float] = (), more: ArrayLike = 0.0
) -> tuple[Density, FloatArray]:
    """Return the stationary density on [low, high], and the estimated error of its mean and variance (2,).

    The exponent is integrated outwards from the highest peak, on panels that are halved wherever it matters: a panel
    counts by the most mass that may lie beyond it, given the error of the exponent up to there. A steep fall of the
    density is left unresolved, so that the diffusion may vanish where no mass lies.

    The error is the sum of what the panels leave unresolved; of the rounding of the exponent, which decides how much
    lies in each of two wells with a high barrier between them; of the violation of two identities that hold for any law
    without flux, with differences between the ends on the right,

        E A = ½ [B p],    2 E A (x - m) + E B = [(x - m) B p],

    in units of the rate at which the law relaxes; and of the difference to a second solution on other panels, of an
    interval that is longer by the part `more` of its width at either end, or by two parts (2,); 0 is for walls.
    `breaks` are places where drift or diffusion is not smooth, or varies within a short distance.

    Raises
    ------
    ValueError
        If the diffusion is not positive where the law lives, or the density is too sharp to resolve.
    """
    below, above = np.broadcast_to(more, 2) * (high - low)
    part = _resolved(problem, first_panels(problem, low, high, breaks, FIRST_PANELS))
    other = _resolved(problem, first_panels(problem, low - below, high + above, breaks, OTHER_PANELS))
    return part.density(), part.error() + np.abs(part.moments() - other.moments())


def _resolved(problem: Equation, panels: Panels) -> _Part:
    """Halve panels until they resolve the density.

    What a panel must resolve depends on the mass that all the others hold, so that none is settled before the last:
    `halve_until_resolved`, which settles each panel by itself, would not do.
    """
    origin = 0
    while True:
        part = _Part(panels, exponent_from_top(panels, origin))
        rough, tail = part.rough()
        rough &= panels.divisible
        if not rough.any():
            part.require_width()
            part.require_diffusion()
            return part
        if len(panels.left) > MOST_PANELS:
            part.require_diffusion()
            place = panels.left[rough][0]
            raise ValueError(f"drift and diffusion must be resolved by {MOST_PANELS} panels; not so near {place:g}")
        origin = part.exponent.origin
        origin += int(np.count_nonzero(rough[:origin]))
        panels = panels.cut(problem, rough, tail)


class _Part:
    """The panels that may hold mass, with the mass that they hold and what they leave unresolved."""

    def __init__(self, panels: Panels, exponent: Exponent) -> None:
        relevant = np.flatnonzero(exponent.bound > exponent.mass.max() - DEPTH)
        inside = slice(int(relevant[0]), int(relevant[-1]) + 1)
        self.count, self.inside, self.panels, self.exponent = len(panels.left), inside, panels.part(inside), exponent
        top = float(exponent.density[inside].max())
        self.p = np.exp(exponent.density[inside] - top)
        self.weights = 0.5 * self.panels.width[:, None] * WEIGHTS
        self.scale = top + float(np.log((self.weights * self.p).sum()))  # logarithm of the norm
        self.share = self.weights * self.p / (self.weights * self.p).sum()
        place = float(self.panels.x.ravel()[np.argmax(self.p)])  # moments about a place in the law keep their digits
        shift = float((self.share * (self.panels.x - place)).sum())
        self.mean, self.away = place + shift, (self.panels.x - place) - shift
        self.variance = float((self.share * self.away**2).sum())
        self.last, self.open = last_coefficients(self.p), np.exp(top - self.scale) * self.panels.width
        self.open *= 0.5 * self.last  # unresolved mass of each panel

    def rough(self) -> tuple[BoolArray, FloatArray]:
        """Return which of all panels are to be halved, and the relative size of the last coefficients of each."""
        panels, width = self.panels, self.panels.width
        grain = float(width[np.argmax(self.p.max(axis=1))])  # an unresolved law may be as narrow as this
        lever = 1.0 + (self.away.mean(axis=1) ** 2 + width**2) / (self.variance + grain**2)
        possible = self._possible * lever
        exponents, size, peak = last_coefficients(panels.rate), np.abs(panels.rate).max(axis=1), self.p.max(axis=1)
        origin = int(np.clip(self.exponent.origin - self.inside.start, 0, len(width)))
        # the nodes of a narrow panel far from zero are rounded, and with them drift and diffusion
        rounding = GRAIN * np.abs(panels.left + panels.right) / width * np.ptp(panels.rate, axis=1)
        held = beyond(possible, origin)
        vague = held > RESOLVED / np.maximum(exponents, LEAST**0.5)
        vague &= exponents > ROUNDING * size + rounding
        bent = (self.open * lever > RESOLVED) & (self.last > (ROUNDING + rounding) * peak)
        relative = np.divide(self.last, peak, out=np.zeros_like(peak), where=peak > 0.0)
        tail = np.maximum(relative, exponents / np.maximum(size, 1.0))
        noisy = (tail < NOISE) & (tail > STALLED * panels.before)
        rough, tails = np.zeros(self.count, dtype=bool), np.zeros(self.count)
        rough[self.inside] = ((vague | bent) & ~noisy) | ((possible > RESOLVED) & self._steep)
        rough[self.inside] |= (held > RESOLVED) & (width > GRADED * self.panels.narrower_neighbour)
        tails[self.inside] = tail
        return rough, tails

    @property
    def _possible(self) -> FloatArray:
        """Largest mass that each panel may hold."""
        return np.exp(np.minimum(self.exponent.bound[self.inside] - self.scale, 0.0))

    @property
    def _steep(self) -> BoolArray:
        """Whether the density at an end of each panel may be far above that at all nodes."""
        rate = self.panels.rate
        steps = np.maximum(np.abs(rate @ CUMULATE[0]), np.abs(rate @ (WEIGHTS - CUMULATE[-1])))
        steep: BoolArray = steps > STEP
        return steep

    def moments(self) -> FloatArray:
        """Return mean and variance (2,)."""
        return np.array([self.mean, self.variance])

    def density(self) -> Density:
        """Return the density at the nodes."""
        values = (self.p / (self.weights * self.p).sum()).ravel()
        return Density((self.panels.x.ravel(),), (self.weights.ravel(),), values, np.zeros((1, values.size)))

    def error(self) -> FloatArray:
        """Return the estimated errors of mean and variance (2,), without the difference to other panels."""
        most = np.exp(np.minimum(self.exponent.most[self.inside] - self.scale + np.log(self.weights), 0.0))
        excess = np.maximum(most - self.share, 0.0)
        excess[:, -1] += self.open
        square = np.abs(self.away**2 - self.variance)
        unknown = np.array([(excess * np.abs(self.away)).sum(), (excess * square).sum()])
        place = np.finfo(float).eps * abs(self.mean)  # rounding of a state
        return unknown + self._violation() + place * np.array([2.0, 4.0 * np.sqrt(self.variance)])

    def _violation(self) -> FloatArray:
        """Return the violation of the two identities, as errors of mean and variance (2,)."""
        panels, exponent, inside = self.panels, self.exponent, self.inside
        low = exponent.outer[inside.start] if exponent.origin > inside.start else 0.0
        high = exponent.outer[inside.stop - 1] if exponent.origin < inside.stop else 0.0
        flux = np.exp(np.array([low, high]) - self.scale)  # B p at the ends
        ends = np.array([panels.left[0], panels.right[-1]]) - self.mean
        noise = float((self.share * panels.diffusion).sum())
        first = (self.share * panels.drift).sum() - 0.5 * (flux[1] - flux[0])
        second = 2.0 * (self.share * panels.drift * self.away).sum() + noise - (flux[1] * ends[1] - flux[0] * ends[0])
        rate = noise / (2.0 * self.variance)
        return np.abs(np.array([first, 0.5 * second])) / rate

    def require_width(self) -> None:
        """Raise a ValueError if the density is not resolved where panels cannot be cut."""
        blocked = ~self.panels.divisible
        held = np.maximum(np.where(self._steep, self._possible, 0.0), self.open)
        if np.any(held[blocked] > POINT):
            self.require_diffusion()
            place = self.panels.left[blocked][np.argmax(held[blocked])]
            place = 0.0 if abs(place) <= 2.0 * self.panels.floor[0] else place
            raise ValueError(f"diffusion must give the law a width; at {place:g} it is a point to rounding")

    def require_diffusion(self) -> None:
        """Raise a ValueError if some of the law lies where the diffusion is zero, or underflows."""
        empty = self.panels.diffusion < LEAST
        if self.share[empty].sum() > EMPTY:
            place = self.panels.x[empty][np.argmax(self.share[empty])]
            place = 0.0 if abs(place) <= 2.0 * self.panels.floor[0] else place
            raise ValueError(
                f"diffusion must be positive in one dimension; at {place:.4g} it is 0, and the law a point to rounding"
            )
