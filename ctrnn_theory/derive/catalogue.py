"""All derivations by name, for the command line and the page of the theory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ctrnn_theory.derive import (
    kesten,
    kinks,
    network,
    network_noise,
    preference,
    readout,
    sensitivity,
    small_noise,
    smoothing,
)
from ctrnn_theory.derive.derivation import Derivation
from ctrnn_theory.derive.symbols import as_site
from ctrnn_theory.support.registry import Registry


def _small_noise(quantity: Any, kind: Any, order: int, site: Any, activation: Any) -> Derivation:
    return small_noise.describe(quantity, order, site, activation, kind)


def _kesten(quantity: Any, order: int, site: Any, activation: Any) -> Derivation:
    return kesten.describe(quantity, site)


def _kink(part: Any, order: int, site: Any, activation: Any) -> Derivation:
    return kinks.describe(part, site)


def _preference(quantity: Any, order: int, site: Any, activation: Any) -> Derivation:
    return preference.describe(quantity, site)


def _readout(quantity: Any, order: int, site: Any, activation: Any) -> Derivation:
    return readout.describe(quantity)


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
    """Derivation from (order, site, activation); some formulas use none of them."""
    specific: bool = False
    """Whether the formula can be written out for one activation."""


CUMULANTS = {
    "bias": "noise-induced bias",
    "variance": "stationary variance",
    "third_cumulant": "third cumulant",
}
ONE_NEURON: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("", "additive", "noise", CUMULANTS),
    ("gain_", "multiplicative", "multiplicative noise", CUMULANTS),
    ("coloured_", "coloured", "coloured noise", CUMULANTS | {"covariance": "covariance of state and noise"}),
)
KESTEN = {
    "moment": "E|A|^p of a random multiplier A, which decides which moments exist under multiplicative noise",
    "half_moment": "E[A^p; A > 0] of a random multiplier, for two slopes",
    "growth": "E log|A| of a random multiplier, which decides whether a law exists",
    "tail": "equation for the tail exponent under multiplicative noise",
    "weak": "tail exponent under weak multiplicative noise",
    "dropout": "equation for the tail exponent under dropout",
}
READOUT = {
    "variance": "variance of a linear readout of neurons under private and common noise, its penalty in training",
    "scale": "factor by which training under common multiplicative noise scales a readout",
    "loss": "loss of a readout trained and tested under common multiplicative noise",
    "loss_intercept": "the same for a readout with an intercept",
}
LABELS = {"mean_field": "mean field", "gaussian_closure": "Gaussian closure"}
FORMULAS: Registry[Formula] = Registry(
    "formula",
    [
        *(
            Formula(
                prefix + quantity,
                f"{text} of one neuron under weak {noise}",
                partial(_small_noise, quantity, kind),
                True,
            )
            for prefix, kind, noise, quantities in ONE_NEURON
            for quantity, text in quantities.items()
        ),
        Formula(
            "network_bias",
            "noise-induced bias of a network under weak noise, to order two",
            lambda n, s, f: network.describe(),
        ),
        Formula(
            "network_bias_any",
            "the same under additive, multiplicative and coloured noise, in rate or voltage form",
            lambda n, s, f: network_noise.describe(),
        ),
        *(Formula(f"kesten_{quantity}", text, partial(_kesten, quantity)) for quantity, text in KESTEN.items()),
        Formula("kink_inner", "noise-induced bias within the boundary layer at a kink", partial(_kink, "inner")),
        Formula("kink_outer", "noise-induced bias away from a kink", partial(_kink, "outer")),
        Formula(
            "kink_composite",
            "noise-induced bias near a kink and away from it, in one formula",
            partial(_kink, "composite"),
        ),
        Formula(
            "kink_scaling", "noise-induced bias of relu with its fixed point on the kink", partial(_kink, "scaling")
        ),
        Formula("smoothing", "Gaussian smoothing of an activation", _smoothing, True),
        Formula("preferred_loss", "loss as a function of the test noise", partial(_preference, "loss")),
        Formula("preferred_level", "noise level of the lowest loss", partial(_preference, "level")),
        Formula(
            "preferred_critical", "training noise above which noise is preferred", partial(_preference, "critical")
        ),
        *(Formula(f"readout_{quantity}", text, partial(_readout, quantity)) for quantity, text in READOUT.items()),
        *(
            Formula(
                f"{prefix}_{parameter}",
                f"derivative of the noise-induced bias in {parameter} by the {LABELS[method]}",
                partial(_sensitivity, parameter, method),
            )
            for prefix, method in (("sensitivity", "mean_field"), ("closure_sensitivity", "gaussian_closure"))
            for parameter in sensitivity.PARAMETERS
        ),
    ],
)
"""The formulas by name."""


def derivation(name: str = "bias", order: int = 4, site: str = "inside", activation: Any = None) -> Derivation:
    """Return a derivation with its assumptions and the order of its error.

    Parameters
    ----------
    name
        One of ``FORMULAS``.
    order
        Highest power of σ, even, for "bias", "variance" and "third_cumulant", and the same of gains and coloured noise.
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
    formula = FORMULAS.choose(name)
    site = as_site(site)
    if activation is not None and not formula.specific:
        raise ValueError(f"activation must be left out for {name}, which holds for any activation; got {activation!r}")
    return formula.derive(order, site, activation)
