"""The noise-induced bias of a network under weak noise to order σ², as matrix expressions."""

from __future__ import annotations

from typing import Any

import sympy
from sympy import HadamardProduct, Identity, Inverse, KroneckerProduct, MatrixSymbol, Symbol
from sympy.matrices.expressions.diagonal import DiagonalOf

from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.support.arguments import shown

N = Symbol("N", integer=True, positive=True)
ASSUMPTIONS = (
    "D = diag f'(a*) and f2 = f''(a*) at a* = W h* + W_in u + b, with h* = f(a*) the fixed point without noise",
    "Sigma_in and Sigma_out are the covariances per step of the noise inside and outside the activation",
    "h* is stable: the eigenvalues of A lie inside the unit circle, and the state stays near it",
    "f is smooth as far as the noise reaches, several standard deviations from a*",
)


def small_noise_bias_network(n: int | None = None) -> Any:
    """Return the noise-induced bias δ = E h - h* of a network to order σ²; the error is of order σ⁴.

    The formula is δ = ½ (I - D W)⁻¹ [f2 ∘ diag(Σ_in + W V Wᵀ)].

    Parameters
    ----------
    n
        Number of neurons. With None it is the symbol N, and the covariance V is defined by the equation in
        ``describe().definitions``. With a number the equation is solved: vec V = (I - A⊗A)⁻¹ γ² vec(D Σ_in D + Σ_out).

    Returns
    -------
    MatrixExpr
        An expression of shape (n, 1) in the matrices W, D = diag f'(a*), Sigma_in and Sigma_out (n, n), the vector
        f2 = f''(a*) (n, 1), and gamma. ``.subs({...}).as_explicit()`` gives numbers, which are exact for rational
        matrices; ``describe(n).lambdified("W", "D", "f2", "Sigma_in", "Sigma_out", "gamma")`` is a NumPy function.

    Raises
    ------
    ValueError
        If n is not an integer of at least 1.

    Examples
    --------
    >>> print(small_noise_bias_network())
    (1/2)*(I - D*W)**(-1)*(HadamardProduct(DiagonalOf(Sigma_in + W*V*W.T), f2))
    >>> values = {"W": 1, "D": sympy.Rational(1, 2), "f2": 1, "Sigma_in": 1, "Sigma_out": 0}
    >>> numbers = {MatrixSymbol(name, 1, 1): sympy.Matrix([[value]]) for name, value in values.items()}
    >>> small_noise_bias_network(1).subs({**numbers, symbols.gamma: 1}).as_explicit()
    Matrix([[4/3]])
    """
    return describe(n).explicit


@remembered
def describe(n: int | None = None) -> Derivation:
    """Return the derivation of :func:`small_noise_bias_network` with its assumptions.

    Examples
    --------
    >>> print(describe().text().split("if")[0])
    delta = (1/2)*(I - D*W)**(-1)*(HadamardProduct(DiagonalOf(Sigma_in + W*V*W.T), f2)) + O(σ⁴)
    where
      V = gamma**2*(D*Sigma_in*D + Sigma_out) + A*V*A.T
      A = gamma*D*W + (1 - gamma)*I
    <BLANKLINE>
    """
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        raise ValueError(f"n must be an integer of at least 1, or None; got {shown(n)}")
    size = N if n is None else n
    W, D, V, inside, outside = (MatrixSymbol(name, size, size) for name in ("W", "D", "V", "Sigma_in", "Sigma_out"))
    f2, gamma, one = MatrixSymbol("f2", size, 1), symbols.gamma, Identity(size)
    step = (1 - gamma) * one + gamma * D * W
    source = gamma**2 * (D * inside * D + outside)
    if n is None:
        A = MatrixSymbol("A", N, N)
        variance = DiagonalOf(inside + W * V * W.T)
        definitions = {"V": sympy.Eq(V, A * V * A.T + source), "A": sympy.Eq(A, step)}
    else:
        S, e = MatrixSymbol("S", n, n * n), MatrixSymbol("e", n * n, 1)
        # vec X, the rows of X one after the other, is (X⊗I) e; S vec X is the diagonal of X
        solution = Inverse(Identity(n * n) - KroneckerProduct(step, step)) * KroneckerProduct(source, one) * e
        variance = S * (KroneckerProduct(inside, one) * e + KroneckerProduct(W, W) * solution)
        definitions = {
            "S": sympy.ImmutableMatrix(n, n * n, lambda i, j: int(j == i * (n + 1))),
            "e": sympy.ImmutableMatrix(n * n, 1, lambda i, _: int(i % (n + 1) == 0)),
        }
    bias = sympy.Rational(1, 2) * Inverse(one - D * W) * HadamardProduct(f2, variance)
    return Derivation("small_noise_bias_network", "delta", bias, ASSUMPTIONS, "O(σ⁴)", definitions)
