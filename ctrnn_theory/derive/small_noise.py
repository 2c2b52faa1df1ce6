"""Mean, variance and third cumulant of one neuron under weak noise, to any even order in σ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy

from ctrnn_theory.activations import Activation
from ctrnn_theory.activations import activation as as_activation
from ctrnn_theory.derive.derivation import Derivation, remembered
from ctrnn_theory.derive.expansion import COVARIANCE, QUANTITIES, SITES, Kind, Site, as_site, definitions, terms

RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
STRENGTHS = {
    "additive": "σ the standard deviation per step",
    "multiplicative": "1 + g ξ the factor of {} in a step, ξ standard normal",
    "coloured": "z' = ρ z + √(1-ρ²) ξ, σ z' acting in the step with σ its standard deviation",
}
FACTORS = {"inside": "the pre-activation", "outside": "f", "both": "the pre-activation (g_in) and of f (g_out)"}


def small_noise_bias(order: int = 4, site: Site = "inside", activation: Any = None, kind: Kind = "additive") -> Any:
    """Return the noise-induced bias E h - h* of one neuron to order σ^order; the error is of order σ^(order+2).

    It is computed by the moment hierarchy of ``ctrnn_theory.derive.hierarchy``.

    Parameters
    ----------
    order
        Highest power of σ, even and at least 2.
    site
        "inside" or "outside" the activation, where the noise σ is, or "both" for σ_in and σ_out.
    activation
        An activation as :func:`~ctrnn_theory.activation` takes it; None for the general formula.
    kind
        "additive" for white noise that is added; "multiplicative" for white noise g by which the pre-activation
        (inside) or f (outside) is multiplied, 1 + g ξ; "coloured" for additive noise of correlation ρ from one step to
        the next.

    Returns
    -------
    sympy.Expr
        An expression in w, gamma, sigma (or sigma_in and sigma_out) and the derivatives f1, f2, ... of f at
        a* = w h* + b, or in a = a* for a given activation; for multiplicative noise in g (or g_in and g_out), a and
        f0 = f(a*) too, for coloured noise in rho (or rho_in and rho_out). γ = 0, γ = 1, w = 0, ρ = 0 and ρ = 1 can be
        put in directly: nothing has to be cancelled first.

    Raises
    ------
    ValueError
        If the order, the site, the activation or the kind is not one of these.

    Examples
    --------
    A neuron without recurrence, without a leak, and in the limit of small steps:

    >>> small_noise_bias(order=2, site="inside").subs("w", 0)
    f2*sigma**2/2
    >>> small_noise_bias(order=2, site="outside").subs("gamma", 1).factor()
    f2*sigma**2*w**2/(2*(f1*w - 1)**2*(f1*w + 1))
    >>> small_noise_bias(order=2, site="inside").subs("gamma", 0).factor()
    -f2*sigma**2/(2*(f1*w - 1))
    >>> small_noise_bias(order=4, site="inside", activation="exp(x)").subs("w", 0)
    sigma**4*exp(a)/8 + sigma**2*exp(a)/2

    Noise that changes so slowly that the neuron follows it, and a gain that varies from step to step:

    >>> small_noise_bias(order=2, site="inside", kind="coloured").subs("rho", 1).factor()
    -f2*sigma**2/(2*(f1*w - 1)**3)
    >>> small_noise_bias(order=2, site="inside", kind="multiplicative").subs("gamma", 0).factor()
    -a**2*f2*g**2/(2*(f1*w - 1))
    """
    return describe("bias", order, site, activation, kind).explicit


def small_noise_variance(order: int = 4, site: Site = "inside", activation: Any = None, kind: Kind = "additive") -> Any:
    """Return the stationary variance of one neuron to order σ^order; arguments are those of :func:`small_noise_bias`.

    Examples
    --------
    >>> small_noise_variance(order=2, site="outside")
    gamma*sigma**2/((-f1*w + 1)*(-gamma*(-f1*w + 1) + 2))
    """
    return describe("variance", order, site, activation, kind).explicit


def small_noise_third_cumulant(
    order: int = 4, site: Site = "inside", activation: Any = None, kind: Kind = "additive"
) -> Any:
    """Return the third cumulant E (h - E h)³ of one neuron to order σ^order; its first term is of order σ⁴.

    The arguments are those of :func:`small_noise_bias`.

    Examples
    --------
    >>> small_noise_third_cumulant(order=4, site="inside").subs("w", 0).factor()
    3*f1**2*f2*gamma**2*sigma**4/(gamma**2 - 3*gamma + 3)
    """
    return describe("third_cumulant", order, site, activation, kind).explicit


@remembered
def describe(
    quantity: str = "bias",
    order: int = 4,
    site: Site = "inside",
    activation: Any = None,
    kind: Kind = "additive",
) -> Derivation:
    """Return the derivation of the "bias", "variance" or "third_cumulant" with its assumptions.

    For coloured noise at one site there is the "covariance" P of h and the noise as well.

    Examples
    --------
    >>> print(describe("bias", 2, "outside").text().split("if")[0])
    delta = f2*gamma*sigma**2*w**2/(2*L**2*P2) + O(σ⁴)
    where
      P2 = 2 - q
      q = L*gamma
      L = 1 - f1*w
    <BLANKLINE>
    """
    site = as_site(site)
    expression = sympy.Add(*terms(quantity, order, site, kind))
    error = f"O({'g' if kind == 'multiplicative' else 'σ'}{str(order + 2).translate(RAISED)})"
    name = f"small_noise_{quantity}" + (f"_{kind}" if kind != "additive" else "")
    assumptions = _assumptions(site, kind)
    result = Derivation(
        name, (QUANTITIES | COVARIANCE)[quantity], expression, assumptions, error, definitions(expression)
    )
    if activation is None:
        return result
    return replace(result.specialise(activation), assumptions=_assumptions(site, kind, as_activation(activation)))


def _assumptions(site: Site, kind: Kind, f: Activation | None = None) -> tuple[str, ...]:
    if f is None:
        point = "f1, f2, ... are the derivatives of f at a* = w h* + b, with h* = f(a*) the fixed point without noise"
    else:
        point = "a = w h* + b, with h* = f(a) the fixed point without noise"
    if f is None and kind == "multiplicative":
        point = point.replace("f1, f2", "a is a* = w h* + b, and f0, f1, f2").replace("f at a* = w h* + b", "f there")
    slope, here = ("f1", "a*") if f is None else ("f'(a)", "a")
    smooth = f"f is smooth as far as the noise reaches, several standard deviations from {here}"
    if f is not None and f.breakpoints:
        smooth += ": it is not at " + ", ".join(f"{k:g}" for k in f.breakpoints)
    prefix = "" if kind == "additive" else f"{kind} "
    return (
        f"one neuron, {prefix}{SITES[site]}, {STRENGTHS[kind].format(FACTORS[site])}",
        point,
        f"h* is stable, -1 < 1 - γ (1 - w {slope}) < 1, and the state stays near it",
        smooth,
    )
