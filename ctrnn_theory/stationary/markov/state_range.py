"""Where the state of one noisy neuron lives: whether it stays bounded, its range, and where its map bends."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.numerics.panels import halve_until_resolved
from ctrnn_theory.stationary.markov.operator import POINTS, Step, gaussian_nodes
from ctrnn_theory.stationary.metastable import why_no_law
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

WIDTHS = 9.0  # standard deviations on each side of the first guess of the range
RESOLVED = 1e-13  # relative size of the last Chebyshev coefficients of f on a panel that resolves it
_ANGLES = np.pi * (np.arange(POINTS) + 0.5) / POINTS
INNER = np.cos(_ANGLES)  # nodes inside a panel: f may jump at its ends
LAST = (2.0 / POINTS) * np.cos(np.outer(_ANGLES, [POINTS - 2, POINTS - 1]))  # from values there to last coefficients
MOST_BREAKS = 512  # panels that f may need over the range that the noise reaches
END_PANEL = 0.14  # width of the outermost panels, relative to the range: from 6.5 to 9 standard deviations
LAYER = (-8.5, -4.0, 0.0, 4.0, 8.5)  # edges of panels about a kink that a Gaussian of unit width smooths


def require_bounded(net: CTRNN, drive: float) -> None:
    """Raise Divergence if noise carries the state of one neuron away for ever."""
    if reason := why_no_law(net, drive):
        raise Divergence(reason)


def choose_reach(step: Step, f: Activation, center: float) -> Step:
    """Widen the range of ξ if f grows so fast that its variance comes from beyond 8.5 standard deviations."""
    a = step.w * center + step.drive
    width = float(step.width(np.array(a)))
    if width == 0.0 or not np.isinf(f.limit_slopes).any():
        return step
    xi = np.arange(0.5, 40.5, 0.5)
    with np.errstate(over="ignore", divide="ignore"):
        change = np.maximum(np.abs(f(a + width * xi) - f(a)), np.abs(f(a - width * xi) - f(a)))
        integrand = 2.0 * np.log(change) - 0.5 * xi**2
    if np.isneginf(integrand[xi <= step.reach]).all():  # flat wherever the noise reaches
        return step
    peak = int(np.argmax(integrand))
    enough = np.flatnonzero((integrand < integrand[peak] - 37.0) & (xi > xi[peak]))  # e^-37 = 1e-16
    if len(enough) == 0:
        raise NotApplicable(
            f"{f.name} grows too fast for this noise: its variance comes from events too rare to resolve"
        )
    return replace(step, reach=max(step.reach, float(xi[enough[0]])))


def guess_range(step: Step, f: Activation, start: float) -> tuple[float, float]:
    """Return an interval about the stationary law of the Gaussian closure, followed from `start`.

    It need not be exact, since the solver widens it until no probability leaves it.
    """
    w, gamma, kinks = step.w, step.gamma, np.array(f.breakpoints, dtype=np.float64)
    m, V = start, 0.0
    drive = np.array(step.drive)
    alone = step.write * step.f(drive + step.width(drive) * np.linspace(-2.0, 2.0, 5))  # of an unconnected neuron
    bound = 10.0 * (float(np.ptp(alone)) + abs(float(alone[2]) + step.offset - start) + step.outside) ** 2
    for _ in range(200):
        a = w * m + step.drive
        s = math.hypot(math.hypot(step.inside, step.gain_inside * math.hypot(a, w * math.sqrt(V))), w * math.sqrt(V))
        F, slope, variance = _gaussian_moments(step, kinks, a, max(s, 1e-6 * (1.0 + abs(a))))
        variance = step.gain_variance * F**2 + (1.0 + step.gain_variance) * (variance if s else 0.0)
        F += step.offset
        old, fresh = V, variance + step.outside**2
        A = 1.0 - gamma + gamma * w * slope
        if abs(A) < 1.0 - 0.05 * gamma:  # solve for V in the part of the variance that is linear in it
            V = gamma**2 * max(fresh - (w * slope) ** 2 * V, 0.0) / (1.0 - A**2)
        else:
            V = gamma * fresh / max(2.0 - gamma - 2.0 * (1.0 - gamma) * w * slope, 0.1)
            V = min(V, bound)  # the closure of an unstable neuron may have no solution
        left = abs(F - m) / max(1.0 - w * slope, 0.05)  # roughly the distance that is left
        near = left * abs(w) < s  # so near that the smoothed f is straight: a Newton step
        m += (F - m) / max(1.0 - w * slope, 0.05) if near else 0.7 * (F - m) / (1.0 + max(0.0, -w * slope))
        if (left < 0.1 * math.sqrt(V) + 1e-15 * abs(m) and abs(V - old) <= 0.1 * V) or not math.isfinite(m + V):
            break
    if not math.isfinite(m + V):
        raise NotApplicable(f"{f.name} grows too fast: no range of the state is found from {start:g}")
    # The rarest step from the mean matters for a law that is a point but for rare events.
    xi = np.linspace(-step.reach, step.reach, 33)
    x = w * m + step.drive + float(step.width(np.array(w * m + step.drive))) * xi
    steps = np.concatenate([step.target(np.full(33, m), x, M) for _, M in step.factors])
    kick = step.reach * float(np.max(step.spread(largest(step) * step.f(x))))
    reached = WIDTHS * math.sqrt(V)
    return min(m - reached, float(steps.min()) - kick), max(m + reached, float(steps.max()) + kick)


def largest(step: Step) -> float:
    """Return the largest size of M B, which multiplies the value of f."""
    return abs(step.write) * max(abs(M) for _, M in step.factors)


def _gaussian_moments(step: Step, kinks: FloatArray, a: float, s: float) -> tuple[float, float, float]:
    """Return the mean of B f(a + s ξ), its slope in a, and the variance, for s > 0."""
    _, xi, weight = gaussian_nodes((kinks - a)[None] / s, step.reach, 16)
    values = step.write * step.f(a + s * xi)
    mean = float(weight @ values)
    centered = values - mean
    return mean, float(weight @ (xi * centered)) / s, float(weight @ centered**2)


def clip_to_image(step: Step, f: Activation, low: float, high: float) -> tuple[float, float]:
    """Intersect [low, high] with the range of f, widened by the noise outside, which no state leaves."""
    ends = np.sort([step.w * low + step.drive, step.w * high + step.drive])
    margin = step.reach * float(np.max(step.width(ends)))
    values = step.write * np.array(image(f, ends[0] - margin, ends[1] + margin))
    y = np.array([M * value for _, M in step.factors for value in values])
    least, most = float(np.min(y)), float(np.max(y))
    kick = step.reach * math.hypot(step.outside, step.gain_outside * max(abs(least), abs(most)))
    slack = 0.05 * (most - least) + 1e-12 * max(abs(least), abs(most))
    bottom, top = least + step.offset - kick - slack, most + step.offset + kick + slack
    clipped = max(low, bottom), min(high, top)
    return clipped if clipped[0] < clipped[1] else (min(low, bottom), max(high, top))


def image(f: Activation, low: float, high: float) -> tuple[float, float]:
    """Return the least and the largest value of f on [low, high], to the resolution of its panels."""
    edges = np.concatenate([[low], resolve(f, low, high), [high]]) if low < high else np.array([low, high])
    values = f(edges[:-1, None] + np.diff(edges)[:, None] * np.linspace(0.0, 1.0, 33))
    return float(np.min(values)), float(np.max(values))


def resolve(f: Activation, low: float, high: float) -> FloatArray:
    """Return places in (low, high) that cut it into panels on each of which one Chebyshev series resolves f.

    Between its breakpoints f may vary within a small part of a wide range alone, which panels of equal width would
    miss. Before they are halved, the panels are therefore no wider than their distance from 0, or from a place where f
    bends most. Pieces that are polynomials need no panels.

    Raises
    ------
    NotApplicable
        If that takes more than `MOST_BREAKS` panels.
    """
    pieces = [p for p in f.pieces if p.polynomial is None and p.lower < high and p.upper > low]
    shells = 2.0 ** np.arange(1 + max(0, math.ceil(math.log2(1.0 + max(abs(low), abs(high))))))
    seeds = np.unique(np.concatenate([-shells, [0.0], shells, f.nonlinearities]))
    cuts = [k for k in f.breakpoints if low < k < high]
    starts = [np.unique(np.clip([p.lower, p.upper, *seeds], max(low, p.lower), min(high, p.upper))) for p in pieces]
    left = np.concatenate([np.empty(0), *(edges[:-1] for edges in starts)])
    right = np.concatenate([np.empty(0), *(edges[1:] for edges in starts)])

    largest = 0.0

    def resolved(left: FloatArray, right: FloatArray, parent: IntArray | None) -> BoolArray:
        nonlocal largest
        values = f(0.5 * ((1.0 - INNER) * left[:, None] + (1.0 + INNER) * right[:, None]))
        tail, size = np.max(np.abs(values @ LAST), axis=1), np.max(np.abs(values), axis=1)
        blur = np.spacing(np.maximum(np.abs(left), np.abs(right))) / (right - left)  # rounding error of the nodes
        largest = max(largest, np.max(size, initial=0.0))
        fine = ~(tail > RESOLVED * np.max(size, initial=0.0) + POINTS * blur * np.ptp(values, axis=1))
        return np.asarray(fine | (np.ptp(values, axis=1) <= RESOLVED * largest))  # next to the threshold of a root

    def require_few(settled: int, pending: int) -> None:
        if pending and len(cuts) + settled + 2 * pending > MOST_BREAKS:
            raise NotApplicable(
                f"{f.name} varies too fast over the pre-activations that the noise reaches, from {low:g} to {high:g}"
            )

    require_few(0, len(left))
    _, ends = halve_until_resolved(left, right, resolved, require_few)
    edges = np.unique([*cuts, *ends])
    return edges[edges < high]


def first_edges(step: Step, low: float, high: float, breaks: FloatArray, kinks: FloatArray) -> FloatArray:
    """Return the edges of the first panels.

    Panels at the ends are narrow, for they show the probability that leaves; those between have equal widths. Edges
    lie where the noise-free map bends, with layers about them where noise inside smooths it.
    """
    width = high - low
    middle = np.array(step.w * 0.5 * (low + high) + step.drive)

    def scale(a: FloatArray) -> FloatArray:  # width in h of the smoothing by noise inside
        with np.errstate(over="ignore"):  # of weights near the smallest number, which are as good as none
            return step.width(a) / abs(step.w) if step.w else np.full_like(a, math.inf)

    typical = float(scale(middle))
    even = int(np.clip(math.ceil(0.72 * width / (4.0 * typical)), 2, 8)) if typical > 0.0 else 2
    edges = [low + width * np.linspace(END_PANEL, 1.0 - END_PANEL, even + 1)]
    sharp = breaks[scale(breaks) < width / 40.0]  # the panels of equal width resolve the others
    edges.append((sharp - step.drive) / step.w)
    sharp = kinks[scale(kinks) < width / 40.0]
    edges.append(((sharp - step.drive)[:, None] / step.w + scale(sharp)[:, None] * np.asarray(LAYER)).ravel())
    if step.rated:
        edges.append((kinks - step.drive) / step.w)
    return merge(np.concatenate(edges), low, high)


def merge(edges: FloatArray, low: float, high: float) -> FloatArray:
    """Return the edges sorted, without those outside and those closer together than rounding allows."""
    inside = np.sort(edges[(edges > low) & (edges < high)])
    gap = 1e-11 * (high - low) + 1e-14 * max(abs(low), abs(high))
    kept = [low]
    for edge in inside:
        if edge - kept[-1] > gap and high - edge > gap:
            kept.append(float(edge))
    return np.array([*kept, high])
