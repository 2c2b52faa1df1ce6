"""Weights of low rank, W = E Dᵀ with few columns, found in any matrix at a small part of the cost of its product."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory.support.types import FloatArray

LEAST = 32
"""Neurons from which a low rank is looked for; below, products with W cost as little."""
SHARE = 4
"""Neurons for each column, at least: products with both factors then take half of the time of one with W, or less."""
BLOCK = 16
"""Columns that the range is probed with at a time."""
SEED = 0x6C6F7772
"""Seed of the probes, which are the same for every matrix, so that its factors are, too."""


class Factors(NamedTuple):
    """Factors of weights W = E Dᵀ of rank R, which may be zero."""

    E: FloatArray
    """Encoders (N, R): what each neuron reads of the latent variables x = Dᵀ h."""
    D: FloatArray
    """Decoders (N, R): the weights with which the neurons make up the latent variables. Columns are orthonormal."""


def low_rank(W: FloatArray, most: int | None = None) -> Factors | None:
    """Return factors of W (N, N) if its rank is low enough for them to pay off, else None.

    The range of W is probed with random columns, sixteen at a time, until they add nothing to it, and None is returned
    once they are more than `most` (Halko, Martinsson and Tropp, arXiv:0909.4061). The singular values of the small
    matrix that is left then give the rank, with those below N ε of the largest taken for zero, as in
    :func:`numpy.linalg.matrix_rank`. What the factors leave of W is computed, and must be as small.

    Parameters
    ----------
    W
        Weights (N, N).
    most
        The largest rank; N/4 by default, and none for fewer than 32 neurons.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> W = rng.standard_normal((64, 3)) @ rng.standard_normal((3, 64))
    >>> found = low_rank(W)
    >>> found.E.shape, bool(np.allclose(found.E @ found.D.T, W))
    ((64, 3), True)
    >>> print(low_rank(rng.standard_normal((64, 64))))
    None
    """
    n = len(W)
    if most is None:
        if n < LEAST:
            return None
        most = n // SHARE
    scale = float(np.max(np.abs(W)))
    if scale == 0.0:
        return Factors(np.zeros((n, 0)), np.zeros((n, 0)))
    W = W / scale
    range_of_W = np.eye(n) if n <= most else _range(W, most)
    if range_of_W is None:
        return None
    left, values, right = np.linalg.svd(range_of_W.T @ W, full_matrices=False)
    small = max(n, BLOCK) * np.finfo(np.float64).eps * values[0]
    rank = int(np.sum(values > small))
    E, D = (range_of_W @ left[:, :rank]) * values[:rank], np.ascontiguousarray(right[:rank].T)
    exact = np.linalg.norm(W - E @ D.T) <= np.sqrt(n) * small  # its largest singular value is `small` or less
    return Factors(scale * E, D) if rank <= most and exact else None


def _range(W: FloatArray, most: int) -> FloatArray | None:
    """Return an orthonormal basis (N, K) of the range of W to rounding, or None if its rank is above `most`."""
    n, draws = len(W), np.random.default_rng(SEED)
    basis, largest = np.zeros((n, 0)), 0.0
    while True:
        probe = W @ draws.standard_normal((n, BLOCK))
        largest = max(largest, float(np.linalg.norm(probe, axis=0).max()))
        for _ in range(2):  # twice is enough for orthogonality
            probe -= basis @ (basis.T @ probe)
        new, triangle = np.linalg.qr(probe)
        fresh = np.abs(np.diag(triangle)) > n * np.finfo(np.float64).eps * largest
        basis = np.append(basis, new, axis=1)
        if not fresh.all():
            return np.asarray(np.linalg.qr(basis)[0])  # again, since the last columns are rounding made large
        if basis.shape[1] > most:
            return None
