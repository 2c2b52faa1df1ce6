"""A recorded path in a folder: its states in `h.npy`, what decides them in `run.json`, the network in `net.npz`.

Rows are kept about every second, see :mod:`ctrnn_theory.support.run_folder`. While a row takes longer than that, the
states that have been reached since the last row are kept in `within.npz`. If noise is coloured, it always holds the
last states with those of the sources, which no row has. `noise.json` holds the noise, for a reader.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.activations import Activation
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.integrators.sites import Site
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.support.files import open_file
from ctrnn_theory.support.results import plain
from ctrnn_theory.support.run_folder import Folder, Kind, Log
from ctrnn_theory.support.types import FloatArray

Mapped = np.memmap[Any, np.dtype[np.float64]]
STATES, NET, NOISE, WITHIN = "h.npy", "net.npz", "noise.json", "within.npz"
KIND = Kind(
    "a run that simulate recorded",
    "run.json",
    (".run.*.json", ".net.*.npz", ".noise.*.json", ".within.*.npz"),
    "what is kept is whole, and simulate goes on with it by resume=True",
)
HIDDEN = ("W", "b or u", "readout", "noise", "rho", "gains", "start", "rng")
"""Settings of which hashes are kept, which say nothing to a reader."""
HEADERS = 1 << 16
"""Bytes that the headers of two arrays may have, more than NumPy writes."""


@dataclass(frozen=True)
class Record:
    """Content of `run.json`."""

    shape: tuple[int, int, int]
    """(T, M, N) of the whole run."""
    settings: dict[str, Any]
    """Everything that decides the numbers; see :func:`settings`."""
    rows: int
    """Recorded times that are kept."""
    kept: tuple[int, int] | None = None
    """Bytes of `h.npy` that are kept, and their checksum; None if a version without checksums wrote the folder."""

    @property
    def key(self) -> NDArray[np.uint64]:
        """Two words that key the variates, (2,)."""
        return np.array(self.settings["rng"], np.uint64).reshape(2)

    @property
    def every(self) -> int:
        """Steps between recorded times."""
        return int(self.settings["record_every"])


class Within(NamedTuple):
    """Two states between recorded times: an earlier one, and the later one that it leads to."""

    steps: tuple[int, int]
    """Steps taken to reach each of them."""
    h: FloatArray
    """The states, (2, M, N)."""
    x: FloatArray
    """The sources of coloured noise, (2, M, S); without columns if there are none."""


def settings(net: CTRNN, ensemble: Ensemble, steps: int, every: int, trajectories: int) -> dict[str, Any]:
    """Return everything that decides the numbers of a run that is about to begin, by the argument it comes from."""
    return {
        "steps": steps,
        "record_every": every,
        "trajectories": trajectories,
        **_model(net),
        "b or u": _digest(ensemble.drive),
        **_noise(ensemble.noise, net.n),
        "start": _digest(ensemble.states[:trajectories]),
        "rng": [int(word) for word in ensemble.dynamics.key],
    }


def _model(net: CTRNN) -> dict[str, Any]:
    """Return what decides a step of a network, without its bias vector; the form is left out if it is that of rates."""
    f = net.activation
    found = {
        "gamma": plain(net.gamma),
        "activation": f.text if isinstance(f, Activation) else [one.text for one in f.members],
        "W": _digest(net.W),
        "readout": _digest(*_readout(net)),
    }
    return found if net.form == "rate" else {**found, "form": net.form}


def _noise(noise: Noise, n: int) -> dict[str, Any]:
    """Return what decides the noise; white additive noise has the entry alone that it had when there was no other."""
    sites = [Site.of(getattr(noise, site), noise.factor(site, n)) for site in SITES]
    found = {"noise": _digest(*(part for site in sites for part in site))}
    if not noise.is_white:
        found["rho"] = _digest(*(noise.rho(site, n) for site in SITES))
    if noise.has_gains:
        gains = [Site.of(getattr(noise, f"gain_{site}"), noise.gain_factor(site, n)) for site in SITES]
        found["gains"] = _digest(*(part for site in gains for part in site), noise.common_gain(n), noise.kept(n))
    return found


def _readout(net: CTRNN) -> list[FloatArray]:
    return [array for array in (net.W_out, net.b_out) if array is not None]


def _digest(*arrays: FloatArray) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.shape};".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def read(folder: Folder) -> Record | None:
    """Return what `run.json` says, or None if there is no such file.

    Raises
    ------
    ValueError
        If the file is not the record of a recorded path.
    """
    found = folder.record
    if found is None:
        return None
    with folder.reading(KIND.record):
        times, trajectories, n = (int(length) for length in found["shape"])
        rows, kept = int(found["rows"]), folder.kept(STATES)
        record = Record((times, trajectories, n), dict(found["settings"]), rows, kept)
        if not 0 <= record.rows <= times or min(record.shape) < 1 or record.every < 1:
            raise ValueError(f"it has {record.rows} of {times} rows")
        if record.kept and record.rows and record.kept[0] != _offset(record) + _size(record, record.rows):
            raise ValueError(f"it has {record.rows} rows of {record.kept[0]} bytes")
        _ = record.key
    return record


def _header(shape: tuple[int, ...]) -> bytes:
    """Header of a .npy file."""
    stream = io.BytesIO()
    description = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, description)
    return stream.getvalue()


def _offset(record: Record) -> int:
    return len(_header(record.shape))


def _size(record: Record, rows: int) -> int:
    return 8 * rows * record.shape[1] * record.shape[2]


def check_network(folder: Folder, record: Record, net: CTRNN) -> None:
    """Raise a ValueError unless a network is the one that was simulated."""
    if any(record.settings.get(name) != value for name, value in _model(net).items()):
        raise folder.damaged(NET, "it is not the network that was simulated")


class Writer:
    """Adds rows to the folder of a recorded path."""

    def __init__(self, folder: Folder, record: Record, log: Log) -> None:
        self.folder, self.record, self.log = folder, record, log

    def add(self, rows: FloatArray) -> None:
        """Keep recorded states (times, M, N), on the disk."""
        self.log.add(np.ascontiguousarray(rows).data)
        self.record = replace(self.record, rows=self.record.rows + len(rows))
        self.folder.keep(_content(self.record), self.log)

    def hold(self, before: tuple[FloatArray, FloatArray], taken: int, ensemble: Ensemble) -> None:
        """Keep the states and sources that an ensemble has reached, and those `taken` steps before."""
        h, x = (
            np.stack([old, new[: len(old)]])
            for old, new in zip(before, (ensemble.states, ensemble.sources), strict=True)
        )
        steps = np.array([ensemble.steps - taken, ensemble.steps])
        self.folder.write_arrays(WITHIN, {"steps": steps, "h": h, **({"x": x} if x.size else {})})

    def finish(self) -> None:
        """Remove what is needed only to go on with the run."""
        self.folder.remove(WITHIN)


def _content(record: Record) -> dict[str, Any]:
    return {"rows": record.rows, "shape": record.shape, "settings": record.settings}


@contextmanager
def writer(folder: Folder, net: CTRNN, noise: Noise, record: Record) -> Iterator[Writer]:
    """Give a writer for a run that begins, or for one that goes on and whose rows are verified.

    `run.json` is written first: it makes the folder that of a run.
    """
    header = _header(record.shape)
    whole = len(header) + _size(record, record.shape[0])
    if record.rows == 0:
        folder.keep(_content(record))
        with folder.writing(NET):
            net.save(folder.place / NET)
        folder.write_json(NOISE, noise.to_dict())
        with folder.log(STATES, 0, 0, whole) as log:
            log.add(header)
            yield Writer(folder, record, log)
        return
    size, check = record.kept or _count(folder, record)
    with folder.log(STATES, size, check, whole) as log:
        yield Writer(folder, record, log)


def _count(folder: Folder, record: Record) -> tuple[int, int]:
    """Return the bytes and the checksum of the rows that a version without checksums kept."""
    check, rows = zlib.crc32(_header(record.shape)), states(folder, record)[: record.rows]
    for row in rows:
        check = zlib.crc32(np.ascontiguousarray(row).data, check)
    return _offset(record) + _size(record, record.rows), check


def within(folder: Folder, record: Record, sources: int) -> Within | None:
    """Return the states that are kept between recorded times, with so many sources, or None if there are none.

    Raises
    ------
    ValueError
        If their file is damaged.
    """
    shape, remedy = (2, *record.shape[1:]), "remove it, and the run goes on from the last recorded time"
    found = folder.arrays(WITHIN, 16 * (_size(record, 1) + 8 * record.shape[1] * sources) + HEADERS, remedy)
    if found is None:
        return None
    with folder.reading(WITHIN, remedy):
        steps, h = found["steps"], found["h"]
        x = found.get("x", np.zeros((*shape[:2], 0)))
        if steps.shape != (2,) or steps.dtype != np.int64 or h.shape != shape or h.dtype != np.float64:
            raise ValueError("it does not hold the states of this run")
        if x.shape != (*shape[:2], sources) or x.dtype != np.float64:
            raise ValueError("it does not hold the sources of this run")
    return Within((int(steps[0]), int(steps[1])), h, x)


def verify(folder: Folder, record: Record) -> None:
    """Raise a ValueError if the rows that are kept differ from their checksum."""
    if record.kept is not None:
        folder.verify(STATES, record.kept)


def states(folder: Folder, record: Record) -> Mapped:
    """Map the states (T, M, N) of a run that has begun.

    Raises
    ------
    ValueError
        If the file is not what `run.json` says.
    """
    with folder.reading(STATES), open_file(folder.place / STATES) as file:
        if file.read(_offset(record)) != _header(record.shape):
            raise ValueError(f"it does not begin as an array of float64 {record.shape}")
        return np.memmap(file, np.float64, "r", _offset(record), record.shape)
