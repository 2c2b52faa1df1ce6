"""The map of the Gaussian closure that fits a network and its noise."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ctrnn_theory.model.kinds import kinds
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.augmented_step import AugmentedClosure
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure


def closure_of(net: CTRNN, noise: Noise, u: ArrayLike | None = None) -> GaussianClosure | AugmentedClosure:
    """Return the map for one network: that of white rate networks where it applies, which is the faster one.

    Its states begin as :meth:`begin` makes them of the neurons' own, and have those of coloured sources behind them.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5)
    >>> type(closure_of(net, Noise(0.5))).__name__, type(closure_of(net, Noise(0.5, rho_inside=0.5))).__name__
    ('GaussianClosure', 'AugmentedClosure')
    """
    if any(kinds(net, noise)):
        return AugmentedClosure.of(net, noise, u)
    return GaussianClosure.of(net, noise, u)
