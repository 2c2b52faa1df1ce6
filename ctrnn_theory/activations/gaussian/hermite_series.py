"""The covariance of any f at correlated Gaussian inputs: the Hermite series, and quadrature where that is slow."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations.gaussian.hermite_coefficients import has_rule, kink_coefficients, projected, rule_table
from ctrnn_theory.activations.gaussian.mehler import HermiteTable, orders_for, pair_covariances
from ctrnn_theory.activations.gaussian.smoothing import cancels
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between
from ctrnn_theory.support.types import FloatArray, IntArray

ORDERS = 400  # largest order of the series; quadrature takes over beyond
SLOPE_REACH = 12.5  # standard deviations: φ^(1/2) is 1e-16 there, and cₙ integrates f' φ^(1/2) times hₙ φ^(1/2)
PRODUCT_REACH = 9.5  # standard deviations beyond which f φ is below rounding
PANEL = 2.0  # widest panel in x, where f has its features: 16 nodes resolve singularities at a distance of 1 or more
FEATURES = 40.0  # |x| up to which panels stay that narrow; beyond, they double
HALVINGS = 24  # rounds of halving panels that do not resolve f'
MOST_EDGES = 2000  # edges of the panels of one input
NODES, WEIGHTS = gauss_legendre(16)


def hermite_covariance(
    act: Activation, m: FloatArray, s: FloatArray, i: IntArray, j: IntArray, r: FloatArray
) -> FloatArray:
    """Return Σₙ rⁿ cₙ(i) cₙ(j) = Cov(f(xᵢ), f(xⱼ)), cₙ = E[f(m + s ξ) hₙ(ξ)], hₙ = Heₙ/√n! (Mehler's formula).

    Pairs that the series does not reach within ORDERS terms (|r| near 1 at a kink or for a large s) are integrated by
    `conditioned`.

    Parameters
    ----------
    act
        The activation f.
    m, s
        Means and standard deviations (M,) of the inputs, s > 0.
    i, j
        Indices of the two inputs of each pair, (P,).
    r
        Correlations of the pairs, (P,).
    """
    total, reached = pair_covariances(hermite_table(act, m, s, np.max(np.abs(r), initial=0.0)), i, j, r)
    slow = np.flatnonzero(~reached)
    if slow.size:
        used, at = np.unique(np.concatenate([i[slow], j[slow]]), return_inverse=True)
        first, second = at.reshape(2, -1)
        edges = resolved_edges(act, m[used], s[used])
        total[slow] = conditioned(act, m[used], s[used], first, second, r[slow], edges)
    return total


def hermite_table(act: Activation, m: FloatArray, s: FloatArray, correlation: float) -> HermiteTable:
    """Return the Hermite coefficients of f at inputs of mean m and deviation s > 0 (M,), for |r| up to `correlation`.

    There are closed forms for piecewise-linear f, unless kinks lie close together compared with s, and a fixed rule
    for the logistic family. Other coefficients are integrated on panels.
    """
    orders = orders_for(correlation, ORDERS)
    quick = ~cancels(act, s) if act.piecewise_linear else has_rule(act.text, s)
    if quick.all():
        return _quick_table(act, m, s, orders)
    if not quick.any():
        return _panel_table(act, m, s, orders)
    parts = _quick_table(act, m[quick], s[quick], orders), _panel_table(act, m[~quick], s[~quick], orders)
    count = max(len(part.tails) for part in parts)
    c, tails = np.zeros((count, m.size)), np.zeros((count, m.size))
    for which, part in zip((quick, ~quick), parts, strict=True):  # a table that is the shorter one is complete
        c[: len(part.tails), which], tails[: len(part.tails), which] = part.coefficients, part.tails
    return HermiteTable(c, tails)


def _quick_table(act: Activation, m: FloatArray, s: FloatArray, orders: int) -> HermiteTable:
    """Return the table by closed forms, or by the rule of the logistic family."""
    if not act.piecewise_linear:
        return rule_table(act.text, m, s, orders)
    kinks = act.kinks
    z = (m - np.array([k.location for k in kinks])[:, None]) / s
    bends = np.array([k.slope_jump for k in kinks])[:, None] * s
    jumps = np.array([k.value_jump for k in kinks])
    c = kink_coefficients(s * act.smoothed(m, s, 1), z, bends, jumps, orders)
    return HermiteTable(c, np.ones_like(c) if kinks else np.zeros_like(c))


def _panel_table(act: Activation, m: FloatArray, s: FloatArray, orders: int) -> HermiteTable:
    """Return the table by Stein's identity, cₙ = s/√n E[f'(m + s ξ) hₙ₋₁(ξ)], which loses no digits for small s."""
    xi, weight = panel_nodes(resolved_edges(act, m, s))
    slope = s[:, None] * act.derivative(m[:, None] + s[:, None] * xi, 1)
    z, jump = jump_nodes(act, m, s)
    g = np.append(weight * slope, s[:, None] * jump, axis=1)
    xi = np.append(xi, z, axis=1)
    if jump.any():  # f' is not square integrable: only |r|ⁿ makes the series converge
        c = projected(xi, g, orders)
        return HermiteTable(c, np.ones_like(c))
    energy = np.sum(weight * slope * slope, axis=1)
    return HermiteTable.grown(lambda count: projected(xi, g, count), energy, orders)


def jump_nodes(act: Activation, m: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the nodes z = (k-m)/s (M, K) and the weights J φ(z)/s by which jumps J of the value enter E f'."""
    jumps = [k for k in act.kinks if k.value_jump != 0.0]
    where = np.array([k.location for k in jumps])
    size = np.array([k.value_jump for k in jumps])
    z = np.clip((where - m[:, None]) / s[:, None], -SLOPE_REACH, SLOPE_REACH)
    return z, np.where(np.abs(z) < SLOPE_REACH, size * _normal(z) / s[:, None], 0.0)


def resolved_edges(act: Activation, m: FloatArray, s: FloatArray) -> FloatArray:
    """Return edges in ξ (M, E), ascending, of panels that resolve f'(m + s ξ), with its breakpoints among them.

    The panels of `even_edges` are halved, where that changes E f', until it agrees with the smoothed derivative,
    which is computed independently. All inputs share the indices of the panels that are halved, and the test is on
    the sum over panels: `halve_until_resolved`, which tests each panel by itself, would not do.

    Raises
    ------
    ValueError
        If f' varies on too fine a scale.
    """
    expected = act.smoothed(m, s, 1) - np.sum(jump_nodes(act, m, s)[1], axis=1)
    edges = np.sort(np.append(even_edges(m, s), breakpoint_images(act, m, s), axis=1), axis=1)
    for _ in range(HALVINGS):
        panels, total = panel_slopes(act, m, s, edges)
        scale = 1e-9 * total + 1e-12
        if np.all(np.abs(np.sum(panels, axis=1) - expected) <= scale):
            return edges
        if edges.shape[1] > MOST_EDGES:
            break
        middle = 0.5 * (edges[:, 1:] + edges[:, :-1])
        halves = panel_slopes(act, m, s, np.sort(np.append(edges, middle, axis=1), axis=1))[0]
        changed = np.abs(halves[:, ::2] + halves[:, 1::2] - panels) > 1e-3 * scale[:, None]
        columns = np.any(changed, axis=0)
        # a feature narrower than all nodes' gaps changes nothing until panels everywhere are finer
        edges = np.sort(np.append(edges, middle[:, columns] if columns.any() else middle, axis=1), axis=1)
    raise ValueError(f"activation must vary on scales that quadrature resolves; got {act.text}")


def panel_slopes(act: Activation, m: FloatArray, s: FloatArray, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the parts of E f'(m + s ξ) in each panel (M, E-1), and E |f'| (M,)."""
    xi, weight = panel_nodes(edges)
    parts = weight * act.derivative(m[:, None] + s[:, None] * xi, 1)
    return parts.reshape(m.size, -1, NODES.size).sum(axis=2), np.sum(np.abs(parts), axis=1)


def even_edges(m: FloatArray, s: FloatArray) -> FloatArray:
    """Return edges in ξ (M, E) of panels that resolve φ, and features of f(m + s ξ) of order one near x = 0."""
    steps = np.arange(np.ceil(-SLOPE_REACH), SLOPE_REACH)
    edges = np.broadcast_to(np.concatenate([[-SLOPE_REACH], steps, [SLOPE_REACH]]), (m.size, steps.size + 2))
    if np.max(s) <= PANEL:
        return edges
    far = np.max(np.abs(m) + SLOPE_REACH * s) / FEATURES
    wide = FEATURES * 2.0 ** np.arange(1, 2 + max(0, int(np.ceil(np.log2(far)))))
    x = np.concatenate([-wide, np.arange(-FEATURES, FEATURES + PANEL, PANEL), wide])
    return np.append(edges, np.clip((x - m[:, None]) / s[:, None], -SLOPE_REACH, SLOPE_REACH), axis=1)


def breakpoint_images(act: Activation, m: FloatArray, s: FloatArray) -> FloatArray:
    """Return the ξ (M, K) at which m + s ξ meets a breakpoint of f; those out of reach are moved to its ends."""
    places = np.array(act.breakpoints, dtype=np.float64)
    return np.clip((places - m[:, None]) / s[:, None], -SLOPE_REACH, SLOPE_REACH)


def panel_nodes(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Gauss–Legendre nodes (M, Q) between edges (M, E) in any order, and their weights times φ."""
    edges = np.sort(edges, axis=1)
    xi, half = nodes_between(edges[:, :-1], edges[:, 1:], NODES)
    xi = xi.reshape(len(edges), -1)
    return xi, (half * WEIGHTS).reshape(xi.shape) * _normal(xi)


def conditioned(
    act: Activation, m: FloatArray, s: FloatArray, i: IntArray, j: IntArray, r: FloatArray, edges: FloatArray
) -> FloatArray:
    """Return E[(f(xᵢ) - Fᵢ)(F(mⱼ + r sⱼ ξ; sⱼ √(1-r²)) - Fⱼ)] = Cov(f(xᵢ), f(xⱼ)), ξ being the variate of xᵢ.

    The panels resolve both inputs. For |r| near 1 the second factor bends within √(1-r²) of the breakpoints of f, and
    panels halve towards each down to that width. The result is good to rounding of f, that is to 1e-16 |f| times the
    standard deviation of f.
    """
    result = np.empty_like(r)
    for p in range(r.size):  # one pair at a time bounds the memory
        x, y = (i[p], i[p] + 1), (j[p], j[p] + 1)
        first, second = (m[slice(*x)], s[slice(*x)]), (m[slice(*y)], s[slice(*y)])
        merged = np.concatenate([edges[i[p]], np.sign(r[p]) * edges[j[p]]])
        result[p] = conditioned_pair(act, act, first, second, float(r[p]), merged)
    return result


def conditioned_pair(
    f: Activation,
    g: Activation,
    x: tuple[FloatArray, FloatArray],
    y: tuple[FloatArray, FloatArray],
    r: float,
    edges: FloatArray,
) -> float:
    """Return Cov(f(x), g(y)) for one pair of inputs, given as mean and deviation (1,) each, see `conditioned`."""
    (m1, s1), (m2, s2), sign = x, y, np.sign(r)
    q = np.sqrt((1.0 - r) * (1.0 + r))
    offsets = 2.0 ** -np.arange(2 + int(np.ceil(-np.log2(max(q, 1e-12)))))
    offsets = np.concatenate([-offsets, [0.0], offsets])
    near = np.clip(sign * breakpoint_images(g, m2, s2)[0, :, None] + offsets, -SLOPE_REACH, SLOPE_REACH)
    merged = np.concatenate([edges, near.ravel()])
    xi, weight = panel_nodes(np.unique(np.clip(merged, -PRODUCT_REACH, PRODUCT_REACH))[None])
    first = f(m1 + s1 * xi) - f.smoothed(m1, s1)
    second = g.smoothed(m2 + r * s2 * xi, s2 * q) - g.smoothed(m2, s2)
    return float(np.sum(weight * first * second))


def _normal(z: FloatArray) -> FloatArray:
    """Return φ(z)."""
    density: FloatArray = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return density
