"""Every derivation by name, for the command line and the page of the theory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ctrnn_theory.derive import kinks, network, preference, sensitivity, small_noise, smoothing
from ctrnn_theory.derive.derivation import Derivation
from ctrnn_theory.derive.symbols import check_site
from ctrnn_theory.support.arguments import choice


def _smoothing(order: int, site: Any, activation: Any) -> Derivation:
    if activation is None:
        raise ValueError("activation must be given for smoothing; got None")
    return smoothing.describe(activation)


def _sensitivity(parameter: str, method: Any, *ignored: Any) -> Derivation:
    return sensitivity.describe(parameter, method)


Maker = Callable[[int, Any, Any], Derivation]
FORMULAS: dict[str, tuple[str, Maker]] = {
    "bias": ("bias of one neuron in little noise", lambda n, s, f: small_noise.describe("bias", n, s, f)),
    "variance": ("its stationary variance", lambda n, s, f: small_noise.describe("variance", n, s, f)),
    "third_cumulant": ("its third cumulant", lambda n, s, f: small_noise.describe("third_cumulant", n, s, f)),
    "network_bias": ("bias of a network in little noise, order two", lambda n, s, f: network.describe()),
    "kink_inner": ("bias across a kink: the boundary layer", lambda n, s, f: kinks.describe("inner", s)),
    "kink_outer": ("bias across a kink: away from it", lambda n, s, f: kinks.describe("outer", s)),
    "kink_composite": ("bias across a kink: both in one formula", lambda n, s, f: kinks.describe("composite", s)),
    "kink_scaling": ("bias of relu with its fixed point on the kink", lambda n, s, f: kinks.describe("scaling", s)),
    "smoothing": ("Gaussian smoothing of an activation", _smoothing),
    "preferred_loss": ("loss against test noise", lambda n, s, f: preference.describe("loss", s)),
    "preferred_level": ("noise level of least loss", lambda n, s, f: preference.describe("level", s)),
    "preferred_critical": (
        "training noise above which noise is preferred",
        lambda n, s, f: preference.describe("critical", s),
    ),
} | {
    f"{prefix}_{parameter}": (
        f"derivative of the bias in {parameter}, {method.replace('_', ' ')}",
        partial(_sensitivity, parameter, method),
    )
    for prefix, method in (("sensitivity", "mean_field"), ("closure_sensitivity", "gaussian_closure"))
    for parameter in sensitivity.PARAMETERS
}
"""What each derivation gives, and how it is made from (order, site, activation); some need none of the three."""
SPECIFIC = ("bias", "variance", "third_cumulant", "smoothing")
"""Formulas that can be written out for one activation."""


def derivation(name: str = "bias", order: int = 4, site: str = "in", activation: Any = None) -> Derivation:
    """Return a derivation with its assumptions and the order of its error.

    Parameters
    ----------
    name
        One of ``FORMULAS``.
    order
        Highest power of σ, even, for "bias", "variance" and "third_cumulant".
    site
        "in" for noise inside the activation, "out" for noise outside.
    activation
        What :func:`~ctrnn_theory.activation` takes: the formula is written out for it. Needed for "smoothing",
        possible where `order` counts.

    Raises
    ------
    ValueError
        For an unknown name, order, site or activation.

    Examples
    --------
    >>> print(derivation("bias", order=2, site="out").text().splitlines()[0])
    delta = f2*gamma*sigma**2*w**2/(2*L**2*P2) + O(σ⁴)
    """
    choice("formula", name, FORMULAS)
    check_site(site)
    if activation is not None and name not in SPECIFIC:
        raise ValueError(f"activation must be left out for {name}, which holds for any; got {activation!r}")
    return FORMULAS[name][1](order, site, activation)
