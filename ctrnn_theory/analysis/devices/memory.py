"""Weights in phase-change memory: programming error, drift and read noise of the conductances.

The statistical model is that of `aihwkit.inference.PCMLikeNoiseModel` (IBM Analog Hardware Acceleration Kit 1.2.0). It
was fitted to devices that were measured (S. R. Nandakumar et al., 26th IEEE Int. Conf. on Electronics, Circuits and
Systems, 2019, 727-730).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ctrnn_theory.support.arguments import nonnegative, positive_number
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Readable
from ctrnn_theory.support.types import FloatArray

REFERENCE = 25.0  # conductance in µS at which the programming error was fitted
PROGRAMMING = (0.26348, 1.9650, -1.1731)  # of the powers 0, 1, 2 of the relative conductance, in µS
EXPONENT_MEAN, EXPONENT_MEANS = (0.0244, -0.0155), (0.049, 0.1)  # constant, factor of ln g, and bounds
EXPONENT_STD, EXPONENT_STDS = (-0.0059, -0.0125), (0.008, 0.045)
READ, READ_POWER, READ_LEAST, READ_MOST = 0.0088, 0.65, 1e-3, 0.2
LEAST = 1e-7  # relative conductance below which the logarithm of the exponent's law is cut
LEAST_OUTPUT = 1e-4  # mean size of the weights below which the compensation is cut


@guarded
@dataclass(frozen=True, repr=False)
class PhaseChangeMemory(Readable):
    """Pairs of phase-change devices that hold weights, and what happens to their conductances.

    A matrix is scaled so that its largest weight has the conductance `g_max`. Of each pair, one device holds a positive
    weight and the other a negative one; the other one is programmed to zero. With g the target over `g_max`:

    * programming leaves an error of the standard deviation ``(-1.1731 g² + 1.9650 g + 0.26348) µS × g_max / 25 µS``,
      and no conductance below zero;
    * drift multiplies a conductance by ``(t/t_0)^-ν``, t the time since programming and t_0 the time of the first
      reading; the exponent ν is fixed for each device, the size of a normal number with the mean -0.0155 ln g + 0.0244,
      kept within 0.049 and 0.1, and the standard deviation -0.0125 ln g - 0.0059, kept within 0.008 and 0.045;
    * a reading multiplies it by ``1 + q √(ln((t + t_read) / 2 t_read)) ξ``, q = 0.0088 g^-0.65, at most 0.2, which is
      the 1/f noise that has come together since programming; ξ is new for each reading.

    Parameters
    ----------
    g_max
        Largest conductance, in µS.
    t_0, t_read
        Time from programming to the first reading, and length of a reading, in seconds.
    programming, drift, read
        Factors of the programming error, of the exponents and of the read noise; 0 switches one off.

    Raises
    ------
    ValueError
        If a conductance or a time is not positive, or a factor is negative.

    Examples
    --------
    >>> memory = PhaseChangeMemory()
    >>> memory.programming_std(np.array([0.0, 25.0])).round(5)
    array([0.26348, 1.05538])
    """

    g_max: float = 25.0
    """Largest conductance in µS."""
    t_0: float = 20.0
    """Time of the first reading in seconds."""
    t_read: float = 250e-9
    """Length of a reading in seconds."""
    programming: float = 1.0
    """Factor of the programming error."""
    drift: float = 1.0
    """Factor of the exponents of drift."""
    read: float = 1.0
    """Factor of the read noise."""

    def __post_init__(self) -> None:
        for name in ("g_max", "t_0", "t_read"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))
        for name in ("programming", "drift", "read"):
            object.__setattr__(self, name, nonnegative(name, getattr(self, name)))

    def programming_std(self, target: FloatArray) -> FloatArray:
        """Return the standard deviation of the programming error in µS, for target conductances in µS."""
        g = target / self.g_max
        polynomial = PROGRAMMING[0] + PROGRAMMING[1] * g + PROGRAMMING[2] * g**2
        std: FloatArray = self.programming * np.maximum(polynomial, 0.0) * self.g_max / REFERENCE
        return std

    def programmed(self, target: FloatArray, xi: FloatArray) -> FloatArray:
        """Return the conductances in µS after programming, for standard normal variates of the shape of the targets."""
        conductance: FloatArray = np.maximum(target + self.programming_std(target) * xi, 0.0)
        return conductance

    def exponent_law(self, target: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the normal number whose size is the exponent of drift."""
        log = np.log(np.maximum(np.abs(target) / self.g_max, LEAST))
        mean = np.clip(EXPONENT_MEAN[0] + EXPONENT_MEAN[1] * log, *EXPONENT_MEANS)
        return mean, np.clip(EXPONENT_STD[0] + EXPONENT_STD[1] * log, *EXPONENT_STDS)

    def exponents(self, target: FloatArray, xi: FloatArray) -> FloatArray:
        """Return the exponents ν of drift, for standard normal variates of the shape of the targets."""
        mean, std = self.exponent_law(target)
        exponents: FloatArray = self.drift * np.abs(mean + std * xi)
        return exponents

    def read_std(self, conductance: FloatArray, time: float) -> FloatArray:
        """Return the relative standard deviation of a reading, a time in seconds after the first one.

        `conductance` is that after programming, in µS.
        """
        power = np.maximum((np.abs(conductance) / self.g_max) ** READ_POWER, READ_LEAST)
        t = time + self.t_0
        std: FloatArray = self.read * np.minimum(READ / power, READ_MOST)
        return std * np.sqrt(np.log((t + self.t_read) / (2.0 * self.t_read)))

    def reading(self, conductance: FloatArray, exponents: FloatArray, time: float, xi: FloatArray) -> FloatArray:
        """Return the conductances in µS that are read a time in seconds after the first reading."""
        drifted = conductance * ((time + self.t_0) / self.t_0) ** -exponents
        read: FloatArray = np.maximum(drifted * (1.0 + self.read_std(conductance, time) * xi), 0.0)
        return read

    def _headline(self) -> str:
        factors = ", ".join(f"{name} × {getattr(self, name):g}" for name in ("programming", "drift", "read"))
        return f"g_max {self.g_max:g} µS, first reading at {self.t_0:g} s; {factors}"


class Programmed(NamedTuple):
    """A matrix in the memory of D chips, as it is programmed."""

    memory: PhaseChangeMemory
    """The kind of memory."""
    conductance: FloatArray
    """Conductances after programming, of the devices for positive and for negative weights, (D, 2, ...)."""
    exponents: FloatArray
    """Exponents of their drift (D, 2, ...)."""
    scale: float
    """Weight over conductance, in 1/µS."""

    @classmethod
    def of(cls, matrix: FloatArray, memory: PhaseChangeMemory, devices: int, rng: np.random.Generator) -> Programmed:
        """Program a matrix into the memory of some chips."""
        largest = float(np.max(np.abs(matrix), initial=0.0))
        scale = largest / memory.g_max
        target = np.stack([np.maximum(matrix, 0.0), np.maximum(-matrix, 0.0)]) / (scale or 1.0)
        xi = rng.standard_normal((devices, 2, *target.shape))  # a chip has its own, however many there are
        return cls(memory, memory.programmed(target, xi[:, 0]), memory.exponents(target, xi[:, 1]), scale)

    def weights(self, conductance: FloatArray) -> FloatArray:
        """Return the weights (D, ...) of conductances (D, 2, ...)."""
        weights: FloatArray = self.scale * (conductance[:, 0] - conductance[:, 1])
        return weights

    def read(self, time: float, rng: np.random.Generator, compensate: bool) -> FloatArray:
        """Return the weights (D, ...) that are read a time after the first reading.

        The compensation multiplies all weights of a chip by the factor that restores their mean size; see
        ``GlobalDriftCompensation`` of aihwkit.
        """
        xi = rng.standard_normal(self.conductance.shape)
        weights = self.weights(self.memory.reading(self.conductance, self.exponents, time, xi))
        if not compensate:
            return weights
        first = self._size(self.weights(self.conductance))
        return weights * (first / self._size(weights)).reshape(-1, *(1,) * (weights.ndim - 1))

    @staticmethod
    def _size(weights: FloatArray) -> FloatArray:
        size: FloatArray = np.mean(np.abs(weights), axis=tuple(range(1, weights.ndim)))
        return np.maximum(size, LEAST_OUTPUT)
