"""The noise-induced bias of a network in rate or voltage form under weak noise of any kind, as matrix expressions."""

from __future__ import annotations

from typing import Any

import sympy
from sympy import HadamardProduct, Identity, Inverse, KroneckerProduct, MatrixSymbol
from sympy.matrices.expressions.diagonal import DiagonalOf

from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.network import N
from ctrnn_theory.support.arguments import shown

ASSUMPTIONS = (
    "α = U h + c, y = f(α ∘ (1 + G_in ξ) + σ_in ξ' + x_in) ∘ (1 + G_out ξ''),"
    " h' = (1 - Γ) h + Γ (B y + d + σ_out η + x_out): rate form U = W, B = I; voltage form U = I, B = W",
    "Gamma = diag γ, D = diag f'(a), f2 = f''(a) and f0 = f(a) at a = U h* + c, with h* the fixed point without noise",
    "Sigma_in and Sigma_out are the covariances of the white noise, R_in and R_out those of the gains G ξ",
    "C_in and C_out are the stationary covariances of the coloured noise x_in and x_out, of correlations rho_in and"
    " rho_out from one step to the next",
    "h* is stable: the eigenvalues of A lie inside the unit circle, and the state stays near it",
    "f is smooth as far as the noise reaches, several standard deviations from a",
)


def small_noise_bias_network_any(n: int | None = None) -> Any:
    """Return the bias δ = E h - h* of a network to order σ², under additive, multiplicative and coloured noise.

    The formula is δ = ½ (I - B D U)⁻¹ B [f2 ∘ diag S], where S is the covariance of what f is applied to: that of U h,
    of the noise inside, Sigma_in + C_in + R_in ∘ (a aᵀ), and of both together. Noise by which f is multiplied acts
    through the covariance of h alone. The error is of order σ⁴, with gains counted as σ.

    Parameters
    ----------
    n
        Number of neurons. With None it is the symbol N, and the covariance V is defined by the equation in
        ``describe().definitions``. With a number the equation is solved.

    Returns
    -------
    MatrixExpr
        An expression of shape (n, 1) in the matrices U, B, D, Gamma, Sigma_in, Sigma_out, R_in, R_out, C_in and C_out
        (n, n), the vectors a, f0 and f2 (n, 1), and rho_in and rho_out.

    Raises
    ------
    ValueError
        If n is not an integer of at least 1.

    Examples
    --------
    One neuron with a gain inside, γ = 1, f' = ½ and f'' = 1 at a = 2, w = 1:

    >>> import numpy as np
    >>> ones = dict.fromkeys(["U", "B", "Gamma", "f0", "f2"], 1)
    >>> values = {**ones, "D": 0.5, "R_in": 0.25, "a": 2}
    >>> formula = describe(1)
    >>> names = [name for name in formula.symbols if not name.startswith("rho")]
    >>> formula.lambdified(*names, "rho_in", "rho_out")(*(np.array([[values.get(k, 0.0)]]) for k in names), 0.0, 0.0)
    array([[1.33333333]])
    """
    return describe(n).explicit


@remembered
def describe(n: int | None = None) -> Derivation:
    """Return the derivation of :func:`small_noise_bias_network_any` with its assumptions."""
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        raise ValueError(f"n must be an integer of at least 1, or None; got {shown(n)}")
    size = N if n is None else n
    U, B, D, leak, white_in, white_out = (
        MatrixSymbol(name, size, size) for name in ("U", "B", "D", "Gamma", "Sigma_in", "Sigma_out")
    )
    R_in, R_out, C_in, C_out = (MatrixSymbol(name, size, size) for name in ("R_in", "R_out", "C_in", "C_out"))
    V, A, X, P_in, P_out = (MatrixSymbol(name, size, size) for name in ("V", "A", "X", "P_in", "P_out"))
    a, f0, f2 = (MatrixSymbol(name, size, 1) for name in ("a", "f0", "f2"))
    one, rho_in, rho_out = Identity(size), symbols.rho_in, symbols.rho_out
    inside = white_in + HadamardProduct(R_in, a * a.T) + C_in
    rates = D * inside * D + HadamardProduct(R_out, f0 * f0.T)
    source = leak * (B * rates * B.T + white_out + C_out) * leak + X + X.T
    met = inside + rho_in * (U * P_in + P_in.T * U.T)  # what f is applied to, but for U h alone
    definitions: dict[str, Any] = {
        "X": A * (rho_in * P_in * D * B.T + rho_out * P_out) * leak,
        "P_in": Inverse(one - rho_in * A) * leak * B * D * C_in,
        "P_out": Inverse(one - rho_out * A) * leak * C_out,
        "A": one - leak + leak * B * D * U,
    }
    if n is None:
        variance = DiagonalOf(met + U * V * U.T)
        definitions = {"V": sympy.Eq(V, A * V * A.T + source), **definitions}
    else:
        S, e = MatrixSymbol("S", n, n * n), MatrixSymbol("e", n * n, 1)
        # vec Y, the rows of Y one after the other, is (Y⊗I) e; S vec Y is the diagonal of Y
        solution = Inverse(Identity(n * n) - KroneckerProduct(A, A)) * KroneckerProduct(source, one) * e
        variance = S * (KroneckerProduct(met, one) * e + KroneckerProduct(U, U) * solution)
        definitions |= {
            "S": sympy.ImmutableMatrix(n, n * n, lambda i, j: int(j == i * (n + 1))),
            "e": sympy.ImmutableMatrix(n * n, 1, lambda i, _: int(i % (n + 1) == 0)),
        }
    bias = sympy.Rational(1, 2) * Inverse(one - B * D * U) * B * HadamardProduct(f2, variance)
    return Derivation("small_noise_bias_network_any", "delta", bias, ASSUMPTIONS, "O(σ⁴)", definitions)
