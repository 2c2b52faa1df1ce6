"""GMRES for a batch of right sides (Y. Saad and M. H. Schultz, SIAM J. Sci. Stat. Comput. 7, 1986).

With a preconditioner it is the flexible variant (Y. Saad, SIAM J. Sci. Comput. 14, 1993), which keeps preconditioned
vectors. The residual is then as small as the small system says, even if rounding makes the preconditioner inexact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ctrnn_theory.support.types import FloatArray

Operator = Callable[[FloatArray], FloatArray]
STALLED = 0.1  # part of the residual that a space leaves, above which there is no further one
EXHAUSTED = 1e-14  # relative length of a new direction, below which it is rounding


def gmres(
    apply: Operator, b: FloatArray, tolerance: float, most: int, cycles: int = 1, precondition: Operator | None = None
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
    precondition
        Roughly the inverse of A, from vectors (B, M) to vectors (B, M).
    """
    x, left, size = np.zeros_like(b), b, np.linalg.norm(b, axis=1)
    goal = tolerance * size
    for _ in range(cycles):
        x = x + krylov(apply, left, goal, most, precondition=precondition)[0]
        left = b - apply(x)
        before, size = size, np.linalg.norm(left, axis=1)
        if np.all((size <= goal) | (size > STALLED * before)):  # rounding allows no more, or the spaces are too small
            break
    return x


def krylov(
    apply: Operator,
    b: FloatArray,
    goal: FloatArray,
    most: int,
    exhausted: float = EXHAUSTED,
    precondition: Operator | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the x (B, M) of Krylov spaces with the least |A x - b|, and A in bases of these spaces, (B, K, K).

    Spaces grow to `most` dimensions, or until all residuals are at the goal (B,) or a new direction has less than the
    part `exhausted` of its vector, which is rounding. The eigenvalues of the second result are the Ritz values of A, or
    of A C with a preconditioner C.
    """
    beta = np.linalg.norm(b, axis=1)
    basis = [b / np.where(beta > 0.0, beta, 1.0)[:, None]]
    directions = basis if precondition is None else []
    H = np.zeros((len(b), most + 1, most))
    for j in range(most):
        if precondition is not None:
            directions.append(precondition(basis[j]))
        w = apply(directions[j])
        size = np.linalg.norm(w, axis=1)
        for i, q in enumerate(basis):
            H[:, i, j] = np.einsum("bm,bm->b", q, w)
            w = w - H[:, i, j, None] * q
        norm = np.linalg.norm(w, axis=1)
        norm = np.where(norm > exhausted * size, norm, 0.0)
        H[:, j + 1, j] = norm
        small, right = H[:, : j + 2, : j + 1], np.zeros((len(b), j + 2))
        right[:, 0] = beta
        y = (np.linalg.pinv(small) @ right[..., None])[..., 0]
        left = np.linalg.norm(right - (small @ y[..., None])[..., 0], axis=1)
        if np.all((left <= goal) | (norm == 0.0)):
            break
        basis.append(np.where(norm > 0.0, 1.0 / np.where(norm > 0.0, norm, 1.0), 0.0)[:, None] * w)
    count = y.shape[1]
    x: FloatArray = np.einsum("jbm,bj->bm", np.array(directions[:count]), y)
    return x, H[:, :count, :count]
