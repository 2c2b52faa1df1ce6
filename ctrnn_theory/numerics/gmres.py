"""GMRES for a batch of right sides (Y. Saad and M. H. Schultz, SIAM J. Sci. Stat. Comput. 7, 1986)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ctrnn_theory.support.types import FloatArray

STALLED = 0.1  # part of the residual that a space leaves, above which there is no further one
EXHAUSTED = 1e-14  # relative length of a new direction, below which it is rounding


def gmres(
    apply: Callable[[FloatArray], FloatArray], b: FloatArray, tolerance: float, most: int, cycles: int = 1
) -> FloatArray:
    """Solve A x = b for right sides b (B, M) at once, in Krylov spaces of at most `most` dimensions.

    Parameters
    ----------
    apply
        A, from vectors (B, M) to vectors (B, M); each row is treated by itself.
    b
        Right sides, (B, M).
    tolerance
        Residual, relative to b in the Euclidean norm, at which the search ends.
    most, cycles
        Largest dimension of a Krylov space, and number of such spaces, each of which starts from the residual left by
        the one before; there is no further one where one gains less than a digit.
    """
    x, left, size = np.zeros_like(b), b, np.linalg.norm(b, axis=1)
    goal = tolerance * size
    for _ in range(cycles):
        x = x + _in_one_space(apply, left, goal, most)
        left = b - apply(x)
        before, size = size, np.linalg.norm(left, axis=1)
        if np.all((size <= goal) | (size > STALLED * before)):  # rounding allows no more, or the spaces are too small
            break
    return x


def _in_one_space(apply: Callable[[FloatArray], FloatArray], b: FloatArray, goal: FloatArray, most: int) -> FloatArray:
    """Return the x (B, M) of a Krylov space with the least |A x - b|, which ends the space once at the goal (B,)."""
    beta = np.linalg.norm(b, axis=1)
    basis = [_unit(b, beta)]
    H = np.zeros((len(b), most + 1, most))
    for j in range(most):
        w = apply(basis[j])
        size = np.linalg.norm(w, axis=1)
        for i, q in enumerate(basis):
            H[:, i, j] = np.einsum("bm,bm->b", q, w)
            w = w - H[:, i, j, None] * q
        norm = np.linalg.norm(w, axis=1)
        norm[norm <= EXHAUSTED * size] = 0.0
        H[:, j + 1, j] = norm
        small, right = H[:, : j + 2, : j + 1], np.zeros((len(b), j + 2))
        right[:, 0] = beta
        y = (np.linalg.pinv(small) @ right[..., None])[..., 0]
        left = np.linalg.norm(right - (small @ y[..., None])[..., 0], axis=1)
        if np.all((left <= goal) | (norm == 0.0)):
            break
        basis.append(_unit(w, norm))
    x: FloatArray = np.einsum("jbm,bj->bm", np.array(basis[: y.shape[1]]), y)
    return x


def _unit(w: FloatArray, norm: FloatArray) -> FloatArray:
    """Return vectors (B, M) of the norms (B,) divided by those; 0 where the norm is."""
    return np.divide(w, norm[:, None], out=np.zeros_like(w), where=norm[:, None] > 0.0)
