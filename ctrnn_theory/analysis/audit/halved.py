"""What halving the step does to an audited network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.support.arguments import shown
from ctrnn_theory.support.results import Readable
from ctrnn_theory.support.types import FloatArray

Halve = Callable[[CTRNN, Noise], tuple[CTRNN, Noise]]
"""A function that returns a network and its noise at half the step, as a convention has them."""


@dataclass(frozen=True, eq=False, repr=False)
class StepHalved(Readable):
    """The network at half its step, with the noise that it has there."""

    network: CTRNN
    """The network, of half γ."""
    noise: Noise
    """Its noise."""
    output_bias: FloatArray | None
    """Noise-induced bias of the output, in the shape of that of the audit; None for a network without a readout."""
    size: float
    """Root mean square of the bias of the outputs (of the rates, without a readout), over conditions and time."""
    before: float
    """The same at the whole step."""
    loss: float
    """Loss under this noise; NaN without targets."""

    @property
    def factor(self) -> float:
        """Size of the bias relative to that at the whole step; NaN where that is zero."""
        return self.size / self.before if self.before > 0.0 else np.nan

    def _headline(self) -> str:
        gamma = f"{np.min(self.network.gamma):g}"
        factor = "" if np.isnan(self.factor) else f" (×{self.factor:.3g})"
        loss = "" if np.isnan(self.loss) else f", loss {self.loss:.4g}"
        return f"gamma {gamma}, noise {self.noise.title}: bias {self.before:.4g} becomes {self.size:.4g}{factor}{loss}"


def half_step(net: CTRNN, noise: Noise) -> tuple[CTRNN, Noise]:
    """Return the network and its noise at half the step: standard deviations per step and correlation times stay.

    Examples
    --------
    >>> net, noise = half_step(CTRNN.single(0.5, gamma=0.2), Noise(inside=0.5, rho_inside=0.25))
    >>> net.gamma, noise
    (0.1, Noise: inside 0.5 (rho 0.5))
    """
    rho = {f"rho_{site}": np.sqrt(getattr(noise, f"rho_{site}")) for site in SITES}
    return replace(net, gamma=net.gamma / 2.0), replace(noise, **rho)


def halved(halve: Halve | None, net: CTRNN, noise: Noise) -> tuple[CTRNN, Noise]:
    """Return what `halve` makes of a network and its noise, once it is validated."""
    found = (half_step if halve is None else halve)(net, noise)
    if not isinstance(found, tuple) or [type(part) for part in found] != [CTRNN, Noise]:
        raise ValueError(f"halve must return a network and its noise; got {shown(found)}")
    return found
