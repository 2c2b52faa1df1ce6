"""The loss of a network whose weights are in phase-change memory, against the time since they were programmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.audit.given import given_of
from ctrnn_theory.analysis.devices.chips import Chips
from ctrnn_theory.analysis.devices.memory import PhaseChangeMemory, Programmed
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import check_rng, positive_integer, real_array, shown
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn, counted
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

HOUR, DAY = 3600.0, 86400.0
TIMES = (0.0, 60.0, HOUR, DAY, 30.0 * DAY, 365.0 * DAY)
"""Times in seconds after the first reading, by default: up to a year."""
MATRICES = ("W", "W_in", "W_out")
"""What is in the memory; biases are digital."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Aging(Drawn, picture="aging"):
    """Loss of D chips at T times after their weights were first read."""

    network: CTRNN
    """The network that is programmed."""
    noise: Noise
    """Its noise."""
    memory: PhaseChangeMemory
    """The memory that holds its weights."""
    compensated: bool
    """Whether each matrix is scaled back to its mean size."""
    times: FloatArray
    """Seconds after the first reading (T,)."""
    losses: FloatArray
    """Loss of each chip at each time, (D, T); NaN where it has no stationary law."""
    nominal: float
    """Loss of the network with exact weights."""

    @property
    def mean(self) -> FloatArray:
        """Mean loss (T,) over the chips that have a law; NaN where none has."""
        return np.array([np.mean(column) if column.size else np.nan for column in self._known()])

    @property
    def standard_error(self) -> FloatArray:
        """Standard error of ``mean``, (T,); NaN for fewer than two chips."""
        known = self._known()
        return np.array([np.std(x, ddof=1) / np.sqrt(x.size) if x.size > 1 else np.nan for x in known])

    def _known(self) -> list[FloatArray]:
        return [column[~np.isnan(column)] for column in self.losses.T]

    def _headline(self) -> str:
        way = "with" if self.compensated else "without"
        return (
            f"{self.network.title}; noise {self.noise.title}; {counted(len(self.losses), 'chip')}, {way} compensation"
        )

    def _parts(self, few: int) -> Iterator[str | Table]:
        yield f"memory: {self.memory._headline()}"
        yield f"loss {self.nominal:.5g} with exact weights"
        lost = np.sum(np.isnan(self.losses), axis=0)
        rows = [
            [duration(time), f"{mean:.5g}", f"{error:.1g}", f"{count}" if count else ""]
            for time, mean, error, count in zip(self.times, self.mean, self.standard_error, lost, strict=True)
        ]
        titles = ("time", "mean loss", "standard error", "chips without a law")
        cut = None if lost.any() else -1
        yield Table(titles[:cut], [row[:cut] for row in rows], left=1)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python objects that JSON can hold."""
        return super().to_dict() | {"mean": self.mean.tolist()}

    def _arrays(self) -> Arrays:
        variables = {"losses": (("chip", "time"), self.losses), "mean": ("time", self.mean)}
        return Arrays(variables, {"time": self.times})


def duration(seconds: float) -> str:
    """Return a time in the largest unit in which it is at least one.

    Examples
    --------
    >>> duration(90.0), duration(7200.0), duration(31536000.0)
    ('1.5 min', '2 h', '1 a')
    """
    for unit, size in (("a", 365.0 * DAY), ("d", DAY), ("h", HOUR), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


@guarded
@limited
def aging(
    net: CTRNN,
    noise: Noise,
    inputs: ArrayLike | None,
    targets: ArrayLike,
    times: ArrayLike = TIMES,
    *,
    memory: PhaseChangeMemory | None = None,
    compensate: bool = True,
    devices: int = 20,
    rng: Any = 0,
) -> Aging:
    """Return the loss of a network in phase-change memory against the time since its weights were programmed.

    ``W``, ``W_in`` and ``W_out`` are held by pairs of devices, see :class:`PhaseChangeMemory`: programming leaves an
    error, conductances drift, and readings are noisy. A chip keeps its programming errors and exponents of drift; the
    noise of a reading is new at each time, and stays for as long as the network settles. The loss, ``mean over inputs
    of |E z - y|² + tr Cov z``, is by the Gaussian closure.

    Parameters
    ----------
    net, noise
        Network in rate form, of one activation and one γ, and its additive white noise.
    inputs
        Constant inputs, (K,) or (conditions, K); None for a network without inputs.
    targets
        Outputs that are wanted, (P,) or (conditions, P).
    times
        Seconds after the first reading (T,), at least 0 and ascending.
    memory
        Kind of memory; by default the one that was measured.
    compensate
        Whether each matrix is scaled so that its weights have the mean size that they had when they were programmed.
    devices
        Number of chips.
    rng
        Seed of the chips.

    Raises
    ------
    NotApplicable
        If the network or its noise is of another kind.
    Divergence
        If the network with exact weights has no stationary law.
    ValueError
        If shapes do not fit, or an argument is out of range.

    Examples
    --------
    >>> net = CTRNN([[-0.3, 0.5], [-0.6, 0.1]], [0.1, 0.4], "tanh", W_in=[[1.0], [0.5]], W_out=[[1.0, 0.5]])
    >>> found = aging(net, Noise(0.5), [[0.0], [1.0]], [[0.29], [0.92]], [0.0, 3600.0, 3e7], compensate=False)
    >>> print(found.table())
    tanh, 2 neurons, gamma = 0.1; noise inside 0.5; 20 chips, without compensation
    memory: g_max 25 µS, first reading at 20 s; programming × 1, drift × 1, read × 1
    loss 0.0071045 with exact weights
    time   mean loss  standard error
    0 s    0.0086418          0.0006
    1 h     0.050419           0.003
    347 d    0.18477           0.004
    """
    check_model(net, noise)
    check_rng(rng)
    given, count = given_of(net, inputs, targets, None), positive_integer("devices", devices)
    if not given.constant or given.y is None:
        raise ValueError("inputs must be constant, (K,) or (conditions, K), and have targets")
    memory = PhaseChangeMemory() if memory is None else memory
    if not isinstance(memory, PhaseChangeMemory):
        raise ValueError(f"memory must be a PhaseChangeMemory or None; got {shown(memory)}")
    if not isinstance(compensate, bool):
        raise ValueError(f"compensate must be True or False; got {shown(compensate)}")
    when = real_array("times", times, (None,))
    if np.any(when < 0.0) or np.any(np.diff(when) <= 0.0):
        raise ValueError(f"times must be at least 0 and ascending; got {shown(when.tolist())}")
    u, y, generator = given.u[0], given.y[0], np.random.default_rng(rng)
    exact = Chips.of(net, noise)
    laws = exact.laws(u)
    if not laws.good[0]:
        raise Divergence("W must let the network with exact weights settle in a stable law for every input")
    held = {name: Programmed.of(getattr(exact, name)[0], memory, count, generator) for name in MATRICES}
    chips, near = Chips.of(net, noise, devices=count), laws
    losses = np.full((count, len(when)), np.nan)
    for k, time in enumerate(when.tolist()):
        read: dict[str, Any] = {name: matrix.read(time, generator, compensate) for name, matrix in held.items()}
        aged = replace(chips, **read)
        there = aged.laws(u, near)
        losses[there.good, k] = aged[there.good].losses(there.some(there.good), y)
    return Aging(net, noise, memory, compensate, when, losses, float(exact.losses(laws, y)[0]))
