"""States that grow until the Gaussian averages of f overflow, which is divergence and not bad input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from numpy.typing import ArrayLike

from ctrnn_theory.activations.gaussian.quadrature import OutOfRange
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.errors import Divergence


@contextmanager
def growth(net: CTRNN, noise: Noise, u: ArrayLike | None = None, start: ArrayLike | None = None) -> Iterator[None]:
    """Raise Divergence where the averages of f overflow in the block, unless they do so at the start state already.

    Examples
    --------
    >>> from ctrnn_theory import predict
    >>> predict(CTRNN.single(1.0, 0.5, "exp(x)", gamma=1.0), Noise(0.5), method="gaussian_closure")
    Traceback (most recent call last):
    ctrnn_theory.support.errors.Divergence: W must keep the state bounded; under noise it passes where f is out of range
    """
    try:
        yield
    except OutOfRange:
        a, s = net.preactivation(net.start_state(start), u), noise.std("inside", net.n)
        net.activation.smoothed_variance(a, s)  # raises a ValueError if f has no moments there
        raise Divergence("W must keep the state bounded; under noise it passes where f is out of range") from None
