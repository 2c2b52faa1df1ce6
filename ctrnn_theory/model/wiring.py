"""What the two forms of a network have in common: how states reach the activation, and how its values reach states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class Wiring:
    """The linear parts of a step, h' = (1-Γ) h + Γ (B y + d) with y = f(U h + c), for N neurons.

    A network in rate form has U = W, c = W_in u + b, B = I and d = 0; one in voltage form has U = I, c = 0, B = W and
    d = W_in u + b.

    Examples
    --------
    >>> net = CTRNN([[0.0, -0.5], [0.5, 0.0]], [0.1, 0.2], "relu", form="voltage")
    >>> wiring = Wiring.of(net)
    >>> wiring.preactivation(np.array([1.0, 2.0])), wiring.target(np.array([1.0, 2.0]))
    (array([1., 2.]), array([-0.9,  0.7]))
    """

    n: int
    """Number of neurons N."""
    U: FloatArray | None
    """Weights (N, N) from states to pre-activations; None is the identity."""
    c: FloatArray
    """Constant part (N,) of the pre-activations."""
    B: FloatArray | None
    """Weights (N, N) from values of the activation to states; None is the identity."""
    d: FloatArray
    """Constant (N,) that is added to them."""
    gamma: FloatArray
    """Diagonal (N,) of Γ, Δt/τ of each neuron."""

    @classmethod
    def of(cls, net: CTRNN, u: ArrayLike | None = None) -> Wiring:
        """Make the wiring of a network under a constant input u (K,) or None."""
        drive, nothing = net.drive(u), np.zeros(net.n)
        if net.form == "voltage":
            return cls(net.n, None, nothing, net.W, drive, net.gammas)
        return cls(net.n, net.W, drive, None, nothing, net.gammas)

    def preactivation(self, h: FloatArray) -> FloatArray:
        """Return α = U h + c, (..., N), of states (..., N)."""
        return (h if self.U is None else h @ self.U.T) + self.c

    def target(self, y: FloatArray) -> FloatArray:
        """Return B y + d, (..., N), which states relax to, of values of the activation (..., N)."""
        return (y if self.B is None else y @ self.B.T) + self.d

    @property
    def read(self) -> FloatArray:
        """U (N, N)."""
        return np.eye(self.n) if self.U is None else self.U

    @property
    def write(self) -> FloatArray:
        """B (N, N)."""
        return np.eye(self.n) if self.B is None else self.B

    def loop(self, slope: FloatArray) -> FloatArray:
        """Return B D U (..., N, N) with D the diagonal of slopes (..., N)."""
        DU = slope[..., :, None] * self.read
        product: FloatArray = DU if self.B is None else self.B @ DU
        return product

    def jacobian(self, slope: FloatArray) -> FloatArray:
        """Return A = 1 - Γ + Γ B D U (..., N, N), the derivative of a step."""
        g = self.gamma
        return np.diag(1.0 - g) + g[:, None] * self.loop(slope)
