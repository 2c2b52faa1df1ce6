"""Gaussian smoothing, and the variance, of any activation by Gauss–Legendre panels.

The panels of a point (a, s) are bounded by edges at equal distances in ξ, which resolve the Gaussian, and by the edges
in x of the panels of the activation, which resolve f. Nothing is left to adapt, and all points are treated in one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial import hermite_e

from ctrnn_theory.activations.gaussian.activation_panels import NODES, PRIMITIVE, WEIGHTS, evaluate, panels_of
from ctrnn_theory.activations.gaussian.closed_forms import SQRT_2PI, density_derivative
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

WIDTH = 3.0  # width of the panels in ξ: with 20 nodes φ is integrated to rounding against a resolved f²
REACH = (9.0, 18.0, 36.0)  # ends in ξ that are tried in turn: Φ(-9) = 1e-19, but f may grow
ENOUGH = 1e-15  # size of the integrand at the ends, relative to its integral, that is negligible
KNOWN = 100.0  # |x| up to which every kink is found
BLOCK = 4096  # panels that are treated at once, which bounds the memory


class OutOfRange(ValueError):
    """The error of an f that grows so fast that its Gaussian averages at a point are infinite, or overflow."""


class Panels(NamedTuple):
    """Panels of several points, ascending in ξ for each point."""

    row: IntArray
    """Index of the point that each panel belongs to, (panels,)."""
    middle: FloatArray
    """Centres in ξ, (panels,)."""
    half: FloatArray
    """Half widths in ξ, (panels,)."""
    xi: FloatArray
    """Nodes ξ, (panels, nodes)."""
    weight: FloatArray
    """Weights of the nodes times φ, (panels, nodes)."""
    x: FloatArray
    """Arguments a + s ξ at the nodes, (panels, nodes)."""


def make_panels(edges: FloatArray, a: FloatArray, s: FloatArray, reach: float) -> Panels:
    """Return panels on [-reach, reach] for each point, bounded by regular edges in ξ and the images of edges in x.

    Between two edges in x widths are taken there, since their images in ξ are rounded: for a and s of 1e6 by 1e-10 of
    a panel of unit width.
    """
    regular = np.linspace(-reach, reach, 1 + round(2 * reach / WIDTH))
    first, count = _edges_within(edges, a, s, reach)
    row = np.repeat(np.arange(a.size), count)
    index = np.arange(row.size) - np.repeat(np.cumsum(count) - count - first, count)
    ends = np.concatenate([np.tile(regular, a.size), (edges[index] - a[row]) / s[row]])
    rows = np.concatenate([np.repeat(np.arange(a.size), regular.size), row])
    at = np.concatenate([np.full(a.size * regular.size, np.nan), edges[index]])  # in x, of the images
    if row.size:
        ends = np.clip(ends, -reach, reach)
        order = np.lexsort((ends, rows))
        ends, rows, at = ends[order], rows[order], at[order]
    keep = (rows[1:] == rows[:-1]) & (ends[1:] > ends[:-1])
    left, right, row = ends[:-1][keep], ends[1:][keep], rows[:-1][keep]
    middle, half = 0.5 * (left + right), 0.5 * (right - left)
    x_middle, x_half = 0.5 * (at[:-1][keep] + at[1:][keep]), 0.5 * (at[1:][keep] - at[:-1][keep])
    known = np.isfinite(x_half)
    half[known] = x_half[known] / s[row[known]]
    xi = middle[:, None] + half[:, None] * NODES
    x = a[row, None] + s[row, None] * xi
    x[known] = x_middle[known, None] + x_half[known, None] * NODES
    weight = np.exp(-0.5 * xi * xi) * WEIGHTS * (half[:, None] / SQRT_2PI)
    return Panels(row, middle, half, xi, weight, x)


def _edges_within(edges: FloatArray, a: FloatArray, s: FloatArray, reach: float) -> tuple[IntArray, IntArray]:
    first = np.searchsorted(edges, a - reach * s, side="left")
    return first, np.searchsorted(edges, a + reach * s, side="right") - first


def locate(breaks: FloatArray, panels: Panels, a: FloatArray, s: FloatArray) -> IntArray:
    """Return the index of the piece that each panel lies in; the comparison is right for s below the rounding of a."""
    piece = np.zeros(panels.row.size, dtype=np.intp)
    offset = s[panels.row] * panels.middle
    for k in breaks:
        piece += (k - a)[panels.row] < offset
    return piece


Terms = Callable[[Panels, FloatArray, FloatArray, FloatArray], FloatArray]


def integrate(act: Any, order: int, a: FloatArray, s: FloatArray, terms: Terms) -> FloatArray:
    """Sum terms(panels, n-th derivative of f at the nodes, a, s) over the panels of each point.

    Points are treated in blocks, and again with farther ends where the terms have not decayed there.
    """
    resolved = panels_of(act, order)
    result = np.empty_like(a)
    todo = np.arange(a.size)
    for reach in REACH if a.size else ():
        edges = resolved.edges(float(np.max(np.abs(a[todo]) + reach * s[todo])))
        count = 1 + int(2 * reach / WIDTH) + _edges_within(edges, a[todo], s[todo], reach)[1]
        far = np.zeros(todo.size, dtype=bool)
        for block in np.split(np.arange(todo.size), 1 + np.flatnonzero(np.diff(np.cumsum(count) // BLOCK))):
            at, width = a[todo[block]], s[todo[block]]
            panels = make_panels(edges, at, width, reach)
            f = evaluate(act, panels.x, locate(resolved.breaks, panels, at, width), order)
            parts = terms(panels, f, at, width)
            value = _sum(panels, parts, at.size)
            end, total = _ends(panels, parts, at.size, reach), _sum(panels, np.abs(parts), at.size)
            _require_none(~np.isfinite(value), act, at, width, f"be finite {reach:g} standard deviations around a")
            if reach == REACH[-1]:  # φ is 1e-282 there: decayed, unless f outgrows it
                _require_none(end > ENOUGH * np.maximum(total, 1.0), act, at, width, "have moments under this noise")
            result[todo[block]], far[block] = value, end > ENOUGH * total
        todo = todo[far]
        if not todo.size:
            break
    return result


def smoothed(act: Any, a: FloatArray, s: FloatArray, order: int) -> FloatArray:
    """Return d^n/da^n E f(a + s ξ) for flat arrays a and s > 0.

    The n-th derivative of the pieces is integrated; a jump J_j of the j-th derivative at k adds
    J_j d^{n-1-j}/da^{n-1-j} [φ((k - a)/s)/s], j < n.
    """
    wild = beyond_known_kinks(act, a, s)
    if wild.any() and order:
        value = np.empty_like(a)
        value[~wild] = smoothed(act, a[~wild], s[~wild], order)
        value[wild] = integrate(act, 0, a[wild], s[wild], lambda *of: _hermite(order, *of)) / s[wild] ** order
        return value
    value = integrate(act, order, a, s, lambda panels, f, a, s: panels.weight * f)
    for k, jumps in all_jumps(act, order):
        for j, jump in enumerate(jumps):
            if jump:
                value += jump * density_derivative((a - k) / s, order - 1 - j) / s ** (order - j)
    return value


def variance(act: Any, a: FloatArray, s: FloatArray) -> FloatArray:
    """Return Var f(a + s ξ) for flat arrays a and s > 0.

    f - f(a) is integrated from f', outwards from a, and jumps are added. No difference of values of f is taken, so
    that the variance keeps its digits where f hardly varies over s.
    """
    heights = [(k, jumps[0]) for k, jumps in all_jumps(act, 1) if jumps[0]]

    def terms(panels: Panels, slope: FloatArray, a: FloatArray, s: FloatArray) -> FloatArray:
        rise = outwards(panels, slope, a.size) * s[panels.row, None]
        for k, jump in heights:
            passed = (k - a)[panels.row] < s[panels.row] * panels.middle
            at_centre: FloatArray = np.heaviside(a - k, 0.5)
            rise += (jump * (passed - at_centre[panels.row]))[:, None]
        return _squared(panels, rise, a, s)

    wild = beyond_known_kinks(act, a, s)
    value = np.empty_like(a)
    value[~wild] = integrate(act, 1, a[~wild], s[~wild], terms)
    value[wild] = integrate(act, 0, a[wild], s[wild], _squared)
    return value


def beyond_known_kinks(act: Any, a: FloatArray, s: FloatArray) -> BoolArray:
    """Return where a Gaussian reaches endless kinks, as in Abs(sin(x)), beyond [-100, 100], where none are listed.

    There f itself is right, but what is built from its derivatives and jumps is not.
    """
    left, right = _endless(act)
    return (left & (a - REACH[0] * s < -KNOWN)) | (right & (a + REACH[0] * s > KNOWN))


@lru_cache(maxsize=256)
def _endless(act: Any) -> tuple[bool, bool]:
    """Return whether the leftmost and the rightmost piece hold kinks."""
    return act.pieces[0].endless_kinks, act.pieces[-1].endless_kinks


def _hermite(order: int, panels: Panels, f: FloatArray, a: FloatArray, s: FloatArray) -> FloatArray:
    """Return the terms of E f(a + s ξ) He_n(ξ) = s^n F^(n)."""
    return panels.weight * f * hermite_e.hermeval(panels.xi, [0.0] * order + [1.0])


def _squared(panels: Panels, f: FloatArray, a: FloatArray, s: FloatArray) -> FloatArray:
    """Return the terms of E (f - E f)²."""
    f = f - _sum(panels, panels.weight * f, a.size)[panels.row, None]
    return panels.weight * f * f


def outwards(panels: Panels, slope: FloatArray, count: int) -> FloatArray:
    """Integrate a slope from ξ = 0 to every node, panel by panel away from 0."""
    row = panels.row
    right = panels.middle > 0.0
    lefts, total = np.bincount(row[~right], minlength=count), np.bincount(row, minlength=count)
    place = np.arange(row.size) - (np.cumsum(total) - total)[row]
    rank = np.where(right, place - lefts[row], lefts[row] - 1 - place)
    increment = panels.half * (slope @ WEIGHTS)
    table = np.zeros((2, count, int(rank.max()) + 1))
    table[right.astype(np.intp), row, rank] = increment
    table = np.cumsum(table, axis=2)
    reached = table[right.astype(np.intp), row, rank]
    start = np.where(right, reached - increment, -reached)
    return start[:, None] + panels.half[:, None] * (slope @ PRIMITIVE.T)


@lru_cache(maxsize=256)
def all_jumps(act: Any, order: int) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """Return each breakpoint and the jumps of the derivatives 0 .. order - 1 there; those of rounding size are zero."""
    if order == 0:
        return ()
    exact = {kink.location: (kink.value_jump, kink.slope_jump) for kink in act.kinks}
    found = []
    for before, after in zip(act.pieces[:-1], act.pieces[1:], strict=True):
        k = after.lower
        jumps: list[float] = [*exact.get(k, (0.0, 0.0))][:order]
        for j in range(2, order):
            low, high = float(before.value(k, j)), float(after.value(k, j))
            jumps.append(high - low if abs(high - low) > 1e-13 * (abs(high) + abs(low)) else 0.0)
        found.append((k, tuple(jumps)))
    return tuple(found)


def _sum(panels: Panels, terms: FloatArray, count: int) -> FloatArray:
    return np.asarray(np.bincount(panels.row, weights=terms.sum(axis=1), minlength=count), dtype=np.float64)


def _ends(panels: Panels, terms: FloatArray, count: int, reach: float) -> FloatArray:
    """Return the size of the integrand at the ends, for each point."""
    last = np.abs(panels.middle) + panels.half > reach * (1.0 - 1e-9)
    size = np.abs(terms[last])
    ends = np.maximum(size[:, 0], size[:, -1]) / (WEIGHTS[0] * panels.half[last])
    return np.asarray(np.bincount(panels.row[last], weights=ends, minlength=count), dtype=np.float64)


def _require_none(bad: BoolArray, act: Any, a: FloatArray, s: FloatArray, rule: str) -> None:
    if bad.any():
        raise OutOfRange(f"activation must {rule}; got a = {a[bad][0]:g}, s = {s[bad][0]:g} for {act.text!r}")
