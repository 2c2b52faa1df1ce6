"""The boundary layer at a slope jump: noise-induced bias of one neuron with its fixed point within a few σ of a kink.

There the expansion in σ fails and the bias is of order σ. The *inner* formula, within the layer, takes f as two
straight lines; the equations for the moments of h are then closed in σ, and are expanded in γ, the only remaining small
number. The *outer* formula is the expansion in σ². The *composite* is their sum less their common part, and holds
uniformly in a* - k.

Throughout, y = a - k is the distance to the kink, A = a* - k, and the slopes are d on its left and d + Δ on its right.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import sympy as sp

from ctrnn_theory.derive import symbols
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.small_noise import small_noise_bias
from ctrnn_theory.derive.smoothing import a as mean
from ctrnn_theory.derive.smoothing import expectation
from ctrnn_theory.derive.smoothing import s as wide
from ctrnn_theory.derive.smoothing import x as variable
from ctrnn_theory.derive.symbols import Site, V, a, as_site, gamma, plain, s, sigma, w
from ctrnn_theory.support.arguments import choice

Part = Literal["inner", "outer", "composite", "scaling"]
A, d, Delta, J, delta, kappa_3, beta = sp.symbols("A d Delta J delta kappa_3 beta")
y, z, P, Q, p, R = sp.symbols("y z P Q p R")  # z = y/s, P = Φ(z), Q = Φ(-|z|), p = φ(z)
x = sp.Symbol("x")  # a* + w δ
f, slope, bend = (sp.Function(name) for name in ("f", "f1", "f2"))

LAYER = (
    "one neuron, σ the standard deviation per step",
    "f has slope d left and d + Δ right of a kink at k, A = a* - k",
)
STABLE = "h* is stable: w d < 1 and w (d + Δ) < 1"


def kink_bias(part: Part = "composite", site: Site = "inside") -> Any:
    """Return the noise-induced bias δ = E h - h* of one neuron near a kink of f.

    Parameters
    ----------
    part
        "inner" takes f as two straight lines; "outer" is the expansion to order σ² on one side of the kink;
        "composite" joins both, uniformly in a* - k; "scaling" is relu at b = 0, where the bias is proportional to σ, to
        first order in γ.
    site
        "inside" or "outside" the activation, where the noise σ is.

    Returns
    -------
    sympy.Expr or sympy.Eq
        An expression for δ; for noise inside an equation for it, whose abbreviations V, s, ... :func:`describe`
        gives, some of them by equations too. "scaling" with noise inside contains β, the root of β = ψ(w β) with
        ψ(z) = φ(z) + z Φ(z). :func:`~ctrnn_theory.derive.kink_values.kink_bias_value` solves the equations.

    Raises
    ------
    ValueError
        If there is no such part or site.

    Examples
    --------
    >>> kink_bias("scaling", "outside").subs({"w": 0.5, "sigma": 1, "gamma": 0.01}).n(6)
    0.0234109
    >>> kink_bias("inner").lhs
    delta
    """
    result = describe(part, site)
    return result.expression if isinstance(result.expression, sp.Equality) else result.explicit


@remembered
def describe(part: Part = "composite", site: Site = "inside") -> Derivation:
    """Return the derivation of :func:`kink_bias`, with its abbreviations and its assumptions."""
    made = {
        ("inner", "inside"): _inner_inside,
        ("inner", "outside"): _inner_outside,
        ("composite", "inside"): _composite_inside,
        ("composite", "outside"): _composite_outside,
        ("scaling", "inside"): _scaling_inside,
        ("scaling", "outside"): _scaling_outside,
    }
    site = as_site(site)
    choice("part", part, ("inner", "outer", "composite", "scaling"))
    if part == "outer":
        assumptions = (LAYER[0], "a* is many standard deviations from the kink, f1 and f2 are taken on its side")
        return Derivation("kink_outer", "delta", small_noise_bias(2, site), assumptions, "O(σ⁴)")
    return made[part, site]()


# Noise inside: the moments of h, closed in σ and expanded in γ ----------------------------------------------


@cache
def line_moments() -> dict[str, Any]:
    """Return the moments of g = d Y + Δ Y₊, Y ~ N(y, s²), as polynomials in s, y, p, P and Q.

    F1, F2 and F3 are derivatives of F = E g in y; C = Var g and C1 = ∂C/∂y; C3 is the third cumulant of g. "excess" is
    E Y₊ - y₊ and "excess_2" is (E Y₊² - y₊² - s² θ(y))/2, which both vanish away from the kink.
    """
    half = [expectation(variable**n, 0) for n in range(4)]
    whole = [expectation(variable**n) for n in range(4)]
    raw = [d**n * whole[n] + ((d + Delta) ** n - d**n) * half[n] for n in range(4)]  # E gⁿ
    F, C = raw[1], raw[2] - raw[1] ** 2
    beyond = sp.erfc(mean / (sp.sqrt(2) * wide))
    bell = sp.exp(-(mean**2) / (2 * wide**2))

    def short(value: Any, at: Any, tail: Any) -> Any:
        value = value.xreplace({beyond: 2 * tail, bell: sp.sqrt(2 * sp.pi) * p})
        return sp.collect(sp.expand(plain(value).subs({symbols.a: at})), (P, p, Q), sp.factor)

    found = {
        "F1": sp.diff(F, mean),
        "F2": sp.diff(F, mean, 2),
        "F3": sp.diff(F, mean, 3),
        "C": C,
        "C1": sp.diff(C, mean),
        "C3": raw[3] - 3 * raw[2] * F + 2 * F**3,
    }
    moments = {name: short(value, y, 1 - P) for name, value in found.items()}
    moments["excess"] = short(half[1] - mean, sp.Abs(y), Q)
    moments["excess_2"] = -sp.sign(y) * short((whole[2] - half[2]) / 2, sp.Abs(y), Q)  # by reflection
    return moments


NORMAL = {
    "P": sp.erfc(-z / sp.sqrt(2)) / 2,
    "Q": sp.erfc(sp.Abs(z) / sp.sqrt(2)) / 2,
    "p": sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi),
    "z": y / s,
}


def _closed(F1: Any, C: Any) -> dict[str, Any]:
    """Return the equations for the variance and the third cumulant of h, where F1 and C describe the activation.

    One step of v = h - E h is v' = (1 - γ) v + γ (g - E g), with g expanded to second order in v. The mean to order γ²
    requires the variance to that order and the third cumulant to its leading order, which is γ² too.
    """
    m = line_moments()
    drift = w * F1 * V + w**2 * m["F2"] * kappa_3 / 2  # Cov(h, g)
    third = 3 * gamma * R**2 * w**2 * m["F2"] * V**2 + 3 * gamma**2 * R * w * m["C1"] * V + gamma**3 * m["C3"]
    return {
        "V": sp.Eq(V, (1 - gamma) ** 2 * V + 2 * gamma * (1 - gamma) * drift + gamma**2 * C),
        "kappa_3": sp.Eq(kappa_3, third / (1 - R**3)),
        "R": 1 - gamma * (1 - w * F1),
        **NORMAL,
        "s": sp.sqrt(sigma**2 + w**2 * V),
        "y": A + w * delta,
    }


def _inner_inside() -> Derivation:
    m = line_moments()
    straight = d * w * delta + Delta * (sp.Max(y, 0) - sp.Max(A, 0))
    expression = sp.Eq(delta, straight + Delta * m["excess"] + w**3 * m["F3"] * kappa_3 / 6)
    assumptions = (*LAYER, "f is straight on either side, as far as the noise reaches", STABLE)
    return Derivation("kink_inner", "inner", expression, assumptions, "O(γ³)", _closed(m["F1"], m["C"]))


def _composite_inside() -> Derivation:
    """Join E f = f + s² f''/2 of the outer formula with E f of two straight lines; J = f''(k+) - f''(k-)."""
    m = line_moments()
    blocks = Delta * m["excess"] + J * m["excess_2"]
    expression = sp.Eq(delta, f(x) - f(a) + s**2 * bend(x) / 2 + blocks + w**3 * m["F3"] * kappa_3 / 6)
    line = d + Delta * sp.Heaviside(y)
    closed = _closed(slope(x) + m["F1"] - line, s**2 * slope(x) ** 2 + m["C"] - s**2 * line**2)
    assumptions = (
        *LAYER,
        "f1 and f2 are f' and f'', which are smooth except at the kink, where f'' jumps by J",
        "other kinks are many standard deviations away",
        "h* is stable",
    )
    closed["x"] = a + w * delta
    return Derivation("kink_composite", "composite", expression, assumptions, "O(σ³ + γ σ² + γ³ σ)", closed)


def _scaling_inside() -> Derivation:
    """Return the root of the inner equation as γ → 0, plus γ times its derivative; V = γ C/(2 (1 - w F1)) + O(γ²)."""
    m = {name: value.subs({d: 0, Delta: 1}) for name, value in line_moments().items()}
    variance = m["C"] / (2 * (1 - w * m["F1"]))  # V/γ
    first = w**2 * m["F2"] * variance / (2 * (1 - w * m["F1"]))  # E F(y) grows by F2 w² V/2
    root = sp.Eq(beta, (p + z * P))
    names = {"beta": root, "P": NORMAL["P"], "p": NORMAL["p"], "z": w * beta}
    expression = sigma * (beta + gamma * first.subs({s: 1, y: z}))
    assumptions = (LAYER[0], "f is relu, b = 0 and w < 1, noise inside the activation")
    return Derivation("kink_scaling", "delta", expression, assumptions, "O(γ²)", names)


# Noise outside: a density of two Gaussian halves ------------------------------------------------------------


def _inner_outside() -> Derivation:
    """Solve for zero flux on each side of the kink, and join the two densities there.

    On each side y relaxes at a rate λ towards a centre c = λ_A A/λ. The density there is Gaussian with the variance
    γ w² σ²/(λ (2 - γ λ)) of the step. It jumps at the kink, as 2 - γ λ does: to first order in γ the law of the step
    is that of a diffusion with drift g - γ (g g')/2 - γ D g''/4 and diffusion D (1 - γ g'), where g = -λ (y - c).
    With n for the side of A and o for the other side, the mean of both is A + w δ with δ as below; m = (1 - Φ)/φ.
    """
    near, other, k_n, k_o, u_n, u_o, m_o, P_n, p_n = sp.symbols("lambda_n lambda_o k_n k_o u_n u_o m_o P_n p_n")
    right = sp.Heaviside(A, 1)
    unit = sp.sqrt(gamma) * sp.Abs(w) * sigma
    shift = Delta * unit * (1 - u_o * m_o) * p_n / (near * other * (k_n * P_n + k_o * m_o * p_n))
    definitions = {
        "p_n": NORMAL["p"].subs(z, u_n),
        "P_n": NORMAL["P"].subs(z, u_n),
        "m_o": sp.sqrt(sp.pi / 2) * sp.exp(u_o**2 / 2) * sp.erfc(u_o / sp.sqrt(2)),
        "u_n": near * sp.Abs(A) * k_n / unit,
        "u_o": near * sp.Abs(A) * k_o / unit,
        "k_n": sp.sqrt((2 - gamma * near) / near),
        "k_o": sp.sqrt((2 - gamma * other) / other),
        "lambda_n": 1 - w * (d + Delta * right),
        "lambda_o": 1 - w * (d + Delta * (1 - right)),
    }
    assumptions = (
        *LAYER,
        "f is straight on either side, as far as the noise reaches",
        f"w is not 0 (there is no bias then); {STABLE}",
    )
    return Derivation("kink_inner", "delta", shift, assumptions, "O(γ^(5/2))", definitions)


def _composite_outside() -> Derivation:
    inner = _inner_outside()
    smooth = small_noise_bias(2, "outside")
    assumptions = (*LAYER, "f1 and f2 are taken on the side of a*", *inner.assumptions[3:])
    error = "O(γ σ² + γ^(5/2) σ)"
    return Derivation("kink_composite", "delta", inner.expression + smooth, assumptions, error, inner.definitions)


def _scaling_outside() -> Derivation:
    value = _inner_outside().explicit.subs({A: 0, d: 0, Delta: 1})
    assumptions = (LAYER[0], "f is relu, b = 0 and w < 1, noise outside the activation")
    return Derivation("kink_scaling", "delta", sp.simplify(value), assumptions, "O(γ^(5/2))")
