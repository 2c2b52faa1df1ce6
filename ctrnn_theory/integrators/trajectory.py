"""Simulating trajectories of a network and recording their paths."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.integrators import store
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import positive_integer, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.claim import claimed
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.memory import shortage
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.results import Arrays, Drawn, counted, neuron_table
from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

CHUNK_BYTES, SECONDS = 1 << 26, 1.0
"""Recorded bytes, and seconds, after which a run is kept: what is lost if it is cut off."""
WORK = 1e7
"""Number of operations in the first chunk, which take less than these seconds."""
FASTER = 10
"""Largest factor between the steps of a chunk and those of the one before."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Path(Drawn, picture="path"):
    """Result of :func:`simulate`: T recorded times of M trajectories of N neurons."""

    time: FloatArray
    """Times (T,) in units of τ, of the longest one if neurons differ; a step lasts γ, and the first time is 0."""
    h: FloatArray
    """States (T, M, N); the first are the start states. Those from a folder are mapped and read-only."""
    network: CTRNN
    """The network."""

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Path:
        """Open the folder of a run that :func:`simulate` recorded.

        If the run was cut off, or is still going on, the path has the times that are kept so far. All states are read
        once and compared with their checksum.

        Raises
        ------
        ValueError
            If the folder holds no such run, or a damaged one.
        """
        found = Folder(folder, store.KIND)
        record = store.read(found)
        if record is None or record.rows == 0:
            lacks = store.KIND.record if record is None else "states yet"
            raise ValueError(f"folder must hold a run with its start; {found.place} has no {lacks}")
        net = CTRNN.load(found.place / store.NET, sys.maxsize)
        store.check_network(found, record, net)
        store.verify(found, record)
        return _from_folder(found, record, net)

    @property
    def output(self) -> FloatArray:
        """Outputs z = W_out h + b_out, (T, M, P).

        Raises
        ------
        ValueError
            If the network has no readout.
        """
        return self.network.output(self.h)

    def _headline(self) -> str:
        return (
            f"{counted(len(self.time), 'time')} from 0 to {self.time[-1]:.4g}, "
            f"{counted(self.h.shape[1], 'trajectory', 'trajectories')}; {self.network.title}"
        )

    def _parts(self, few: int) -> Iterator[str | Table]:
        yield f"over the trajectories at time {self.time[-1]:.4g}:"
        with np.errstate(all="ignore"):  # a state may have grown beyond the range of numbers
            yield neuron_table({"mean": self.h[-1].mean(axis=0), "std": self.h[-1].std(axis=0)}, few)

    def _arrays(self) -> Arrays:
        return Arrays({"h": (("time", "trajectory", "neuron"), self.h)}, {"time": self.time})


@guarded
@limited
def simulate(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    steps: int = 1000,
    trajectories: int = 1,
    record_every: int = 1,
    start: ArrayLike | None = None,
    rng: object = 0,
    workers: int | Callable[..., Any] | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Simulate trajectories of a network and record them.

    A step is ``h' = (1-γ) h + γ (f(W h + W_in u + b + σ_in ξ) + σ_out η)``, with ξ and η standard normal, independent
    between steps and between trajectories; :class:`~ctrnn_theory.CTRNN` and :class:`~ctrnn_theory.Noise` have those of
    the other kinds. Coloured noise begins in its stationary law. A state that grows without bound is recorded as it is;
    beyond the range of floating-point numbers it is NaN.

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise; σ is the standard deviation per step.
    u
        Input: None, (K,) if it is constant, or (steps, K), a row for each step.
    steps
        Number of Euler–Maruyama steps.
    trajectories
        Number M of trajectories. The numbers of one trajectory do not depend on M.
    record_every
        Number of steps between recorded states.
    start
        Start state (N,) of every trajectory, or (M, N), one for each; None for zero.
    rng
        int, SeedSequence, Generator, or None for fresh entropy. The same int gives the same numbers.
    workers
        Number of threads, None for one for each core; or a function like ``map`` that makes its calls in this process.
        The numbers do not depend on it.
    out
        Folder to record to, instead of memory, for runs that are long or large: `h.npy` holds the states, `run.json`
        what decides them, `net.npz` the network, and `noise.json` the noise. :meth:`Path.load` opens it again.
    resume
        Whether to go on with the run in `out` from where it was cut off, after the last rows that were kept; the
        numbers are those of a run without a cut. A finished run is returned as it is, and a run begins if there is
        none. With ``rng=None`` the variates are those of the run in `out`.
    progress
        Called with (done, total, text) after each chunk of recorded times: their number so far, T, and no text.

    Returns
    -------
    Path
        The path has T = steps // record_every + 1 recorded times, including the start.

    Raises
    ------
    ValueError
        If a count is no positive integer, if an input has a shape that does not fit, or if the record does not fit
        into memory. If `out` holds something and is not to be resumed, or a run of other settings, which are named, or
        if another process writes to it.
    OSError
        If the disk of `out` is full.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> path = simulate(net, Noise(inside=0.5), steps=2000, trajectories=50, record_every=100, rng=0)
    >>> path.h.shape
    (21, 50, 1)
    >>> bool(abs(path.h[-10:].mean() - 0.377) < 0.02)
    True
    """
    check_model(net, noise)
    report = reporter(progress)
    steps, every = positive_integer("steps", steps), positive_integer("record_every", record_every)
    trajectories = positive_integer("trajectories", trajectories)
    begin = None if start is None else real_array("start", start)
    drive, alike = drive_rows(net, u, steps), begin is None or begin.ndim < 2
    ensemble = Ensemble(net, noise, drive, begin if alike else None, trajectories, rng, workers)
    if begin is not None and not alike:
        ensemble.place(real_array("start", begin, (trajectories, net.n)))
    shape = (steps // every + 1, trajectories, net.n)
    if out is not None:
        with claimed(out, store.KIND, resume) as folder:
            found = store.read(folder)
            if found is not None and rng is None:
                ensemble.use(found.key)
            settings = store.settings(net, ensemble, steps, every, trajectories)
            if found is not None:
                folder.check_same(found.settings, {**dict.fromkeys(found.settings), **settings}, store.HIDDEN)
                store.verify(folder, found)
            return _record_to(folder, net, ensemble, found or store.Record(shape, settings, 0), report)
    if resume:
        raise ValueError("resume must come with out; got resume alone")
    if short := shortage(8.0 * math.prod(shape)):
        raise ValueError(f"out must name a folder for a record that does not fit into memory; got None: {short}")
    h = np.empty(shape)
    h[0] = ensemble.states[:trajectories]
    for chunk in _chunks(ensemble, shape, every, h):
        if len(chunk.rows):
            report(ensemble.steps // every + 1, len(h), "")
    return Path(_times(len(h), every, net), h, net)


class _Chunk(NamedTuple):
    """A part of a run, after which what was recorded is kept."""

    steps: int
    """Number of steps in the chunk."""
    rows: FloatArray
    """Recorded states (times, M, N); without rows if the chunk ends between recorded times."""
    before: tuple[FloatArray, FloatArray]
    """States (M, N), and sources of coloured noise (M, S), before the chunk."""


def _chunks(
    ensemble: Ensemble, shape: tuple[int, int, int], every: int, out: FloatArray | None = None
) -> Iterator[_Chunk]:
    """Record the missing part of a run of shape (T, M, N), and give what was recorded after each chunk.

    A chunk is as long as may be lost if the run is cut off, and holds whole rows or a part of one. Rows are written to
    `out` (T, M, N) if it is given.
    """
    total, trajectories, n = shape
    least = max(1, int(WORK / (max(trajectories, LANES) * n * (n + 16))))
    steps, most = least, max(1, CHUNK_BYTES // (8 * trajectories * n))
    while (left := (total - 1) * every - ensemble.steps) > 0:
        begin, row, within = perf_counter(), ensemble.steps // every + 1, ensemble.steps % every
        before = ensemble.states[:trajectories], ensemble.sources[:trajectories]
        if within or steps < every:
            taken = min(steps, every - within)
            rows = ensemble.record(1, taken, trajectories, None if out is None else out[row : row + 1])
            chunk = _Chunk(taken, rows[:0] if ensemble.steps % every else rows, before)
        else:
            times = min(steps // every, most, left // every)
            rows = ensemble.record(times, every, trajectories, None if out is None else out[row : row + times])
            chunk = _Chunk(times * every, rows, before)
        steps = max(least, int(chunk.steps * min(FASTER, SECONDS / max(perf_counter() - begin, 1e-9))))
        yield chunk


def _record_to(
    folder: Folder,
    net: CTRNN,
    ensemble: Ensemble,
    record: store.Record,
    report: Progress,
) -> Path:
    """Record the rows that the folder of a run lacks."""
    total, trajectories, _ = record.shape
    if record.rows < total:
        with store.writer(folder, net, ensemble.noise, record) as writer:
            if record.rows:
                _go_on(ensemble, folder, record)
            else:
                writer.add(ensemble.states[None, :trajectories])
            for chunk in _chunks(ensemble, record.shape, record.every):
                if len(chunk.rows):
                    writer.add(chunk.rows)
                if not len(chunk.rows) or ensemble.sources.size:
                    writer.hold(chunk.before, chunk.steps, ensemble)
                if len(chunk.rows):
                    report(writer.record.rows, total, "")
            writer.finish()
            record = writer.record
    return _from_folder(folder, record, net)


def _go_on(ensemble: Ensemble, folder: Folder, record: store.Record) -> None:
    """Set an ensemble to where the kept part of a run ends, and check that it reproduces the last state."""
    sources = ensemble.sources.shape[1]
    last, kept = (record.rows - 1) * record.every, store.within(folder, record, sources)
    h, x = store.states(folder, record), None
    if kept is not None and last < kept.steps[1]:
        (first, last), (before, after), x = kept.steps, kept.h, kept.x[0]
    elif kept is not None and (sources or last - record.every <= kept.steps[1]):
        first, before, after, x = kept.steps[1], kept.h[1], h[record.rows - 1], kept.x[1]
    elif sources:  # sources are known at the start alone
        first, before, after = 0, h[0], h[record.rows - 1]
    else:
        begin = max(0, record.rows - 2)
        first, before, after = begin * record.every, h[begin], h[record.rows - 1]
    ensemble.place(before, x)
    ensemble.seek(first)
    again = ensemble.record(1, last - first, record.shape[1])[0] if last > first else before
    if not np.array_equal(again, after, equal_nan=True):
        rule = "out must hold a run that this machine and version repeat bit for bit"
        raise ValueError(f"{rule}; the last state in {folder.place} differs")


def _from_folder(folder: Folder, record: store.Record, net: CTRNN) -> Path:
    times = _times(record.rows, record.every, net)
    return Path(times, store.states(folder, record)[: record.rows], net)


def _times(rows: int, every: int, net: CTRNN) -> FloatArray:
    return np.arange(rows, dtype=np.float64) * every * float(np.min(net.gamma))


def drive_rows(net: CTRNN, u: ArrayLike | None, steps: int) -> FloatArray:
    """Return W_in u + b: (N,) for an input u that is None or (K,), and (steps, N) for one of (steps, K)."""
    if u is None or net.W_in is None:
        return net.drive(u)
    inputs = real_array("u", u)
    if inputs.ndim < 2:
        return net.drive(inputs)
    inputs = real_array("u", inputs, (steps, net.W_in.shape[1]))
    drive: FloatArray = inputs @ net.W_in.T + net.b
    return drive
