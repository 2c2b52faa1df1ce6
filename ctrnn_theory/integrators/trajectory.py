"""Recorded paths of the map."""

from __future__ import annotations

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
from ctrnn_theory.model.read_only import ReadOnly
from ctrnn_theory.support.arguments import positive_integer, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.claim import claimed
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.support.types import FloatArray

CHUNK_BYTES, SECONDS = 1 << 26, 1.0
"""Recorded bytes, and time, after which a run is kept: what one that is cut off loses."""
WORK, FASTER = 1e7, 10
"""Operations of the first chunk, which take less than that time; by how much a chunk may be longer than the last."""


@guarded
@dataclass(frozen=True, eq=False)
class Path(ReadOnly):
    """What :func:`simulate` returns: T recorded times of M trajectories of N neurons."""

    time: FloatArray
    """Times (T,) in units of τ: γ for each step; the first is 0."""
    h: FloatArray
    """States (T, M, N); the first is where the trajectories start. From a folder: mapped, read-only."""
    net: CTRNN
    """The network."""

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Path:
        """Open the folder of a run that :func:`simulate` recorded.

        Of a run that was cut off, or is still going on, it gives the times that are kept so far. All states are read
        once, and compared with their checksum.

        Raises
        ------
        ValueError
            If it holds no such run, or a damaged one.
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
        """Output z = W_out h + b_out, (T, M, P).

        Raises
        ------
        ValueError
            If the network has no readout.
        """
        if self.net.W_out is None:
            raise ValueError("net must have W_out for an output; got None")
        z: FloatArray = self.h @ self.net.W_out.T
        return z if self.net.b_out is None else z + self.net.b_out


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
    """Simulate trajectories of the map and record them.

    ``h' = (1-γ) h + γ (f(W h + W_in u + b + σ_in ξ) + σ_out η)``, ξ, η standard normal, independent between
    steps and between trajectories. A state that grows without bound is recorded as it is: beyond the range of
    numbers it is NaN.

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise; σ is per step.
    u
        Input: None, (K,) constant, or (steps, K), a row for each step.
    steps
        Euler–Maruyama steps to take.
    trajectories
        M. Their numbers do not depend on how many there are.
    record_every
        Steps between recorded states.
    start
        State (N,) where every trajectory starts, or (M, N), one for each; None for rest (zero).
    rng
        int, SeedSequence, Generator, or None for fresh entropy. The same int gives the same numbers.
    workers
        Threads, None for one a core; or a function like ``map``, of this process. The numbers do not depend on it.
    out
        Folder to record to instead of memory, for runs that are long or large: `h.npy` holds the states, `run.json`
        what decides them, `net.npz` the network. :meth:`Path.load` opens it again.
    resume
        Go on with the run in `out` where it was cut off, after the last rows that were kept: the numbers are those
        of a run that was not. A finished run is returned as it is; where there is none, it begins. With ``rng=None``
        the variates are those of the run.
    progress
        Called with (done, total, text) after each chunk of recorded times: their number so far, T, and no text.

    Returns
    -------
    Path
        T = steps // record_every + 1 recorded times, the start among them.

    Raises
    ------
    ValueError
        For counts that are not positive integers, or inputs whose shape does not fit. If `out` holds something and
        is not to be resumed, or a run of other settings, which are named, or if another process writes to it.
    OSError
        If there is no room for `out`.

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
                ensemble.dynamics = ensemble.dynamics._replace(key=found.key)
            settings = store.settings(net, ensemble, steps, every, trajectories)
            if found is not None:
                folder.check_same(found.settings, settings, store.HIDDEN)
                store.verify(folder, found)
            return _record_to(folder, net, ensemble, found or store.Record(shape, settings, 0), report)
    if resume:
        raise ValueError("resume must come with out; got resume alone")
    h = np.empty(shape)
    h[0] = ensemble.states[:trajectories]
    for chunk in _chunks(ensemble, shape, every, h):
        if len(chunk.rows):
            report(ensemble.steps // every + 1, len(h), "")
    return Path(_times(len(h), every, net), h, net)


class _Chunk(NamedTuple):
    steps: int
    """Steps of it."""
    rows: FloatArray
    """Recorded states (times, M, N); none if it ends between recorded times."""
    before: FloatArray | None = None
    """States (M, N) before it, if it ends between recorded times."""


def _chunks(
    ensemble: Ensemble, shape: tuple[int, int, int], every: int, out: FloatArray | None = None
) -> Iterator[_Chunk]:
    """Record what is missing of a run of some shape (T, M, N), and give what was recorded after each chunk of it.

    A chunk takes about as long as is to be lost by a cut, whole rows or a part of one. With `out` (T, M, N) rows are
    written there.
    """
    total, trajectories, n = shape
    least = max(1, int(WORK / (max(trajectories, LANES) * n * (n + 16))))
    steps, most = least, max(1, CHUNK_BYTES // (8 * trajectories * n))
    while (left := (total - 1) * every - ensemble.steps) > 0:
        begin, row, within = perf_counter(), ensemble.steps // every + 1, ensemble.steps % every
        if within or steps < every:
            taken, before = min(steps, every - within), ensemble.states[:trajectories]
            rows = ensemble.record(1, taken, trajectories, None if out is None else out[row : row + 1])
            chunk = _Chunk(taken, rows[:0], before) if ensemble.steps % every else _Chunk(taken, rows)
        else:
            times = min(steps // every, most, left // every)
            rows = ensemble.record(times, every, trajectories, None if out is None else out[row : row + times])
            chunk = _Chunk(times * every, rows)
        steps = max(least, int(chunk.steps * min(FASTER, SECONDS / max(perf_counter() - begin, 1e-9))))
        yield chunk


def _record_to(
    folder: Folder,
    net: CTRNN,
    ensemble: Ensemble,
    record: store.Record,
    report: Progress,
) -> Path:
    """Record the rows of a run that its folder lacks."""
    total, trajectories, _ = record.shape
    if record.rows < total:
        with store.writer(folder, net, record) as writer:
            if record.rows:
                _go_on(ensemble, folder, record)
            else:
                writer.add(ensemble.states[None, :trajectories])
            for chunk in _chunks(ensemble, record.shape, record.every):
                if chunk.before is not None:
                    writer.hold(chunk.before, chunk.steps, ensemble)
                    continue
                writer.add(chunk.rows)
                report(writer.record.rows, total, "")
            writer.finish()
            record = writer.record
    return _from_folder(folder, record, net)


def _go_on(ensemble: Ensemble, folder: Folder, record: store.Record) -> None:
    """Put an ensemble where what is kept ends, and make sure that its last state comes out again."""
    last, kept = (record.rows - 1) * record.every, store.within(folder, record)
    h = store.states(folder, record)
    if kept is not None and last < kept.steps[1]:
        (first, last), before, after = kept.steps, *kept.h
    elif kept is not None and last - record.every <= kept.steps[1]:
        first, before, after = kept.steps[1], kept.h[1], h[record.rows - 1]
    else:
        begin = max(0, record.rows - 2)
        first, before, after = begin * record.every, h[begin], h[record.rows - 1]
    ensemble.place(before)
    ensemble.seek(first)
    again = ensemble.record(1, last - first, record.shape[1])[0] if last > first else before
    if not np.array_equal(again, after, equal_nan=True):
        rule = "out must hold a run that this machine and version repeat bit for bit"
        raise ValueError(f"{rule}; the last state in {folder.place} differs")


def _from_folder(folder: Folder, record: store.Record, net: CTRNN) -> Path:
    times = _times(record.rows, record.every, net)
    return Path(times, store.states(folder, record)[: record.rows], net)


def _times(rows: int, every: int, net: CTRNN) -> FloatArray:
    return np.arange(rows, dtype=np.float64) * every * net.gamma


def drive_rows(net: CTRNN, u: ArrayLike | None, steps: int) -> FloatArray:
    """W_in u + b for an input u, None or (K,): shape (N,); (steps, K): shape (steps, N)."""
    if u is None or net.W_in is None:
        return net.drive(u)
    inputs = real_array("u", u)
    if inputs.ndim < 2:
        return net.drive(inputs)
    inputs = real_array("u", inputs, (steps, net.W_in.shape[1]))
    drive: FloatArray = inputs @ net.W_in.T + net.b
    return drive
