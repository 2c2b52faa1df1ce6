"""What halving the step does to an audited network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ctrnn_theory.model.conventions.registry import halve_step
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.support.results import Readable
from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class StepHalved(Readable):
    """The network at half its step, with the noise that it has there."""

    network: CTRNN | None
    """The network, of half γ; None if its convention has no step to halve."""
    noise: Noise | None
    """Its noise, as its convention has it."""
    output_bias: FloatArray | None
    """Noise-induced bias of the output, in the shape of that of the audit; None for a network without a readout."""
    size: float
    """Root mean square of the bias of the outputs (of the rates, without a readout), over conditions and time."""
    before: float
    """The same at the whole step."""
    loss: float
    """Loss under this noise; NaN without targets."""
    message: str = ""
    """Why there is no network, or what limits the moments; otherwise empty."""

    @property
    def factor(self) -> float:
        """Size of the bias relative to that at the whole step; NaN where that is zero."""
        return self.size / self.before if self.before > 0.0 else np.nan

    def _headline(self) -> str:
        if self.network is None or self.noise is None:
            return self.message
        gamma = f"{np.min(self.network.gamma):g}"
        factor = "" if np.isnan(self.factor) else f" (×{self.factor:.3g})"
        loss = "" if np.isnan(self.loss) else f", loss {self.loss:.4g}"
        remark = f"; {self.message}" if self.message else ""
        moved = f"bias {self.before:.4g} becomes {self.size:.4g}{factor}"
        return f"gamma {gamma}, noise {self.noise.title}: {moved}{loss}{remark}"


def halved(net: CTRNN, noise: Noise, convention: str | None) -> tuple[CTRNN, Noise]:
    """Return a network and its noise at half the step, as a convention has them; correlation times of the noise stay.

    Raises
    ------
    NotApplicable
        If the convention has no step that could be halved.

    Examples
    --------
    >>> net, noise = halved(CTRNN.single(0.5, gamma=0.2), Noise(inside=0.5, rho_inside=0.25), None)
    >>> net.gamma, noise
    (0.1, Noise: inside 0.5 (rho 0.5))
    """
    rho = {f"rho_{site}": np.sqrt(getattr(noise, f"rho_{site}")) for site in SITES}
    other, scaled = halve_step(net, noise, convention)
    return other, replace(scaled, **rho)
