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
        return cls.driven(net, net.drive(u))

    @classmethod
    def driven(cls, net: CTRNN, drive: FloatArray) -> Wiring:
        """Make the wiring of a network with the input current W_in u + b (N,)."""
        if net.form == "voltage":
            return cls(net.n, None, np.zeros(net.n), net.W, drive, net.gammas)
        return cls.in_rates(net.W, drive, net.gammas)

    @classmethod
    def in_rates(cls, W: FloatArray, drive: FloatArray, gamma: ArrayLike) -> Wiring:
        """Make the wiring of h' = (1-Γ) h + Γ f(W h + drive), with Γ of one number or of (N,)."""
        n = len(drive)
        return cls(n, W, drive, None, np.zeros(n), np.array(np.broadcast_to(gamma, (n,)), dtype=np.float64))

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

    @property
    def recurrence(self) -> FloatArray:
        """U B (N, N): fixed points solve α = U B f(α) + U d + c. It is W in either form of network."""
        if self.U is None:
            return self.write
        return self.U if self.B is None else self.U @ self.B

    @property
    def current(self) -> FloatArray:
        """U d + c (N,), which is W_in u + b in either form of network."""
        total: FloatArray = (self.d if self.U is None else self.U @ self.d) + self.c
        return total

    def loop(self, slope: FloatArray) -> FloatArray:
        """Return B D U (..., N, N) with D the diagonal of slopes (..., N)."""
        return self._product(np.ones(self.n), slope)

    def jacobian(self, slope: FloatArray) -> FloatArray:
        """Return A = 1 - Γ + Γ B D U (..., N, N), the derivative of a step."""
        return np.diag(1.0 - self.gamma) + self._product(self.gamma, slope)

    def spread(self, C: FloatArray) -> FloatArray:
        """Return Γ B C Bᵀ Γ (N, N), what a covariance C (N, N) of the values adds to that of the states."""
        BC = C if self.B is None else self.B @ C @ self.B.T
        spread: FloatArray = self.gamma[:, None] * BC * self.gamma
        return spread

    def _product(self, scale: FloatArray, slope: FloatArray) -> FloatArray:
        """Return diag(scale) B D U (..., N, N)."""
        if self.B is None:
            product: FloatArray = (scale * slope)[..., :, None] * self.read
            return product
        scaled: FloatArray = scale[:, None] * self.B * slope[..., None, :]
        return scaled if self.U is None else scaled @ self.U
