"""A linear readout of noisy neurons: the variance of its output, and what training under common gains does to it.

A neuron that should give x gives y = x (1 + √(2 D_MU) ξ)(1 + √(2 D_MC) ζ) + √(2 D_AU) ξ' + √(2 D_AC) ζ', with ξ and ξ'
private to each neuron, ζ and ζ' common to all.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import sympy as sp

from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.support.arguments import choice

Quantity = Literal["variance", "scale", "loss", "loss_intercept"]
QUANTITIES = {"variance": "Var", "scale": "s", "loss": "L", "loss_intercept": "L"}
D_AU, D_AC, D_MU, D_MC = INTENSITIES = sp.symbols("D_AU D_AC D_MU D_MC")
D_train, D_test, floor, q, mu, beta = sp.symbols("D_train D_test floor q mu beta")
W1, W2, X1, X2 = sp.symbols("W1 W2 X1 X2")
s, t = sp.symbols("s t")
NEURONS = "neurons give x (1 + √(2·D_MU) ξ)(1 + √(2·D_MC) ζ) + √(2·D_AU) ξ' + √(2·D_AC) ζ', ζ and ζ' common to all"
SUMS = "W1 = Σ w, W2 = Σ w², X1 = Σ w x, X2 = Σ w² x²; over times, X1² and X2 are averaged"
COMMON = "all states x become x (1 + √(2·D) ζ), with a common ζ, D = D_train in training and D = D_test in the test"
TRAINED = "the weights have the least expected squared error under the training noise; Cov(x) over times is regular"
WITHOUT = (
    "the readout has no intercept, and s is the factor by which the noise multiplies its weights",
    "floor is its squared error without noise, and q the mean square of its output then",
)
INTERCEPT = (
    "the readout has an intercept; its weights are s w + t Cov(x)⁻¹ ⟨x⟩, with w those that are trained without noise",
    "floor is its squared error without noise, q = wᵀ Cov(x) w the variance in time of its output then, mu = w ⟨x⟩",
    "beta = ⟨x⟩ᵀ Cov(x)⁻¹ ⟨x⟩, which is large where the states nearly span a constant",
)


def readout_noise(quantity: Quantity = "variance") -> Any:
    """Return a formula for a linear readout z = Σ w y + c of neurons under the four kinds of internal noise.

    Parameters
    ----------
    quantity
        "variance" is the variance of z for given x, which is the penalty that noise adds to the training of w; "scale"
        the factor by which training under common multiplicative noise multiplies the weights, without an intercept;
        "loss" the squared error after that training, and "loss_intercept" the same with an intercept.

    Returns
    -------
    sympy.Expr
        For the variance an expression in D_AU, D_AC, D_MU, D_MC and the sums W1 = Σ w, W2 = Σ w², X1 = Σ w x and
        X2 = Σ w² x². For the others, in D_train and D_test of common multiplicative noise, the squared error `floor` of
        the readout that was trained without noise, the mean square q of its output (with an intercept its variance in
        time), and with an intercept also mu = w·⟨x⟩ and beta = ⟨x⟩ᵀ Cov(x)⁻¹ ⟨x⟩.

    Raises
    ------
    ValueError
        If there is no such quantity.

    Examples
    --------
    >>> readout_noise("variance")
    2*D_AC*W1**2 + 2*D_AU*W2 + 2*D_MC*X1**2 + X2*(4*D_MC*D_MU + 2*D_MU)
    >>> readout_noise("scale")
    1/(2*D_train + 1)
    """
    return describe(quantity).explicit


@remembered
def describe(quantity: Quantity = "variance") -> Derivation:
    """Return the derivation of :func:`readout_noise` with its assumptions."""
    choice("quantity", quantity, QUANTITIES)
    name = f"readout_{quantity}"
    if quantity == "variance":
        return Derivation(name, QUANTITIES[quantity], _variance(), (NEURONS, SUMS))
    loss, found = _common(quantity == "loss_intercept")
    about = INTERCEPT if quantity == "loss_intercept" else WITHOUT
    expression, definitions = (found["s"], {}) if quantity == "scale" else (loss, found)
    return Derivation(name, QUANTITIES[quantity], expression, (COMMON, TRAINED, *about), "", definitions)


def mean(expression: Any, normals: Any) -> Any:
    """Return the mean of a polynomial in independent standard normal variables.

    Examples
    --------
    >>> x, y = sp.symbols("x y")
    >>> mean((1 + x * y) ** 2 + x**4 + y, (x, y))
    5
    """
    terms = sp.Poly(sp.expand(expression), *normals).terms()
    return sum(c * sp.prod([0 if k % 2 else sp.factorial2(k - 1) for k in powers]) for powers, c in terms)


@cache
def _variance() -> Any:
    """Sum the covariances of the neurons: Σ_ij w_i w_j of different neurons, and Σ_i w_i² of what one has more."""
    xi, eta, (x_1, x_2) = sp.symbols("xi1:3"), sp.symbols("eta1:3"), sp.symbols("x1:3")
    zeta, theta = sp.symbols("zeta theta")
    au, ac, mu_, mc = (sp.sqrt(2 * D) for D in INTENSITIES)
    y_1, y_2 = (x * (1 + mu_ * xi[i]) * (1 + mc * zeta) + au * eta[i] + ac * theta for i, x in enumerate((x_1, x_2)))
    normals = (*xi, *eta, zeta, theta)
    shared = mean(y_1 * y_2, normals) - x_1 * x_2
    own = mean(y_1**2, normals) - x_1**2 - shared.subs(x_2, x_1)
    pairs, alone = sp.Poly(shared, x_1, x_2), sp.Poly(own, x_1)
    return (
        pairs.coeff_monomial(1) * W1**2
        + pairs.coeff_monomial(x_1 * x_2) * X1**2
        + alone.coeff_monomial(1) * W2
        + alone.coeff_monomial(x_1**2) * X2
    )


@cache
def _common(intercept: bool) -> tuple[Any, dict[str, Any]]:
    """Minimise the training loss under common multiplicative noise; return the test loss, and what it contains.

    The stationary weights are s w_0, and with an intercept s w_0 + t Cov(x)⁻¹ ⟨x⟩, with w_0 those without noise.
    """
    error = floor + (1 - s) ** 2 * q
    square = s**2 * q
    if intercept:  # (w - w_0)ᵀ Cov(x) (w - w_0), and ⟨(w·x)²⟩
        error += t**2 * beta - 2 * (1 - s) * t * mu
        square += 2 * s * t * mu + t**2 * beta + (s * mu + t * beta) ** 2
    unknown = (t, s) if intercept else (s,)
    trained = error + 2 * D_train * square
    (found,) = sp.solve([sp.diff(trained, x) for x in unknown], unknown, dict=True)
    return error + 2 * D_test * square, {str(x): sp.factor(found[x]) for x in unknown}
