"""The spread of the activations of a chip's neurons, and the shapes that one device has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.model.kinds import uniform
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import real_array, shown
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Readable, plain
from ctrnn_theory.support.types import FloatArray

PARAMETERS = ("scale", "gain", "threshold", "offset")
NOMINAL = (1.0, 1.0, 0.0, 0.0)


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Shapes(Readable):
    """Activations ``f_i(x) = s_i f(g_i (x - c_i)) + o_i`` of the neurons of a device, or of many devices."""

    scale: FloatArray
    """s (..., N)."""
    gain: FloatArray
    """g (..., N)."""
    threshold: FloatArray
    """c (..., N)."""
    offset: FloatArray
    """o (..., N)."""

    def __getitem__(self, which: Any) -> Shapes:
        """Return the shapes of some devices."""
        return Shapes(*(getattr(self, name)[which] for name in PARAMETERS))

    def absorbed(self, net: CTRNN, noise: Noise) -> tuple[CTRNN, Noise]:
        """Return the network of the activation f, and its noise, that does what one device (N,) of `net` does.

        With h = s y + o, the state y follows the step of a network of the activation f with

        ::

            W' = diag(g) W diag(s),  b' = g (b + W o - c),  W_in' = diag(g) W_in,  σ_in' = g σ_in,  σ_out' = σ_out / s
            W_out' = W_out diag(s),  b_out' = b_out + W_out o

        so that every method applies to it; its output is that of the device, and :meth:`state` returns h of y.

        Raises
        ------
        NotApplicable
            Unless the network is in rate form, has neurons of one γ and one f, and the noise is additive and white.
        ValueError
            If the shapes are not those of one device of N neurons, or a scale is zero.

        Examples
        --------
        >>> net, noise = CTRNN.single(w=0.5, b=0.1), Noise(inside=0.2)
        >>> device = Shapes(*np.array([[2.0], [1.5], [0.1], [0.3]]))
        >>> there, felt = device.absorbed(net, noise)
        >>> there.W, there.b, felt.inside
        (array([[1.5]]), array([0.225]), array([[0.3]]))
        """
        uniform("devices", net, noise)
        s, g, c, o = (real_array(name, getattr(self, name), (net.n,)) for name in PARAMETERS)
        if not s.all():
            raise ValueError("scale must not be zero")
        changes: dict[str, Any] = {"W": g[:, None] * net.W * s, "b": g * (net.b + net.W @ o - c)}
        if net.W_in is not None:
            changes["W_in"] = g[:, None] * net.W_in
        if net.W_out is not None:
            moved = net.W_out @ o
            changes |= {"W_out": net.W_out * s, "b_out": moved if net.b_out is None else net.b_out + moved}
        inside, outside = g[:, None] * noise.factor("inside", net.n), noise.factor("outside", net.n) / s[:, None]
        return replace(net, **changes), Noise(inside=inside, outside=outside)

    def state(self, y: ArrayLike) -> FloatArray:
        """Return the states h = s y + o (..., N) of the device from those of its absorbed network."""
        h: FloatArray = self.scale * np.asarray(y, dtype=np.float64) + self.offset
        return h

    def _headline(self) -> str:
        shape = self.scale.shape
        devices = f"{shape[0]} devices of " if len(shape) > 1 else ""
        return f"activations s f(g (x - c)) + o of {devices}{shape[-1]} neurons"


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Spread(Readable):
    """Spread of the activations between devices: neurons have ``f_i(x) = s_i f(g_i (x - c_i)) + o_i``.

    The four parameters of each neuron are normal and independent; s and g have the mean one, c and o the mean zero.

    Parameters
    ----------
    scale, gain, threshold, offset
        Standard deviations of s, g, c and o: a number for all neurons, or an array (N,).

    Raises
    ------
    ValueError
        If a standard deviation is negative or not finite, or an array has more than one dimension.

    Examples
    --------
    >>> Spread(scale=0.05, threshold=0.1)
    Spread: scale 0.05 and threshold 0.1
    >>> Spread.of(0.03)
    Spread: scale 0.03, gain 0.03, threshold 0.03 and offset 0.03
    """

    scale: ArrayLike = 0.0
    """Standard deviation of s about 1: scalar or (N,)."""
    gain: ArrayLike = 0.0
    """Standard deviation of g about 1: scalar or (N,)."""
    threshold: ArrayLike = 0.0
    """Standard deviation of c about 0, in units of the argument of f: scalar or (N,)."""
    offset: ArrayLike = 0.0
    """Standard deviation of o about 0, in units of f: scalar or (N,)."""

    def __post_init__(self) -> None:
        for name in PARAMETERS:
            array = real_array(name, getattr(self, name))
            if array.ndim > 1:
                raise ValueError(f"{name} must be a scalar or an array (N,); got shape {array.shape}")
            if np.any(array < 0.0):
                raise ValueError(f"{name} must be at least 0, a standard deviation; got {array.min()}")
            object.__setattr__(self, name, float(array) if array.ndim == 0 else array)

    @classmethod
    def of(cls, relative: float) -> Spread:
        """Return the spread with one standard deviation for all four parameters."""
        return cls(relative, relative, relative, relative)

    def std(self, n: int) -> FloatArray:
        """Return the standard deviations (4, n) of s, g, c and o of n neurons.

        Raises
        ------
        ValueError
            If an array is not of n neurons.
        """
        rows = []
        for name in PARAMETERS:
            array = np.asarray(getattr(self, name), dtype=np.float64)
            if array.ndim and len(array) != n:
                raise ValueError(f"{name} must be one number, or one for each of the {n} neurons; got {len(array)}")
            rows.append(np.broadcast_to(array, (n,)))
        return np.array(rows)

    def scaled(self, level: float) -> Spread:
        """Return the spread with every standard deviation multiplied by a level."""
        return Spread(*(level * np.asarray(getattr(self, name)) for name in PARAMETERS))

    def draw(self, n: int, devices: int, rng: np.random.Generator) -> Shapes:
        """Draw the shapes (devices, n) of devices of n neurons; more devices begin with those of fewer."""
        drawn = np.array(NOMINAL)[:, None] + self.std(n) * rng.standard_normal((devices, len(PARAMETERS), n))
        return Shapes(*np.moveaxis(drawn, 1, 0))

    def to_dict(self) -> dict[str, Any]:
        """Return the four standard deviations as plain Python objects."""
        return {one.name: plain(getattr(self, one.name)) for one in fields(self)}

    def _headline(self) -> str:
        words = list(self._words())
        return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else "none"

    def _words(self) -> Iterator[str]:
        for name in PARAMETERS:
            value = np.asarray(getattr(self, name))
            if np.any(value):
                yield f"{name} {value:g}" if value.ndim == 0 else f"{name} {value.min():.4g} to {value.max():.4g}"


def check_spread(spread: Any, n: int) -> None:
    """Raise a ValueError unless `spread` is a spread that fits n neurons."""
    if not isinstance(spread, Spread):
        raise ValueError(f"spread must be a Spread; got {shown(spread)}")
    spread.std(n)
