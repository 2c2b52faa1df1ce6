"""The planes in which a stationary process turns, and how fast it turns in each of them.

With K = E[(h' - m)(h - m)ᵀ] for states one step apart, K - Kᵀ is the mean angular momentum per step, which is zero
under detailed balance. In a plane with orthonormal axes p and q, let ζ = p·(h - m) + i q·(h - m). Then

    E[ζ' ζ̄] = pᵀKp + qᵀKq + i (qᵀKp - pᵀKq),   E|ζ|² = pᵀCp + qᵀCq.

The *rate* is the imaginary part over E|ζ|², angular momentum over variance, and the *angle* the argument of E[ζ' ζ̄],
the mean phase advance per step, in which large radii count more. A linear step in the plane by r times a rotation by θ
has the rate r sin θ and the angle θ, whatever the covariance of its noise is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ctrnn_theory.support.types import FloatArray

ROUNDING = 1e-9
"""Angular momentum, relative to the largest lagged covariance, below which a plane does not turn."""


class Turning(NamedTuple):
    """How a process turns in Q planes; arrays (..., Q)."""

    rate: FloatArray
    """Mean angular momentum per step over the variance, in radians per step."""
    angle: FloatArray
    """Mean phase advance per step, weighted with the radii, in (-π, π]."""
    variance: FloatArray
    """Variance in the plane, the sum over its two axes."""


def rotation_planes(covariance: FloatArray, lagged: FloatArray, count: int) -> FloatArray:
    """Return orthonormal axes (Q, 2, N) of the planes with the largest angular momentum, of which there are Q ≤ count.

    They are the planes of the real Schur form of K - Kᵀ, and the process turns from the first axis to the second. The
    first is that of the larger variance, with its largest entry positive.

    Parameters
    ----------
    covariance, lagged
        C and K (N, N).
    count
        Largest number of planes; those that do not turn are left out.

    Examples
    --------
    >>> turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> print(rotation_planes(np.diag([2.0, 1.0]), 0.9 * turn @ np.diag([2.0, 1.0]), 1).round(6) + 0.0)
    [[[1. 0.]
      [0. 1.]]]
    """
    values, vectors = np.linalg.eigh(1j * (lagged - lagged.T))  # pairs ±λ, with conjugate eigenvectors
    found = [k for k in np.argsort(-values, kind="stable")[:count] if values[k] > ROUNDING * np.max(np.abs(lagged))]
    return np.array([_axes(vectors[:, k], covariance) for k in found]).reshape(len(found), 2, len(lagged))


def _axes(vector: FloatArray, covariance: FloatArray) -> FloatArray:
    """Return the axes (2, N) of the plane of a complex eigenvector (N,)."""
    p, q = np.sqrt(2.0) * vector.real, np.sqrt(2.0) * vector.imag
    pair = np.stack([p, q])  # i (K - Kᵀ) v = λ v with λ > 0 turns from the real part to the imaginary one
    turned = np.linalg.eigh(pair @ covariance @ pair.T)[1][:, ::-1].T
    if np.linalg.det(turned) < 0.0:
        turned[1] *= -1.0
    axes: FloatArray = turned @ pair
    return axes * np.sign(axes[0, np.argmax(np.abs(axes[0]))])


def turning(planes: FloatArray, covariance: FloatArray, lagged: FloatArray) -> Turning:
    """Return rate, angle and variance (..., Q) in planes (Q, 2, N), from C and K (..., N, N).

    Examples
    --------
    >>> turn = 0.9 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    >>> found = turning(np.eye(2)[None], np.diag([2.0, 1.0]), turn @ np.diag([2.0, 1.0]))
    >>> print(found.rate.round(6), found.angle.round(6), 0.9 * np.sin(0.3).round(6))
    [0.265968] [0.3] 0.265968
    """
    inside = planes @ lagged[..., None, :, :] @ np.swapaxes(planes, -1, -2)
    momentum = inside[..., 1, 0] - inside[..., 0, 1]
    along = np.trace(inside, axis1=-2, axis2=-1)
    variance = np.trace(planes @ covariance[..., None, :, :] @ np.swapaxes(planes, -1, -2), axis1=-2, axis2=-1)
    rate = np.divide(momentum, variance, out=np.zeros_like(momentum), where=variance > 0.0)
    return Turning(rate, np.arctan2(momentum, along), variance)
