"""A step of a network together with its coloured sources, which is white again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.support.types import FloatArray


@dataclass(frozen=True, eq=False)
class Augmented:
    """A network of N neurons with the states x of its coloured sources as further M - N components of its state g.

    One step is g' = T g + E y + offset + e with y = f(α ∘ (1 + G ξ) + H_x x + i) and α = U h + c, where i (N,) and
    e (M,) are jointly normal, white, and correlated with each other, since a step uses the new x'. A source x has unit
    variance; its factor is part of H and T.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> whole = Augmented.of(net, Noise(inside=2.0, rho_inside=0.6))
    >>> whole.read, whole.transition, whole.inner, whole.shared
    (array([[0.5, 1.2]]), array([[0.9, 0. ],
           [0. , 0.6]]), array([[2.56]]), array([[0.  , 1.28]]))
    """

    wiring: Wiring
    """The linear parts of the network's own step."""
    transition: FloatArray
    """T (M, M)."""
    write: FloatArray
    """E (M, N): Γ B for the neurons, zero for the sources."""
    offset: FloatArray
    """Constant (M,): Γ d for the neurons."""
    read: FloatArray
    """H (N, M): the argument of f is H g + c + i without multiplicative noise."""
    inner: FloatArray
    """Covariance (N, N) of i, the noise inside that is new in a step."""
    outer: FloatArray
    """Covariance (M, M) of e."""
    shared: FloatArray
    """Covariance (N, M) of i with e."""
    rest: FloatArray
    """Covariance (M, M) of g where the network is at a point: one for the sources, which begin stationary."""

    @property
    def size(self) -> int:
        """Number M of components of the state."""
        return len(self.offset)

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, u: ArrayLike | None = None) -> Augmented:
        """Make the step of a network under its noise, with a constant input u (K,) or None."""
        n, wiring = net.n, Wiring.of(net, u)
        g = wiring.gamma
        L_in, rho_in = noise.coloured("inside", n)
        L_out, rho_out = noise.coloured("outside", n)
        rho = np.concatenate([rho_in, rho_out])
        m, first, second = n + len(rho), slice(n, n + len(rho_in)), slice(n + len(rho_in), n + len(rho))
        fresh_in, fresh_out = 1.0 - rho_in**2, 1.0 - rho_out**2
        white_in, white_out = noise.white("inside", n), g[:, None] * noise.white("outside", n)
        gL_out = g[:, None] * L_out
        transition, outer = np.diag(np.concatenate([1.0 - g, rho])), np.zeros((m, m))
        transition[:n, second] = gL_out * rho_out
        outer[:n, :n] = white_out @ white_out.T + (gL_out * fresh_out) @ gL_out.T
        outer[first, first], outer[second, second] = np.diag(fresh_in), np.diag(fresh_out)
        outer[:n, second] = gL_out * fresh_out
        outer[second, :n] = outer[:n, second].T
        read, shared, write = np.zeros((n, m)), np.zeros((n, m)), np.zeros((m, n))
        read[:, :n], read[:, first] = wiring.read, L_in * rho_in
        shared[:, first] = L_in * fresh_in
        write[:n] = g[:, None] * wiring.write
        inner = white_in @ white_in.T + (L_in * fresh_in) @ L_in.T
        rest = np.diag(np.concatenate([np.zeros(n), np.ones(m - n)]))
        offset = np.concatenate([g * wiring.d, np.zeros(m - n)])
        return cls(wiring, transition, write, offset, read, inner, outer, shared, rest)
