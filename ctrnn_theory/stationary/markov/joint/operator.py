"""Rows of the operator of neurons and sources on a Chebyshev grid, (P g)(h, x) = E g(h', x').

Given the variates that neurons share, the components of the state after a step are independent, unless rates of
different neurons are mixed, as they are in voltage form: then they are independent given those rates as well. A row is
an average of outer products over what is given. Private noise outside comes last, along each axis by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from ctrnn_theory.stationary.markov.joint.step import REACH, JointStep
from ctrnn_theory.stationary.markov.operator import gaussian_nodes
from ctrnn_theory.stationary.markov.several.chebyshev_grid import ChebyshevGrid
from ctrnn_theory.support.types import FloatArray

EXTRA = 12  # nodes more along an axis for what noise outside makes of a function than for the function
CHUNK = 4_000_000  # numbers in the tables of a block of rows
FEW = {2: 12, 3: 9}  # points that stand for the law of a rate which reaches several neurons


@dataclass(frozen=True, eq=False)
class JointRows:
    """Rows of P at some states, and moments of the step from each of them."""

    matrix: FloatArray
    """Matrix (rows, nodes)."""
    over: FloatArray
    """Mean overstep of the box, (rows, M, 2), in half widths."""
    mean: FloatArray
    """Mean state (rows, M) after the step."""
    variance: FloatArray
    """Variance (rows, M) of its components."""
    rate: FloatArray
    """Mean of f at the state (rows, N) after the step."""


def rows(step: JointStep, grid: ChebyshevGrid, states: FloatArray, order: int) -> JointRows:
    """Return rows of P on a grid, at states (rows, M), by quadrature of `order` points in a panel."""
    kicks = np.concatenate([step.wiring.gamma * step.own[1], np.zeros(step.size - step.n)])
    extra = tuple(count + EXTRA * bool(kick) for count, kick in zip(grid.counts, kicks, strict=True))
    finer = ChebyshevGrid(grid.low, grid.high, extra)
    points = step.shared_rule(states[:1], order)[1].size * (FEW.get(step.n, 1) ** step.n if step.mixes else 1)
    length = max(1, CHUNK // (points * max(sum(extra), int(np.prod(extra[:-1])) if step.size > 2 else 1)))
    blocks = [_block(step, finer, states[i : i + length], order, kicks) for i in range(0, len(states), length)]
    matrix, over, mean, square, rate = (np.concatenate(part) for part in zip(*blocks, strict=True))
    if kicks.any():
        matrix = _diffused(matrix, grid, finer, kicks, order)
    return JointRows(matrix, over, mean, square, rate)


def _block(
    step: JointStep, grid: ChebyshevGrid, states: FloatArray, order: int, kicks: FloatArray
) -> tuple[FloatArray, ...]:
    """Return matrix, overstep and moments of some rows, without private noise outside in the first two."""
    count, n = len(states), step.n
    z, weights = step.shared_rule(states, order)
    given = z.shape[1]
    flat, repeated = z.reshape(count * given, -1), np.repeat(states, given, axis=0)
    shift, x = step.shift(repeated, flat), step.sources(repeated, flat)
    few = FEW[n] if step.mixes else 0
    laws = [step.rate(i, states, z, order, few) for i in range(n)]
    gamma, B = step.wiring.gamma, step.wiring.write
    if step.mixes:
        index = np.stack([i.ravel() for i in np.indices([r.shape[1] for r, _ in laws])])
        r = np.stack([law[0][:, i] for law, i in zip(laws, index, strict=True)], axis=2)
        p = np.prod([law[1][:, i] for law, i in zip(laws, index, strict=True)], axis=0)
        axes = shift[:, None] + gamma * (r @ B.T)
        laws = [(axes[:, :, i].reshape(-1, 1), np.ones((axes[:, :, i].size, 1))) for i in range(n)]
        weights = (weights.reshape(-1, 1) * p).reshape(count, -1)
        x = np.repeat(x, len(index[0]), axis=0)
    else:
        diagonal = gamma * np.diag(B)
        laws = [(shift[:, i, None] + diagonal[i] * r, p) for i, (r, p) in enumerate(laws)]
    laws += [(column[:, None], np.ones((len(column), 1))) for column in x.T]
    factors = [_average(grid, i, *law).reshape(count, weights.shape[1], -1) for i, law in enumerate(laws)]
    mean, second, rate = np.zeros((3, count, step.size))
    over = np.empty((count, step.size, 2))
    for i, (h, p) in enumerate(laws):
        p = (weights.reshape(-1, 1) * p).reshape(count, -1)
        h = h.reshape(count, -1)
        mean[:, i], second[:, i] = np.sum(p * h, axis=1), np.sum(p * h**2, axis=1)
        half = 0.5 * (grid.high[i] - grid.low[i])
        over[:, i, 0] = np.sum(p * _positive_part(grid.low[i] - h, kicks[i]), axis=1) / half
        over[:, i, 1] = np.sum(p * _positive_part(h - grid.high[i], kicks[i]), axis=1) / half
        if step.wiring.U is None and i < n:
            rate[:, i] = np.sum(p * step.f[i].smoothed(h, kicks[i]), axis=1)
    variance = second - mean**2 + kicks**2
    return _contracted(factors, weights), over, mean, variance, rate[:, :n]


def _positive_part(a: FloatArray, s: float) -> FloatArray:
    """Return E max(a + s ξ, 0)."""
    if s == 0.0:
        return np.maximum(a, 0.0)
    z = a / s
    part: FloatArray = s * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) + a * ndtr(z)
    return np.maximum(part, 0.0)


def _average(grid: ChebyshevGrid, axis: int, points: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the average over points (rows, Q) of one component, (rows, nodes of the axis)."""
    index = np.repeat(np.arange(len(points)), points.shape[1])
    return grid.average(axis, index, points.ravel(), weights.ravel(), len(points))[0]


def _contracted(factors: list[FloatArray], weights: FloatArray) -> FloatArray:
    """Return Σ_q weight_q ⊗_i factor_i,q, (rows, nodes), of factors (rows, Q, nodes of an axis)."""
    left = factors[0] * weights[:, :, None]
    for factor in factors[1:-1]:
        left = (left[:, :, :, None] * factor[:, :, None, :]).reshape(*left.shape[:2], -1)
    return np.matmul(np.swapaxes(left, 1, 2), factors[-1]).reshape(len(left), -1)


def _diffused(
    matrix: FloatArray, grid: ChebyshevGrid, finer: ChebyshevGrid, kicks: FloatArray, order: int
) -> FloatArray:
    """Return rows on the finer grid after the average over private noise outside, from the nodes of the grid."""
    tensor = matrix.reshape(-1, *finer.counts)
    for i, s in enumerate(kicks):
        if s == 0.0:
            continue
        t = np.cos(np.pi * (np.arange(finer.counts[i]) + 0.5) / finer.counts[i])
        y = 0.5 * ((1.0 - t) * finer.low[i] + (1.0 + t) * finer.high[i])
        ends = np.array([grid.low[i], grid.high[i]])
        index, eta, weights = gaussian_nodes((ends - y[:, None]) / s, REACH, order)
        factor, _ = grid.average(i, index, y[index] + s * eta, weights, len(y))
        tensor = np.moveaxis(np.tensordot(tensor, factor, (i + 1, 0)), -1, i + 1)
    return np.ascontiguousarray(tensor).reshape(len(matrix), -1)


def order_of(grid: ChebyshevGrid) -> int:
    """Return the points that a quadrature panel needs for the fastest function on the grid."""
    return 12 + max(grid.counts) // 8
