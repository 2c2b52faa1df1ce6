"""What is known of a convention of another code: its step, the names of its arrays, and its noise in our terms."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ctrnn_theory.model.network import CTRNN, FORMS, Form
from ctrnn_theory.model.noise import Noise, check_gamma
from ctrnn_theory.support.arguments import choice, finite_number, real_array, shown
from ctrnn_theory.support.registry import Registry

PARTS = ("W", "b", "W_in", "W_out", "b_out", "b_in", "kernel")
"""What an array can hold: those of a network, a second bias vector, and W_in and W in one matrix, inputs first."""
Conversion = Callable[..., Noise | tuple[CTRNN, Noise]]
"""``noise(net, **own)``: from a network and the noise in the code's own terms to ours."""


@dataclass(frozen=True, eq=False, repr=False)
class Convention:
    """A convention: how a code names its arrays, what its step is, and what its noise is in our terms."""

    name: str
    """Name by which it is chosen."""
    summary: str
    """One line for listings."""
    equation: str
    """One step of the code, in the symbols of this package, and what its noise is in our terms."""
    noise: Conversion
    """Function ``noise(net, **own)`` that returns the noise in our terms, or a network and its noise."""
    arrays: Mapping[str, str] = field(default_factory=dict)
    """Name of the array that holds each of :data:`PARTS`."""
    form: Form = "rate"
    """Form of the network."""
    sources_in_rows: bool = False
    """Whether a row of a matrix belongs to the neuron that sends, and not to the one that receives."""
    gamma: float | None = None
    """γ, if the code has no other."""
    activation: str | None = None
    """Activation, if the code has a default."""
    power: float = 0.0
    """Exponent p in σ ∝ γ^-p, for σ the noise per step in our terms as the code's own noise stays."""
    ignored: tuple[str, ...] = ()
    """Names of arrays that the network does not need."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why arrays of certain names cannot be read, by a part of the name."""
    settings: Callable[[Any], dict[str, Any]] | None = None
    """Function of a PyTorch module that returns the alpha, activation and noise which the module holds, and as "arrays"
    those that it changes before it runs."""
    builtin: bool = True
    """Whether it is one of the package, and not the user's own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrays", dict(self.arrays))

    @property
    def own(self) -> tuple[str, ...]:
        """Names of the noise in the code's own terms; `sigma` stands for the first, unless it is one of them."""
        return tuple(inspect.signature(self.noise).parameters)[1:]

    def __repr__(self) -> str:
        return f"{self.name}: {self.summary}\n{self.equation}"

    def convert(self, net: CTRNN, sigma: Any = None, given: Mapping[str, Any] | None = None) -> tuple[CTRNN, Noise]:
        """Return a network and its noise in our terms.

        Parameters
        ----------
        net
            The network, as it was read.
        sigma
            The first noise of the code, or None.
        given
            The code's noises by their own names.

        Raises
        ------
        ValueError
            If a name is none of the convention's, or the first noise is given twice.
        """
        own, given = self.own, dict(given or {})
        for name in given:
            if name not in own:
                raise ValueError(f"noise of {self.name} must be among {', '.join(own) or 'none'}; got {name!r}")
        if sigma is not None:
            real_array("sigma", sigma)
            if not own:
                raise ValueError(f"sigma must be None for {self.name}, which has no noise; got {shown(sigma)}")
            name = "sigma" if "sigma" in own else own[0]
            if name in given or (name == "sigma" and own[0] in given):
                raise ValueError(f"sigma must be None where {own[0]} is given; got {shown(sigma)}")
            given[name] = sigma
        found = self.noise(net, **given)
        pair = found if isinstance(found, tuple) else (net, found)
        if len(pair) != 2 or not isinstance(pair[0], CTRNN) or not isinstance(pair[1], Noise):
            raise ValueError(f"noise of {self.name} must return a Noise, or a CTRNN and a Noise; got {shown(found)}")
        pair[1].check(pair[0].n)
        return pair


def made(registry: Registry[Convention], name: Any, noise: Any, replace: bool, **given: Any) -> Convention:
    """Return a convention of the user's own, once its description is checked."""
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"name must be an identifier; got {shown(name)}")
    if name in registry and (registry[name].builtin or not replace):
        rule = "not be one of the package" if registry[name].builtin else "be new unless replace is True"
        raise ValueError(f"name must {rule}; got {name!r}")
    if not callable(noise):
        raise ValueError(f"noise must be a function of a network and the code's noises; got {shown(noise)}")
    if not isinstance(given["arrays"], Mapping):
        raise ValueError(f"arrays must be a mapping from parts to names; got {shown(given['arrays'])}")
    for part in given["arrays"]:
        choice("key of arrays", part, PARTS)
    if not {"W", "kernel"} & set(given["arrays"]):
        raise ValueError(f"arrays must name W, or kernel; got {', '.join(given['arrays']) or 'none'}")
    choice("form", given["form"], FORMS)
    finite_number("power", given["power"])
    if given["gamma"] is not None:
        check_gamma(given["gamma"])
    return Convention(name, noise=noise, builtin=False, **given)
