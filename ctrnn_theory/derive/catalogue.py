"""Every derivation by name, for the command line and the page of the theory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ctrnn_theory.derive import kinks, network, preference, sensitivity, small_noise, smoothing
from ctrnn_theory.derive.derivation import Derivation
from ctrnn_theory.derive.symbols import check_site
from ctrnn_theory.support.registry import Registry


def _small_noise(quantity: Any, order: int, site: Any, activation: Any) -> Derivation:
    return small_noise.describe(quantity, order, site, activation)


def _kink(part: Any, order: int, site: Any, activation: Any) -> Derivation:
    return kinks.describe(part, site)


def _preference(quantity: Any, order: int, site: Any, activation: Any) -> Derivation:
    return preference.describe(quantity, site)


def _smoothing(order: int, site: Any, activation: Any) -> Derivation:
    if activation is None:
        raise ValueError("activation must be given for smoothing; got None")
    return smoothing.describe(activation)


def _sensitivity(parameter: str, method: Any, *ignored: Any) -> Derivation:
    return sensitivity.describe(parameter, method)


@dataclass(frozen=True)
class Formula:
    """A formula that can be derived."""

    name: str
    """Name by which it is chosen."""
    summary: str
    """What the formula gives."""
    derive: Callable[[int, Any, Any], Derivation]
    """Derivation from (order, site, activation), of which some formulas need none."""
    specific: bool = False
    """Whether the formula can be written out for one activation."""


FORMULAS: Registry[Formula] = Registry(
    "formula",
    [
        Formula("bias", "bias of one neuron in little noise", partial(_small_noise, "bias"), specific=True),
        Formula("variance", "its stationary variance", partial(_small_noise, "variance"), specific=True),
        Formula("third_cumulant", "its third cumulant", partial(_small_noise, "third_cumulant"), specific=True),
        Formula("network_bias", "bias of a network in little noise, order two", lambda n, s, f: network.describe()),
        Formula("kink_inner", "bias across a kink: the boundary layer", partial(_kink, "inner")),
        Formula("kink_outer", "bias across a kink: away from it", partial(_kink, "outer")),
        Formula("kink_composite", "bias across a kink: both in one formula", partial(_kink, "composite")),
        Formula("kink_scaling", "bias of relu with its fixed point on the kink", partial(_kink, "scaling")),
        Formula("smoothing", "Gaussian smoothing of an activation", _smoothing, specific=True),
        Formula("preferred_loss", "loss against test noise", partial(_preference, "loss")),
        Formula("preferred_level", "noise level of least loss", partial(_preference, "level")),
        Formula(
            "preferred_critical",
            "training noise above which noise is preferred",
            partial(_preference, "critical"),
        ),
        *(
            Formula(
                f"{prefix}_{parameter}",
                f"derivative of the bias in {parameter}, {method.replace('_', ' ')}",
                partial(_sensitivity, parameter, method),
            )
            for prefix, method in (("sensitivity", "mean_field"), ("closure_sensitivity", "gaussian_closure"))
            for parameter in sensitivity.PARAMETERS
        ),
    ],
)
"""The formulas by name."""


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
    formula = FORMULAS.choose(name)
    check_site(site)
    if activation is not None and not formula.specific:
        raise ValueError(f"activation must be left out for {name}, which holds for any; got {activation!r}")
    return formula.derive(order, site, activation)
