"""Recorded paths of the map."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.arguments import positive_integer, real_array
from ctrnn_theory.blas import limited
from ctrnn_theory.files import claimed
from ctrnn_theory.floating import guarded
from ctrnn_theory.integrators import store
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.network import CTRNN, Noise, ReadOnly, check_model

FloatArray = NDArray[np.float64]
CHUNK_BYTES, CHUNK_WORK = 1 << 26, 1e9
"""Recorded bytes, and neuron-steps, after which rows are kept: seconds, which a run that is cut off loses."""


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

        Of a run that was cut off, or is still going on, it gives the times that are kept so far.

        Raises
        ------
        ValueError
            If it holds no such run, or a damaged one.
        """
        place = pathlib.Path(folder)
        record = store.read(place)
        if record is None or record.rows == 0:
            raise ValueError(f"folder must hold a run with its start; got {place}")
        return _from_folder(place, record, CTRNN.load(place / store.NET))

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
    callback: Callable[[int, int], object] | None = None,
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
    callback
        Called with the recorded times so far, and with their number T, after each chunk of them.

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
    steps, every = positive_integer("steps", steps), positive_integer("record_every", record_every)
    trajectories = positive_integer("trajectories", trajectories)
    begin = None if start is None else real_array("start", start)
    drive, alike = drive_rows(net, u, steps), begin is None or begin.ndim < 2
    ensemble = Ensemble(net, noise, drive, begin if alike else None, trajectories, rng, workers)
    if begin is not None and not alike:
        ensemble.place(real_array("start", begin, (trajectories, net.n)))
    shape = (steps // every + 1, trajectories, net.n)
    if out is not None:
        with claimed(out, store.RUN, store.UNFINISHED, resume) as folder:
            found = store.read(folder)
            if found is not None and rng is None:
                ensemble.model = ensemble.model._replace(key=found.key)
            settings = store.settings(net, ensemble, steps, every, trajectories)
            if found is not None:
                store.check_settings(folder, found.settings, settings)
            return _record_to(folder, net, ensemble, found or store.Record(shape, settings, 0), callback)
    if resume:
        raise ValueError("resume must come with out; got resume alone")
    h = np.empty(shape)
    h[0] = ensemble.states[:trajectories]
    for rows in _chunks(ensemble, h, 1, every):
        if callback is not None:
            callback(rows, len(h))
    return Path(_times(len(h), every, net), h, net)


def _chunks(ensemble: Ensemble, h: FloatArray, rows: int, every: int) -> Iterator[int]:
    """Record what is missing after some rows of h (T, M, N), and give how many there are after each chunk."""
    trajectories = h.shape[1]
    work = h.shape[2] * max(trajectories, LANES) * every
    chunk = max(1, min(CHUNK_BYTES // h[0].nbytes, int(CHUNK_WORK / work)))
    while rows < len(h):
        until = min(rows + chunk, len(h))
        ensemble.record(until - rows, every, trajectories, h[rows:until])
        rows = until
        yield rows


def _record_to(
    folder: pathlib.Path,
    net: CTRNN,
    ensemble: Ensemble,
    record: store.Record,
    callback: Callable[[int, int], object] | None,
) -> Path:
    """Record the rows of a run that its folder lacks."""
    every, total = record.settings["record_every"], record.shape[0]
    if record.rows == 0:
        h = store.begin(folder, net, record)
        h[0] = ensemble.states[: h.shape[1]]
        record = store.keep(folder, record, h, 1)
    if record.rows < total:
        h = store.states(folder, record, write=True)
        _go_on(ensemble, h, record.rows, every)
        for rows in _chunks(ensemble, np.asarray(h), record.rows, every):
            record = store.keep(folder, record, h, rows)
            if callback is not None:
                callback(rows, total)
    return _from_folder(folder, record, net)


def _go_on(ensemble: Ensemble, h: FloatArray, rows: int, every: int) -> None:
    """Put an ensemble where the rows of h that are kept end, and make sure that the last one comes out again."""
    begin = max(0, rows - 2)
    ensemble.place(h[begin])
    ensemble.seek(begin * every)
    again = ensemble.record(rows - 1 - begin, every, h.shape[1])
    if not np.array_equal(again, h[begin + 1 : rows], equal_nan=True):
        raise ValueError("out must hold a run that this machine and version repeat bit for bit; its last row differs")


def _from_folder(folder: pathlib.Path, record: store.Record, net: CTRNN) -> Path:
    times = _times(record.rows, record.settings["record_every"], net)
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
