"""Devices of a network, as a result that prints on a page and is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.analysis.devices.refit import Refit
from ctrnn_theory.analysis.devices.spread import Shapes, Spread
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import integer
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, Readable, counted, root_mean_square
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import BoolArray, FloatArray


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Over(Readable):
    """Mean and variance of a quantity over devices."""

    mean: FloatArray
    """Mean over devices, of the shape of the quantity."""
    variance: FloatArray
    """Variance over devices."""
    mean_error: FloatArray | None = None
    """Standard error of ``mean``, where devices are sampled; otherwise None."""
    variance_error: FloatArray | None = None
    """Standard error of ``variance``, from the fourth central moment."""

    @classmethod
    def of(cls, values: FloatArray) -> Over:
        """Estimate them from values of D devices, (D, ...)."""
        D = len(values)
        if D < 2:
            none = np.full(values.shape[1:], np.nan)
            return cls(values.mean(axis=0) if D else none, none, none, none)
        mean, variance = values.mean(axis=0), values.var(axis=0, ddof=1)
        fourth = np.mean((values - mean) ** 4, axis=0)
        error = np.sqrt(np.maximum(fourth - variance**2, 0.0) / D)
        return cls(mean, variance, np.sqrt(variance / D), error)

    @property
    def std(self) -> FloatArray:
        """Standard deviation over devices."""
        return np.sqrt(self.variance)

    def _headline(self) -> str:
        return f"mean {_range(self.mean)}, std over devices {_range(self.std)}"


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class OverDevices(Readable):
    """Mean and variance over devices of the state of N neurons for C inputs, and of the loss."""

    fixed_point: Over
    """Noise-free fixed point (C, N)."""
    mean: Over
    """Stationary mean E h (C, N)."""
    bias: Over
    """Noise-induced bias (C, N)."""
    loss: Over | None
    """Loss (); None without targets."""

    def _headline(self) -> str:
        size = root_mean_square(self.bias.mean), float(np.sqrt(np.mean(self.bias.variance)))
        loss = "" if self.loss is None else f"; loss {self.loss.mean:.4g}, its std {self.loss.std:.3g}"
        return f"bias {size[0]:.4g} (root mean square), its std over devices {size[1]:.3g}{loss}"


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Devices(Drawn, picture="devices"):
    """What a spread of the activations does to a network of N neurons with C constant inputs, over D devices."""

    network: CTRNN
    """The nominal network."""
    noise: Noise
    """Its noise."""
    spread: Spread
    """Spread of the activations."""
    inputs: FloatArray
    """Inputs (C, K)."""
    targets: FloatArray | None
    """Targets (C, P), or None."""
    fixed_point: FloatArray
    """Noise-free fixed point of the nominal network (C, N)."""
    bias: FloatArray
    """Its noise-induced bias (C, N)."""
    loss: float
    """Its loss; NaN without targets."""
    linear: OverDevices | None
    """Mean and variance over devices by linear response; None where it does not apply."""
    sampled: OverDevices
    """Mean and variance over the sampled devices, with their standard errors."""
    losses: FloatArray
    """Loss of each sampled device (D,); NaN without targets, or where a device has no stationary law."""
    settled: BoolArray
    """Whether each sampled device has a stationary law for every input, with noise and without, (D,)."""
    shapes: Shapes
    """Activations of the sampled devices (D, N)."""
    refits: tuple[Refit, ...]
    """The losses after a refit."""
    message: str
    """What limits the result; empty if nothing does."""
    seconds: tuple[float, float]
    """Seconds that linear response and sampling took."""

    def device(self, i: int) -> tuple[CTRNN, Noise]:
        """Return the i-th sampled device as a network of the nominal activation and its noise, for any method.

        Its state y gives that of the device by ``found.shapes[i].state(y)``; see :meth:`Shapes.absorbed`.
        """
        count = len(self.losses)
        if integer("i", i) >= count:
            raise ValueError(f"i must be below {count}, the number of devices; got {i}")
        return self.shapes[i].absorbed(self.network, self.noise)

    def _headline(self) -> str:
        return (
            f"{self.network.title}; noise {self.noise.title}; spread of {self.spread._headline()};"
            f" {counted(len(self.losses), 'device')}, {counted(len(self.inputs), 'input')}"
        )

    def _parts(self, few: int) -> Iterator[str | Table]:
        ways = [("linear response", self.linear), ("sampled", self.sampled)]
        rows = [["nominal", *self._sizes(self.fixed_point, self.bias), "", _number(self.loss), ""]]
        for name, over in ways:
            if over is not None:
                rows.append([name, *self._row(over)])
        yield Table(("", "rms fixed point", "rms bias", "rms std of bias", "loss", "std of loss"), rows, left=1)
        for refit in self.refits:
            yield refit._headline()
        if self.message:
            yield self.message

    def _sizes(self, fixed_point: FloatArray, bias: FloatArray) -> list[str]:
        return [f"{root_mean_square(fixed_point):.6g}", f"{root_mean_square(bias):.6g}"]

    def _row(self, over: OverDevices) -> list[str]:
        sizes = self._sizes(over.fixed_point.mean, over.bias.mean)
        spread = f"{np.sqrt(np.mean(over.bias.variance)):.4g}"
        if over.loss is None:
            return [*sizes, spread, "", ""]
        error = "" if over.loss.mean_error is None else f" ± {over.loss.mean_error:.1g}"
        return [*sizes, spread, f"{_number(float(over.loss.mean))}{error}", _number(float(over.loss.std))]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the activations of each device as plain Python objects that JSON can hold."""
        return {name: value for name, value in super().to_dict().items() if name != "shapes"}

    def _arrays(self) -> Arrays:
        where = ("condition", "neuron")
        variables: dict[str, tuple[Any, Any]] = {
            "fixed_point": (where, self.fixed_point),
            "bias": (where, self.bias),
            "losses": ("device", self.losses),
        }
        for way, over in (("linear", self.linear), ("sampled", self.sampled)):
            if over is not None:
                variables[f"{way}_mean"] = (where, over.mean.mean)
                variables[f"{way}_bias_mean"] = (where, over.bias.mean)
                variables[f"{way}_bias_variance"] = (where, over.bias.variance)
        for refit in self.refits:
            variables[f"losses_{refit.name}"] = ("device", refit.losses)
        return Arrays(variables, {})


def _range(values: FloatArray) -> str:
    values = np.asarray(values)
    return f"{values:.4g}" if values.ndim == 0 else f"{values.min():.4g} to {values.max():.4g}"


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.5g}"
