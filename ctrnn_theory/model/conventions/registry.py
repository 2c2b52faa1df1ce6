"""The registry of conventions, those of the package and the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as replaced

import numpy as np

from ctrnn_theory.model.conventions.builtin import ENTRIES
from ctrnn_theory.model.conventions.convention import Convention, Conversion, made
from ctrnn_theory.model.network import CTRNN, Form
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.registry import Registry

CONVENTIONS: Registry[Convention] = Registry("convention", ENTRIES)
"""The conventions by name; an entry prints its step."""


def register_convention(
    name: str,
    noise: Conversion,
    *,
    arrays: Mapping[str, str],
    equation: str = "",
    summary: str = "",
    form: Form = "rate",
    sources_in_rows: bool = False,
    gamma: float | None = None,
    activation: str | None = None,
    power: float = 0.0,
    ignored: tuple[str, ...] = (),
    replace: bool = False,
) -> None:
    """Add a convention of one's own, by which :func:`~ctrnn_theory.load_network` reads and `to_arrays` writes.

    Parameters
    ----------
    name
        Name of the convention, a Python identifier that is not yet taken.
    noise
        Function ``noise(net, **own)`` that returns the :class:`~ctrnn_theory.Noise` of a network, whose noise the code
        gives as ``**own``; ``sigma=`` stands for the first of these. It may return ``(network, noise)`` where the noise
        needs neurons of its own.
    arrays
        Name of the array that holds each part: "W", "b", "W_in", "W_out", "b_out", "b_in" for a second bias vector that
        is added to the first, or "kernel" for W_in and W in one matrix, inputs first.
    equation, summary
        The step of the code, which the entry prints, and one line for listings.
    form
        "rate" or "voltage".
    sources_in_rows
        Whether matrices are applied to rows, h W, so that W[i, j] leads from neuron i to neuron j.
    gamma, activation
        γ, if the code has no other, and the activation, if it has a default.
    power
        Exponent p of σ ∝ γ^-p: how the noise per step in our terms grows as the step is made smaller.
    ignored
        Names of arrays that the network does not need.
    replace
        Whether a convention that the user registered under this name is replaced.

    Raises
    ------
    ValueError
        If the name is taken, or an argument is not what is said above.

    Examples
    --------
    >>> def mine(net, s=0.0):
    ...     return Noise(outside=s / net.gamma)
    >>> register_convention("mine", mine, arrays={"W": "J", "b": "bias"}, power=1.0, replace=True)
    >>> CONVENTIONS["mine"].convert(CTRNN.single(w=0.5, gamma=0.1), sigma=0.02)[1]
    Noise: outside 0.2
    >>> CONVENTIONS.remove("mine")
    """
    about = summary or equation.partition("\n")[0]
    fields = {"form": form, "sources_in_rows": sources_in_rows, "gamma": gamma, "activation": activation}
    others = {"summary": about, "equation": equation, "arrays": arrays, "power": power, "ignored": tuple(ignored)}
    CONVENTIONS.add(made(CONVENTIONS, name, noise, replace, **fields, **others), replace)


def halve_step(net: CTRNN, noise: Noise, convention: str | None = None) -> tuple[CTRNN, Noise]:
    """Return the network with half its γ, and the noise that its convention gives it then, the code's own noise fixed.

    Neurons with γ = 1 beside others with less, as those that carry the noise of an nn4n readout, follow at once and
    keep it.

    Parameters
    ----------
    net, noise
        The network and its noise.
    convention
        Name of the convention; that which the network was read by, or "paper", for None.

    Raises
    ------
    NotApplicable
        If the code has no step that could be halved, as with γ = 1.

    Examples
    --------
    >>> halve_step(CTRNN.single(w=0.5, gamma=0.2), Noise(inside=0.1), "multitask")
    (CTRNN: relu, w = 0.5, b = 0, gamma = 0.1, Noise: inside 0.141421)
    """
    chosen = CONVENTIONS.choose(convention or (net.origin.convention if net.origin else "paper"))
    if chosen.gamma is not None:
        raise NotApplicable(f"{chosen.name} has γ = {chosen.gamma:g} and no step to halve")
    grown = {site: 2.0**chosen.power * np.asarray(getattr(noise, site)) for site in SITES}
    gamma = np.asarray(net.gamma)
    half = np.where((gamma == 1.0) & np.any(gamma < 1.0), 1.0, 0.5 * gamma)
    return replaced(net, gamma=half), replaced(noise, **grown)
