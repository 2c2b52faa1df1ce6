"""Every fixed point of a network with a piecewise-linear activation, by a linear system for each region of states."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np

from ctrnn_theory.activations import Activation, ActivationGroup
from ctrnn_theory.activations.group import members, parts
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.types import BoolArray, FloatArray, IntArray

MAX_REGIONS = 600_000  # which bounds the time; hardtanh has 3^12 with 12 neurons
MAX_SLOPES = 20_000  # matrices to invert, which bounds the time; relu has 2^14 with 14 neurons
CHUNK = 60_000  # regions that are examined together, which bounds the memory
SINGULAR = 1e10  # condition number beyond which a region's solutions, if any, are taken for a continuum
EDGE = 1e-8  # relative distance outside its region to which rounding may move a solution
JUMP = 1e-12  # relative distance from a jump within which a pre-activation lies on it
RESIDUAL = 1e-9  # relative, of a solution
SAME = 1e-6  # relative distance below which two solutions on a border are one


def enumerable(f: Activation | ActivationGroup, n: int) -> bool:
    """Return whether :func:`enumerate_states` can treat n neurons with this activation.

    It can if f is piecewise linear and there are not too many regions: 14 neurons of relu, or 12 of hardtanh.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> enumerable(activation("relu"), 14), enumerable(activation("hardtanh"), 13), enumerable(activation("tanh"), 2)
    (True, False, False)
    """
    if not f.piecewise_linear:
        return False
    table, _, counts = _table(f, n)
    return math.prod(counts.tolist()) <= MAX_REGIONS and len(np.unique(table[:, 3])) ** n <= MAX_SLOPES


def enumerate_states(
    f: Activation | ActivationGroup, W: FloatArray, drive: FloatArray
) -> tuple[list[FloatArray], bool]:
    """Solve h = f(W h + drive) for a piecewise-linear f, completely.

    A region has one piece of f, α + β a, for each neuron. In it the pre-activation solves
    ``(I - W diag β) a = W α + drive``; a solution counts if it lies in the region, borders included. A jump is a
    piece of its own, one point wide, where f takes the mean of its limits. Where the matrix is singular the region
    holds no fixed point or a continuum of them. Of a continuum the list holds the ends, which lie in neighbouring
    regions too, unless these are singular as well.

    Parameters
    ----------
    f
        A piecewise-linear activation, or those of N neurons.
    W
        Weights (N, N).
    drive
        W_in u + b, (N,).

    Returns
    -------
    list of FloatArray, bool
        The states (N,), each once; and whether no region is singular, so that these are surely all.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> states, regular = enumerate_states(activation("hardtanh"), 2.0 * np.eye(3), np.zeros(3))
    >>> len(states), regular
    (27, True)
    """
    n = len(W)
    table, first, counts = _table(f, n)
    slopes, slope_of = np.unique(table[:, 3], return_inverse=True)
    inverse, regular = _inverses(W, slopes)
    systems = inverse @ W, inverse @ drive, regular
    count, strides = math.prod(counts.tolist()), np.concatenate([[1], np.cumprod(counts)[:-1]])
    found = []
    for start in range(0, count, CHUNK):
        numbers = np.arange(start, min(start + CHUNK, count))
        pieces = first + numbers[:, None] // strides % counts
        which = slope_of[pieces] @ len(slopes) ** np.arange(n)
        found.append(pieces[_inside(table, pieces, which, systems)])
    states, border = _solutions(f, W, drive, table, np.concatenate(found))
    kept = list(states[~border])
    for state in states[border]:
        if all(np.max(np.abs(state - other)) > SAME * (1.0 + np.max(np.abs(other))) for other in kept):
            kept.append(state)
    return kept, bool(regular.all())


def solve_in_region(
    f: Activation | ActivationGroup, wiring: Wiring, a: FloatArray, margin: FloatArray
) -> FloatArray | None:
    """Return the fixed point with each neuron on the straight piece of f that holds its pre-activation a (N,).

    Returns None if a neuron, or its solution, is not on such a piece, or is nearer than `margin` (N,) to its ends.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> wiring = Wiring.in_rates(np.array([[0.75]]), np.array([0.5]), 1.0)
    >>> solve_in_region(activation("relu"), wiring, np.array([3.0]), np.zeros(1))
    array([2.])
    """
    own = [(one, one.breakpoints) for one in members(f, len(a))]
    pieces = [one.pieces[bisect_right(ends, x)] for (one, ends), x in zip(own, a.tolist(), strict=True)]
    if any(piece.polynomial is None or len(piece.polynomial) > 2 for piece in pieces):
        return None
    alpha, beta = np.array([(*(piece.polynomial or ()), 0.0)[:2] for piece in pieces]).T
    try:
        W = wiring.recurrence
        new = np.linalg.solve(np.eye(len(W)) - W * beta, W @ alpha + wiring.current)
    except np.linalg.LinAlgError:
        return None
    lower, upper = np.array([(piece.lower, piece.upper) for piece in pieces]).T
    inside = (new - margin > lower) & (new + margin < upper) & (a - margin > lower) & (a + margin < upper)
    return wiring.target(alpha + beta * new) if inside.all() else None


def _table(f: Activation | ActivationGroup, n: int) -> tuple[FloatArray, IntArray, IntArray]:
    """Return the pieces of activations, jumps included, as rows (lower end, upper end, α, β), (P, 4).

    Also returned are the first row of each of n neurons, and the number of its rows, (N,).
    """
    rows: list[tuple[float, float, float, float]] = []
    first, counts = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    for one, neurons in parts(f, n):
        first[neurons] = len(rows)
        for piece in one.pieces:
            alpha, beta = (*(piece.polynomial or ()), 0.0)[:2]
            rows.append((piece.lower, piece.upper, alpha, beta))
        rows += [(k.location, k.location, float(one(k.location)), 0.0) for k in one.kinks if k.value_jump]
        counts[neurons] = len(rows) - first[neurons]
    return np.array(rows), first, counts


def _inverses(W: FloatArray, slopes: FloatArray) -> tuple[FloatArray, BoolArray]:
    """(I - W diag β)⁻¹ for every choice of β, (q^N, N, N), and whether it is to be trusted, (q^N,)."""
    n, q = len(W), len(slopes)
    beta = slopes[np.arange(q**n)[:, None] // q ** np.arange(n) % q]
    M = np.eye(n) - W * beta[:, None, :]
    singular = np.linalg.det(M) == 0.0
    M[singular] = np.eye(n)
    inverse: FloatArray = np.linalg.inv(M).astype(np.float64, copy=False)
    size = np.abs(M).sum(axis=2).max(axis=1) * np.abs(inverse).sum(axis=2).max(axis=1)
    regular: BoolArray = ~singular & (size < SINGULAR)
    return inverse, regular


def _inside(
    table: FloatArray, pieces: IntArray, which: IntArray, systems: tuple[FloatArray, FloatArray, BoolArray]
) -> IntArray:
    """Rows of `pieces` (R, N) whose solution lies in the region, looked at neuron by neuron: most drop out early."""
    recurrent, driven, regular = systems
    lower, upper, alpha, _ = table.T
    rows = np.flatnonzero(regular[which])
    for i in range(pieces.shape[1]):
        a = np.einsum("rj,rj->r", recurrent[which[rows], i], alpha[pieces[rows]]) + driven[which[rows], i]
        margin, piece = EDGE * (1.0 + np.abs(a)), pieces[rows, i]
        rows = rows[(a >= lower[piece] - margin) & (a <= upper[piece] + margin)]
    return rows


def _solutions(
    f: Activation | ActivationGroup, W: FloatArray, drive: FloatArray, table: FloatArray, pieces: IntArray
) -> tuple[FloatArray, BoolArray]:
    """Return the solutions (M, N) in regions that hold one, and whether they lie on a border, where two may be one."""
    lower, upper, alpha, beta = table[pieces].transpose(2, 0, 1)
    M = np.eye(len(W)) - W * beta[:, None, :]
    a = np.linalg.solve(M, (alpha @ W.T + drive)[:, :, None])[:, :, 0]
    h = alpha + beta * a
    for one, neurons in parts(f, len(W)):
        for place in [kink.location for kink in one.kinks if kink.value_jump]:
            part = a[:, neurons]
            a[:, neurons] = np.where(np.abs(part - place) <= JUMP * (1.0 + np.abs(part)), place, part)
    good = np.max(np.abs(f(a) - h), axis=1, initial=0.0) <= RESIDUAL * (1.0 + np.max(np.abs(h), axis=1, initial=0.0))
    margin = 2.0 * EDGE * (1.0 + np.abs(a))
    border = np.any((a <= lower + margin) | (a >= upper - margin), axis=1)
    return h[good], border[good]
