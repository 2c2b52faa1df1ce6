"""Derivatives of the Gaussian averages of an activation: its mean, its mean slope, and the covariance of pairs.

For x ~ N(a, S), with q = diag S, the mean F(a; q) obeys the heat equation, ∂F/∂q = F''/2, and the covariance of two
neurons is a function of a_i, q_i, a_j, q_j and p = S_ij alone. With the sums of Mehler's series

    M_αβ = Σ_{n ≥ 1} pⁿ/n! F_i⁽ⁿ⁺ᵅ⁾ F_j⁽ⁿ⁺ᵝ⁾,   E_αβ = F_i⁽ᵅ⁾ F_j⁽ᵝ⁾ + M_αβ = E f_i⁽ᵅ⁾ f_j⁽ᵝ⁾

it is M_00; ∂/∂a_i raises α by one, ∂/∂q_i raises it by two and halves, and ∂M_αβ/∂p = E_(α+1)(β+1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

ORDERS = 100  # terms of Mehler's series at most
NEGLECTED = 1e-10  # two last terms, relative to the largest variance of f, below which the series has converged
LEFT = 1e-7  # the same at the least, after which rounding grows or terms end, above which it has not
PAIRS = ((0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (1, 2), (2, 2), (3, 1))


@dataclass(frozen=True, eq=False)
class Elementwise:
    """A function φ(a, q) of each of N neurons and its derivatives, by which it is expanded to second order."""

    value: FloatArray
    """φ (N,)."""
    a: FloatArray
    """∂φ/∂a (N,)."""
    q: FloatArray
    """∂φ/∂q (N,)."""
    aa: FloatArray
    """∂²φ/∂a² (N,)."""
    aq: FloatArray
    """∂²φ/∂a∂q (N,)."""
    qq: FloatArray
    """∂²φ/∂q² (N,)."""

    @classmethod
    def heated(cls, table: list[FloatArray]) -> Elementwise:
        """Make a function that obeys the heat equation, of its derivatives in a of the orders 0 to 4, (N,) each."""
        return cls(table[0], table[1], 0.5 * table[2], table[2], 0.5 * table[3], 0.25 * table[4])

    def first(self, a: FloatArray, q: FloatArray) -> FloatArray:
        """Return the first derivative (..., N) along a path of first derivatives a and q."""
        return self.a * a + self.q * q

    def second(self, a: tuple[FloatArray, FloatArray], q: tuple[FloatArray, FloatArray]) -> FloatArray:
        """Return the second derivative (..., N) along a path of first and second derivatives a and q."""
        (a1, a2), (q1, q2) = a, q
        bent: FloatArray = self.aa * a1**2 + 2.0 * self.aq * a1 * q1 + self.qq * q1**2
        return bent + self.first(a2, q2)


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Mean, mean slope and covariance of f(x), x ~ N(a, S), with what they are expanded by to second order."""

    mean: Elementwise
    """F."""
    slope: Elementwise
    """F'."""
    variance: Elementwise
    """Var f."""
    M: dict[tuple[int, int], FloatArray]
    """M_αβ (N, N)."""
    E: dict[tuple[int, int], FloatArray]
    """E_αβ (N, N)."""

    @classmethod
    def of(cls, f: Activation, a: FloatArray, S: FloatArray) -> Derivatives:
        """Make those at means a (N,) and covariance S (N, N).

        Raises
        ------
        NotApplicable
            If arguments are so correlated that Mehler's series does not converge, or f² is not an expression.
        """
        s = np.sqrt(np.maximum(np.diag(S), 0.0))
        F = [f.smoothed(a, s, n) for n in range(6)]
        square = _square(f)
        G = [square.smoothed(a, s, n) for n in range(5)]
        variance = Elementwise(
            f.smoothed_variance(a, s),
            G[1] - 2.0 * F[0] * F[1],
            0.5 * G[2] - F[0] * F[2],
            G[2] - 2.0 * (F[1] ** 2 + F[0] * F[2]),
            0.5 * G[3] - F[1] * F[2] - F[0] * F[3],
            0.25 * G[4] - 0.5 * (F[2] ** 2 + F[0] * F[4]),
        )
        M = _series(f, a, S, float(np.max(variance.value)))
        sums = {(1, 1): M[1, 1], (2, 1): M[1, 2].T, (3, 1): M[3, 1], (2, 2): M[2, 2]}
        E = {(i, j): np.outer(F[i], F[j]) + rest for (i, j), rest in sums.items()}
        return cls(Elementwise.heated(F[:5]), Elementwise.heated(F[1:]), variance, M, E)

    def covariance_first(self, a: FloatArray, P: FloatArray) -> FloatArray:
        """Return the first derivative (..., N, N) of the covariance along one of means (..., N) and of S."""
        q, M = _diagonal(P), self.M
        part = M[1, 0] * a[..., None] + 0.5 * M[2, 0] * q[..., None]
        C = part + np.swapaxes(part, -1, -2) + self.E[1, 1] * P
        return _with_diagonal(C, self.variance.first(a, q))

    def covariance_second(self, a: tuple[FloatArray, FloatArray], P: tuple[FloatArray, FloatArray]) -> FloatArray:
        """Return the second derivative (..., N, N) of the covariance along a path."""
        M, E, q = self.M, self.E, (_diagonal(P[0]), _diagonal(P[1]))
        (a1, a2), (q1, q2) = ((x[0][..., None], x[1][..., None]) for x in (a, q))
        part = M[1, 0] * a2 + 0.5 * M[2, 0] * q2 + M[2, 0] * a1**2 + M[3, 0] * a1 * q1 + 0.25 * M[4, 0] * q1**2
        part += P[0] * (2.0 * E[2, 1] * a1 + E[3, 1] * q1) + M[1, 2] * a1 * np.swapaxes(q1, -1, -2)
        both = 2.0 * M[1, 1] * a1 * np.swapaxes(a1, -1, -2) + 0.5 * M[2, 2] * q1 * np.swapaxes(q1, -1, -2)
        C = part + np.swapaxes(part, -1, -2) + both + E[1, 1] * P[1] + E[2, 2] * P[0] ** 2
        return _with_diagonal(C, self.variance.second(a, q))


def _square(f: Activation) -> Activation:
    """Return f², whose averages the variance of f is expanded by."""
    try:
        return activation(f.expression**2)
    except ValueError as error:
        raise NotApplicable(
            f"the linear response of the closure does not take {f.name}: f² is no expression"
        ) from error


def _series(f: Activation, a: FloatArray, S: FloatArray, size: float) -> dict[tuple[int, int], FloatArray]:
    """Return the sums M_αβ (N, N), for variances of f of that size; their diagonals mean nothing."""
    s = np.sqrt(np.maximum(np.diag(S), 0.0))
    scale = np.where(s > 0.0, s, 1.0)
    r = S / np.outer(scale, scale)
    np.fill_diagonal(r, 0.0)
    M = {pair: np.zeros_like(S) for pair in PAIRS}
    power, weight = np.ones_like(r), np.ones_like(s)
    last = least = np.inf
    rows = [f.smoothed(a, s, n) for n in range(1, 5)]
    for n in range(1, ORDERS + 1):
        rows.append(f.smoothed(a, s, n + 4))
        power, weight = power * r, weight * s / np.sqrt(n)
        u = [weight * row for row in rows]
        for i, j in M:
            M[i, j] += power * np.outer(u[i], u[j])
        before, last = last, np.max(np.abs(power * np.outer(u[2] * s**2, u[2] * s**2)))
        pair = max(before, last)  # every other term may be zero
        if pair <= NEGLECTED * size or ((n == ORDERS or pair > least) and least <= LEFT * size):
            return M
        least = min(least, pair)
        rows.pop(0)
    raise NotApplicable(
        "the linear response of the closure does not take arguments of f with a correlation of"
        f" {np.max(np.abs(r)):.2g} between neurons: the series for the covariance of f does not converge"
    )


def _diagonal(P: FloatArray) -> FloatArray:
    return np.diagonal(P, axis1=-2, axis2=-1)


def _with_diagonal(C: FloatArray, diagonal: FloatArray) -> FloatArray:
    """Return matrices (..., N, N) with another diagonal (..., N)."""
    d = np.arange(C.shape[-1])
    C[..., d, d] = diagonal
    return C
