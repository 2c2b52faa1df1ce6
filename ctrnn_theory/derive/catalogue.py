"""All derivations by name, for the command line and the page of the theory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ctrnn_theory.derive import kinks, network, preference, sensitivity, small_noise, smoothing
from ctrnn_theory.derive.derivation import Derivation
from ctrnn_theory.derive.symbols import as_site
from ctrnn_theory.support.arguments import choice


def _smoothing(order: int, site: Any, activation: Any) -> Derivation:
    if activation is None:
        raise ValueError("activation must be given for smoothing; got None")
    return smoothing.describe(activation)


def _sensitivity(parameter: str, method: Any, *ignored: Any) -> Derivation:
    return sensitivity.describe(parameter, method)


LABELS = {"mean_field": "mean field", "gaussian_closure": "Gaussian closure"}
Maker = Callable[[int, Any, Any], Derivation]
FORMULAS: dict[str, tuple[str, Maker]] = {
    "bias": (
        "noise-induced bias of one neuron under weak noise",
        lambda n, s, f: small_noise.describe("bias", n, s, f),
    ),
    "variance": (
        "stationary variance of one neuron under weak noise",
        lambda n, s, f: small_noise.describe("variance", n, s, f),
    ),
    "third_cumulant": (
        "third cumulant of one neuron under weak noise",
        lambda n, s, f: small_noise.describe("third_cumulant", n, s, f),
    ),
    "network_bias": (
        "noise-induced bias of a network under weak noise, to order two",
        lambda n, s, f: network.describe(),
    ),
    "kink_inner": (
        "noise-induced bias within the boundary layer at a kink",
        lambda n, s, f: kinks.describe("inner", s),
    ),
    "kink_outer": ("noise-induced bias away from a kink", lambda n, s, f: kinks.describe("outer", s)),
    "kink_composite": (
        "noise-induced bias near a kink and away from it, in one formula",
        lambda n, s, f: kinks.describe("composite", s),
    ),
    "kink_scaling": (
        "noise-induced bias of relu with its fixed point on the kink",
        lambda n, s, f: kinks.describe("scaling", s),
    ),
    "smoothing": ("Gaussian smoothing of an activation", _smoothing),
    "preferred_loss": ("loss as a function of the test noise", lambda n, s, f: preference.describe("loss", s)),
    "preferred_level": ("noise level of the lowest loss", lambda n, s, f: preference.describe("level", s)),
    "preferred_critical": (
        "training noise above which noise is preferred",
        lambda n, s, f: preference.describe("critical", s),
    ),
} | {
    f"{prefix}_{parameter}": (
        f"derivative of the noise-induced bias in {parameter} by the {LABELS[method]}",
        partial(_sensitivity, parameter, method),
    )
    for prefix, method in (("sensitivity", "mean_field"), ("closure_sensitivity", "gaussian_closure"))
    for parameter in sensitivity.PARAMETERS
}
"""What each derivation gives, and the function of (order, site, activation) that makes it; some use none of them."""
SPECIFIC = ("bias", "variance", "third_cumulant", "smoothing")
"""Formulas that can be written out for one activation."""


def derivation(name: str = "bias", order: int = 4, site: str = "inside", activation: Any = None) -> Derivation:
    """Return a derivation with its assumptions and the order of its error.

    Parameters
    ----------
    name
        One of ``FORMULAS``.
    order
        Highest power of σ, even, for "bias", "variance" and "third_cumulant".
    site
        "inside" or "outside" the activation, where the noise is.
    activation
        An activation as :func:`~ctrnn_theory.activation` takes it, for which the formula is written out. It is
        required for "smoothing", and allowed for the formulas that depend on `order`.

    Raises
    ------
    ValueError
        If the name, order, site or activation is unknown.

    Examples
    --------
    >>> print(derivation("bias", order=2, site="outside").text().splitlines()[0])
    delta = f2*gamma*sigma**2*w**2/(2*L**2*P2) + O(σ⁴)
    """
    choice("formula", name, FORMULAS)
    site = as_site(site)
    if activation is not None and name not in SPECIFIC:
        raise ValueError(f"activation must be left out for {name}, which holds for any activation; got {activation!r}")
    return FORMULAS[name][1](order, site, activation)
