"""The exponent ∫ 2A/B on panels, summed outwards from the highest peak, and its error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory.fokker_planck.panels import CUMULATE, STEEPEST, WEIGHTS, Panels, last_coefficients
from ctrnn_theory.support.types import FloatArray

GUESSED = 1e-2  # last coefficients, relative to the largest value, of an ascent whose height is unknown
SUM = 4.0 * np.finfo(float).eps  # rounding of an integral, relative to the integral of the integrand's size
MOST_MOVES = 50  # changes of the edge from which the exponent is summed
HIGHER = 0.5  # e-folds by which another panel must be higher for a change


class Exponent(NamedTuple):
    """The exponent Φ = ∫ 2A/B, zero at one edge, and the logarithm of the density and of the mass that it gives."""

    origin: int
    """Index of that edge."""
    rise: FloatArray
    """Rise of Φ across each panel, away from that edge (K,)."""
    outer: FloatArray
    """Φ at the end of each panel that is farther from that edge (K,)."""
    density: FloatArray
    """Φ - ln B at the nodes, the logarithm of the density (K, 16)."""
    most: FloatArray
    """Largest value that it may have, given what the panels up to there leave unresolved (K, 16)."""
    mass: FloatArray
    """Logarithm of the largest density at the nodes and ends of a panel times its width (K,)."""
    bound: FloatArray
    """Logarithm of the largest density that a panel may have times its width (K,)."""
    peak: int
    """Index of the edge that is the higher end of the panel of the largest mass."""


def exponent_from_top(panels: Panels, origin: int) -> Exponent:
    """Return the exponent from an edge of the highest panel; from elsewhere a cliff in between would cost digits."""
    found = exponent_from(panels, origin)
    for _ in range(MOST_MOVES):
        here = found.mass[max(found.origin - 1, 0) : found.origin + 1].max()
        if found.mass.max() - here < HIGHER:
            break
        found = exponent_from(panels, found.peak)
    return found


def exponent_from(panels: Panels, origin: int) -> Exponent:
    """Sum the exponent outwards from the edge of index `origin`."""
    rightward = np.arange(len(panels.left)) >= origin
    outward = panels.rate * np.where(rightward, 1.0, -1.0)[:, None]
    rise = outward @ WEIGHTS
    within = np.where(rightward[:, None], outward @ CUMULATE.T, outward @ (WEIGHTS - CUMULATE).T)
    up, down = np.maximum(outward, 0.0) @ WEIGHTS, np.minimum(outward, 0.0) @ WEIGHTS
    within = np.clip(within, down[:, None], up[:, None])  # the polynomial through the nodes of a cliff overshoots
    doubt = _doubt(panels, rise)
    inner, outer = _outwards(rise, origin)
    inner_most, _ = _outwards(rise + doubt, origin)
    logs, width = panels.log_diffusion, np.log(panels.width)
    near, far = np.where(rightward, logs[:, 0], logs[:, -1]), np.where(rightward, logs[:, -1], logs[:, 0])

    def largest(start: FloatArray, nodes: FloatArray, end: FloatArray) -> FloatArray:
        size: FloatArray = np.maximum(np.maximum(start - near, start + end - far), nodes.max(axis=1))
        return size + width

    density = inner[:, None] + within - logs
    most = inner_most[:, None] + _at_most(within, doubt[:, None]) - logs
    mass, bound = largest(inner, density, rise), largest(inner_most, most, _at_most(rise, doubt))
    best = int(np.argmax(mass))
    peak = best + int((rise[best] > 0.0) == rightward[best])
    return Exponent(origin, rise, outer, density, most, mass, bound, peak)


def _doubt(panels: Panels, rise: FloatArray) -> FloatArray:
    """Return the error (K,) of the rise of the exponent across each panel.

    It is no larger than the rise itself, except that an ascent which is not resolved at all may have any height.
    """
    last, size = last_coefficients(panels.rate), np.abs(panels.rate)
    total = size @ WEIGHTS
    doubt = np.minimum(last + SUM * total, total)
    guessed = (rise > 0.0) & (last > GUESSED * size.max(axis=1)) & panels.divisible
    return np.where(guessed, STEEPEST, doubt)


def _at_most(rise: FloatArray, doubt: FloatArray) -> FloatArray:
    """Return the largest value of a rise; the drift has one sign in a panel, so that a fall cannot become a rise."""
    return np.where(rise > 0.0, rise + doubt, np.minimum(rise + doubt, 0.0))


def _outwards(rise: FloatArray, origin: int) -> tuple[FloatArray, FloatArray]:
    """Sum rises (K,) from an edge outwards, to the inner and to the outer end of each panel (K,)."""
    left, right = np.cumsum(rise[:origin][::-1])[::-1], np.cumsum(rise[origin:])
    inner = np.concatenate([left[1:], np.zeros(min(len(left), 1) + min(len(right), 1)), right[:-1]])
    return inner, np.concatenate([left, right])


def beyond(values: FloatArray, origin: int) -> FloatArray:
    """Sum the values (K,) of each panel and of all that lie beyond it, as seen from an edge (K,)."""
    return np.concatenate([np.cumsum(values[:origin]), np.cumsum(values[origin:][::-1])[::-1]])
