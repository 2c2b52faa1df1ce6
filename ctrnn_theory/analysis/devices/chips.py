"""The stationary laws of many devices at once, by the Gaussian closure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.analysis.devices.continued import continued, followed
from ctrnn_theory.analysis.devices.spread import NOMINAL, PARAMETERS, Shapes
from ctrnn_theory.model.kinds import uniform
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.support.types import BoolArray, FloatArray

ENTRIES = 1 << 20  # entries of the covariances that are settled at once


class Laws(NamedTuple):
    """Stationary laws of D devices for C inputs."""

    mean: FloatArray
    """E h (D, C, N)."""
    covariance: FloatArray
    """Cov h (D, C, N, N)."""
    slope: FloatArray
    """Mean slopes of the activations of the devices, (D, C, N)."""
    good: BoolArray
    """Whether the closure settles in a stable law for every input, (D,)."""

    def broadcast(self, devices: int) -> Laws:
        """Return the laws of one device, or of all, as those of so many."""
        parts: list[Any] = [np.broadcast_to(part, (devices, *part.shape[1:])) for part in self]
        return Laws(*parts)

    def some(self, which: Any) -> Laws:
        """Return the laws of some devices."""
        return Laws(*(part[which] for part in self))


@dataclass(frozen=True, eq=False)
class Chips:
    """D networks in hardware: each has its own activations, weights, biases and readout."""

    f: Activation
    """Nominal activation."""
    gamma: float
    """Step over time constant."""
    inside: FloatArray
    """Covariance of the noise inside (N, N)."""
    outside: FloatArray
    """Covariance of the noise outside (N, N)."""
    shapes: Shapes
    """Shapes of the activations (D, N)."""
    W: FloatArray
    """Weights (D, N, N)."""
    b: FloatArray
    """Bias vectors (D, N)."""
    W_in: FloatArray
    """Input weights (D, N, K)."""
    W_out: FloatArray
    """Output weights (D, P, N)."""
    b_out: FloatArray
    """Offsets of the output (D, P)."""

    @classmethod
    def of(cls, net: CTRNN, noise: Noise, shapes: Shapes | None = None, devices: int = 1) -> Self:
        """Make the devices of a network that differ by their shapes (D, N), or `devices` nominal ones.

        Raises
        ------
        NotApplicable
            Unless the network is in rate form, has neurons of one γ and one f, and the noise is additive and white.
        """
        f, gamma = uniform("devices", net, noise)
        n = net.n
        if shapes is None:
            shapes = Shapes(*(np.full((devices, n), value) for value in NOMINAL))
        W_in = np.zeros((n, 0)) if net.W_in is None else net.W_in
        W_out = np.zeros((0, n)) if net.W_out is None else net.W_out
        b_out = np.zeros(len(W_out)) if net.b_out is None else net.b_out
        D = len(shapes.scale)
        arrays = (np.broadcast_to(x, (D, *x.shape)) for x in (net.W, net.b, W_in, W_out, b_out))
        inside, outside = noise.covariance("inside", n), noise.covariance("outside", n)
        return cls(f, gamma, inside, outside, shapes, *arrays)

    def __getitem__(self, which: Any) -> Self:
        """Return some of the devices."""
        names = ("shapes", "W", "b", "W_in", "W_out", "b_out")
        return replace(self, **{name: getattr(self, name)[which] for name in names})

    def quiet(self) -> Self:
        """Return the same devices without noise."""
        return replace(self, inside=np.zeros_like(self.inside), outside=np.zeros_like(self.outside))

    @property
    def size(self) -> int:
        """Number D of devices."""
        return len(self.b)

    def laws(self, u: FloatArray, near: Laws | None = None, follow: bool = True) -> Laws:
        """Return the laws for the inputs u (C, K), to which the devices settle from the state zero.

        With laws of one device or D, they are those near them. A device that has lost the law that it is continued from
        is followed from there to where it settles, unless `follow` is False.
        """
        n = self.b.shape[1]
        step = max(1, ENTRIES // (len(u) * n * n))
        pieces = [slice(first, first + step) for first in range(0, self.size, step)]
        if near is None:
            parts = [self[which]._laws(u, None, follow) for which in pieces]
        else:
            wide = near.broadcast(self.size)
            parts = [self[which]._laws(u, wide.some(which), follow) for which in pieces]
        return Laws(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _laws(self, u: FloatArray, near: Laws | None, follow: bool) -> Laws:
        s, g, c, o = (getattr(self.shapes, name) for name in PARAMETERS)
        (D, n), C = s.shape, len(u)
        ss, gg = s[:, :, None] * s[:, None, :], g[:, :, None] * g[:, None, :]
        drive = g[:, None] * ((self.b - c + np.einsum("dij,dj->di", self.W, o))[:, None] + self._currents(u))
        each = (g[:, :, None] * self.W * s[:, None, :], gg * self.inside, self.outside / ss)
        W, inside, outside = (np.repeat(x, C, axis=0) for x in each)
        closure = GaussianClosure(self.f, W, np.full(D * C, self.gamma), drive.reshape(D * C, n), inside, outside)
        if near is None:
            end, good = followed(closure, Moments.point(np.repeat(-o / s, C, axis=0)))
        else:
            mean, V = (near.mean - o[:, None]) / s[:, None], near.covariance / ss[:, None]
            end, good = continued(closure, Moments(mean.reshape(D * C, n), V.reshape(D * C, n, n)), follow)
        slope = closure.slope(end).reshape(D, C, n) * (s * g)[:, None]
        mean = end.mean.reshape(D, C, n) * s[:, None] + o[:, None]
        V = end.covariance.reshape(D, C, n, n) * ss[:, None]
        return Laws(mean, V, slope, np.array([settled.all() for settled in good.reshape(D, C)]))

    def _currents(self, u: FloatArray) -> FloatArray:
        """Return W_in u (D, C, N)."""
        currents: FloatArray = u @ np.swapaxes(self.W_in, 1, 2)
        return currents

    def outputs(self, laws: Laws) -> FloatArray:
        """Return the mean outputs (D, C, P)."""
        outputs: FloatArray = laws.mean @ np.swapaxes(self.W_out, 1, 2) + self.b_out[:, None]
        return outputs

    def losses(self, laws: Laws, y: FloatArray) -> FloatArray:
        """Return the mean over the inputs of E|z - y|² (D,), for targets y (C, P)."""
        W = self.W_out[:, None]
        variance = np.sum((W @ laws.covariance) * W, axis=(2, 3))
        losses: FloatArray = np.mean(np.sum((self.outputs(laws) - y) ** 2, axis=2) + variance, axis=1)
        return losses
