"""Means and covariances of a batch of Gaussian states, and the sizes that their changes are compared to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.support.types import FloatArray

Real = TypeVar("Real", np.float32, np.float64)
BLOCK = 128  # rows of a symmetric product that are computed at once
MANY = 32  # neurons from which a Cholesky factor is tried before eigenvalues


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and covariance of the Gaussian states of B networks, or of one without the leading axis."""

    mean: FloatArray
    """Means (B, N)."""
    covariance: FloatArray
    """Covariances (B, N, N), symmetric positive semi-definite."""

    @classmethod
    def point(cls, state: FloatArray) -> Moments:
        """Make the states at points (B, N), without fluctuations."""
        return Moments(state, np.zeros((*state.shape, state.shape[-1])))

    def __getitem__(self, which: Any) -> Self:
        """Return the states of some networks; an integer drops the leading axis, and None adds it to one state."""
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))

    def put(self, which: Any, other: Moments) -> None:
        """Overwrite the states of some networks."""
        for field in fields(self):
            getattr(self, field.name)[which] = getattr(other, field.name)

    def copy(self) -> Self:
        """Return states that may be overwritten without a change of these."""
        return type(self)(*(getattr(self, field.name).copy() for field in fields(self)))


def semidefinite(V: FloatArray) -> FloatArray:
    """Return V (..., N, N) made symmetric, with the eigenvalues that rounding left below zero set to zero."""
    V = 0.5 * (V + np.swapaxes(V, -1, -2))
    if V.shape[-1] == 1:
        return np.maximum(V, 0.0)
    if V.shape[-1] >= MANY and (not V.any() or _definite(V)):
        return V
    values, vectors = np.linalg.eigh(V)
    negative = values[..., :1, None] < 0.0
    if not np.any(negative):
        return V
    clipped = (vectors * np.maximum(values, 0.0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    symmetric: FloatArray = np.where(negative, 0.5 * (clipped + np.swapaxes(clipped, -1, -2)), V)
    return symmetric


def _definite(V: FloatArray) -> bool:
    """Return whether all V (..., N, N) have a Cholesky factor, which takes a tenth of the time of eigenvalues."""
    try:
        np.linalg.cholesky(V)
    except np.linalg.LinAlgError:
        return False
    return True


def scales(state: Moments) -> tuple[FloatArray, FloatArray]:
    """Return the sizes (B,) that changes of the means and of the covariances are compared to; infinite for zero."""
    variance = np.max(np.diagonal(state.covariance, axis1=1, axis2=2), axis=1)
    size = np.max(np.abs(state.mean), axis=1) + np.sqrt(np.maximum(variance, 0.0))
    return np.where(size > 0.0, size, np.inf), np.where(variance > 0.0, variance, np.inf)


def relative(mean: FloatArray, covariance: FloatArray, scale: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Return the size (B,) of changes of mean (B, N) and covariance (B, N, N), relative to the scales of the states."""
    total: FloatArray = np.max(np.abs(mean), axis=1) / scale[0] + np.max(np.abs(covariance), axis=(1, 2)) / scale[1]
    return total


def times(A: FloatArray, mean: FloatArray) -> FloatArray:
    """Return A m of each network, (B, N)."""
    product: FloatArray = (A @ mean[..., None])[..., 0]
    return product


def symmetric_product(A: NDArray[Real], B: NDArray[Real]) -> NDArray[Real]:
    """Return A Bᵀ (..., N, N) if it is symmetric: of large products, little more than half is computed.

    Examples
    --------
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> print(symmetric_product(A, A).tolist())
    [[5.0, 11.0], [11.0, 25.0]]
    """
    n, B = A.shape[-2], np.swapaxes(B, -1, -2)
    if n <= BLOCK:
        return A @ B
    product = np.empty((*np.broadcast_shapes(A.shape[:-2], B.shape[:-2]), n, n), dtype=A.dtype)
    for i in range(0, n, BLOCK):
        j = i + BLOCK
        product[..., i:j, :j] = A[..., i:j, :] @ B[..., :j]
        product[..., :i, i:j] = np.swapaxes(product[..., i:j, :i], -1, -2)
    return product


def transform(A: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return A X Aᵀ of each network, (B, N, N)."""
    product: FloatArray = A @ covariance @ np.swapaxes(A, -1, -2)
    return product
