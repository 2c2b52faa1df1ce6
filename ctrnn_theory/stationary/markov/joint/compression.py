"""Gaussian quadrature of laws that are given by many points: a few points with the same moments."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.support.types import FloatArray

GONE = 1e-14  # relative size of a vector that rounding has left of zero


def compressed(points: FloatArray, weights: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights (R, count) that average polynomials of degree below 2 count as points (R, Q) do.

    The Lanczos process with diag(points) from √weights builds the Jacobi matrix of the law, whose eigenvalues are the
    nodes (G. H. Golub and J. H. Welsch, Math. Comp. 23, 1969). A law of fewer points is returned as it is, with nodes
    of weight zero beside them.

    Parameters
    ----------
    points, weights
        Points of R laws, and their weights, which sum to one, (R, Q).
    count
        Number of nodes, at most Q.

    Examples
    --------
    >>> x = np.linspace(-1.0, 1.0, 2001)[None]
    >>> nodes, weights = compressed(x, np.full(x.shape, 1 / 2001), 2)
    >>> nodes.round(3), weights
    (array([[-0.578,  0.578]]), array([[0.5, 0.5]]))
    """
    middle = np.sum(weights * points, axis=1)
    x = points - middle[:, None]
    size = np.max(np.abs(x), axis=1)
    basis = np.zeros((len(x), count, x.shape[1]))
    basis[:, 0] = np.sqrt(weights)
    jacobi = np.zeros((len(x), count, count))
    for k in range(count):
        image = x * basis[:, k]
        jacobi[:, k, k] = np.sum(image * basis[:, k], axis=1)
        if k == count - 1:
            break
        for _ in range(2):  # once more, for rounding
            overlap = np.einsum("rkq,rq->rk", basis[:, : k + 1], image)
            image = image - np.einsum("rk,rkq->rq", overlap, basis[:, : k + 1])
        norm = np.linalg.norm(image, axis=1)
        norm[norm <= GONE * size] = 0.0
        jacobi[:, k, k + 1] = jacobi[:, k + 1, k] = norm
        np.divide(image, norm[:, None], out=basis[:, k + 1], where=norm[:, None] > 0.0)
    nodes, vectors = np.linalg.eigh(jacobi)
    shares = vectors[:, 0] ** 2
    return nodes + middle[:, None], shares / np.sum(shares, axis=1, keepdims=True)
