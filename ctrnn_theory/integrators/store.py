"""A recorded run in a folder: its states in `h.npy`, what decides them in `run.json`, the network in `net.npz`.

Rows are kept every second or so, see :mod:`ctrnn_theory.support.run_folder`; a row that takes longer is kept by the
states that have been reached within it, in `within.npz`.
"""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.files import atomically, open_file, reason
from ctrnn_theory.support.npz import read_arrays
from ctrnn_theory.support.run_folder import Kind, Log, RunFolder, read_record, verify
from ctrnn_theory.support.types import FloatArray

Mapped = np.memmap[Any, np.dtype[np.float64]]
STATES, NET, WITHIN = "h.npy", "net.npz", "within.npz"
KIND = Kind(
    "a run that simulate recorded",
    "run.json",
    (".run.*.json", ".net.*.npz", ".within.*.npz"),
    "what is kept is whole, and simulate goes on with it by resume=True",
)
TOLD = ("steps", "record_every", "trajectories", "gamma", "activation")
"""Settings whose values a message can show."""


@dataclass(frozen=True)
class Record:
    """What `run.json` says."""

    shape: tuple[int, int, int]
    """(T, M, N) of the whole run."""
    settings: dict[str, Any]
    """Everything that decides the numbers, see :func:`settings`."""
    rows: int
    """Recorded times that are kept."""
    kept: tuple[int, int] | None = None
    """Bytes of `h.npy` that are kept, and their checksum; None where a version without checksums wrote it."""

    @property
    def key(self) -> NDArray[np.uint64]:
        """Key words of the variates (2,)."""
        return np.array(self.settings["rng"], np.uint64).reshape(2)

    @property
    def every(self) -> int:
        """Steps between recorded times."""
        return int(self.settings["record_every"])


class Within(NamedTuple):
    """Two states between recorded times: the earlier one, and the later one that it leads to."""

    steps: tuple[int, int]
    """Steps taken."""
    h: FloatArray
    """(2, M, N)."""


def settings(net: CTRNN, ensemble: Ensemble, steps: int, every: int, trajectories: int) -> dict[str, Any]:
    """Everything that decides the numbers of a run that is about to begin, by the argument it comes from."""
    model = ensemble.model
    return {
        "steps": steps,
        "record_every": every,
        "trajectories": trajectories,
        "gamma": net.gamma,
        "activation": net.activation.text,
        "W": _digest(model.W),
        "b or u": _digest(model.drive),
        "readout": _digest(*(array for array in (net.W_out, net.b_out) if array is not None)),
        "noise": _digest(*model[3:7]),
        "start": _digest(ensemble.states[:trajectories]),
        "rng": [int(word) for word in model.key],
    }


def _digest(*arrays: FloatArray) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.shape};".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def read(folder: Path) -> Record | None:
    """What `run.json` says, or None if there is none.

    Raises
    ------
    ValueError
        If it cannot be read as that of a run.
    """
    found = read_record(folder, KIND)
    if found is None:
        return None
    try:
        times, trajectories, n = (int(length) for length in found["shape"])
        kept = found["kept"].get(STATES)
        record = Record((times, trajectories, n), dict(found["settings"]), int(found["rows"]), kept and tuple(kept))
        if not 0 <= record.rows <= times or min(record.shape) < 1 or record.every < 1:
            raise ValueError(f"it has {record.rows} of {times} rows")
        if record.kept and record.rows and record.kept[0] != _offset(record) + _size(record, record.rows):
            raise ValueError(f"it has {record.rows} rows of {record.kept[0]} bytes")
        _ = record.key
    except KeyError as error:
        raise KIND.damaged(folder, KIND.record, f"it lacks {error}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise KIND.damaged(folder, KIND.record, reason(error)) from error
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


def check_network(place: Path, record: Record, net: CTRNN) -> None:
    """Raise a ValueError unless a network is the one that was simulated."""
    readout = _digest(*(array for array in (net.W_out, net.b_out) if array is not None))
    found = {"gamma": net.gamma, "activation": net.activation.text, "W": _digest(net.W), "readout": readout}
    if any(record.settings.get(name) != value for name, value in found.items()):
        raise KIND.damaged(place, NET, "it is not the network that was simulated")


def check_settings(folder: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Raise a ValueError that names the settings of a kept run that differ from those of this one."""
    differ = [
        f"{name} ({there.get(name)} there, {here[name]} here)" if name in TOLD else name
        for name in here
        if there.get(name) != here[name]
    ]
    if differ:
        rule = "out must hold a run of the same settings to resume it"
        raise ValueError(f"{rule}; {folder} differs in {', '.join(differ)}")


class Writer:
    """Adds rows to the folder of a run."""

    def __init__(self, folder: RunFolder, record: Record, log: Log) -> None:
        self.folder, self.record, self.log = folder, record, log

    def add(self, rows: FloatArray) -> None:
        """Keep recorded states (times, M, N), on the disk."""
        self.log.add(np.ascontiguousarray(rows).data)
        self.record = replace(self.record, rows=self.record.rows + len(rows))
        self.folder.keep(_content(self.record), self.log)

    def hold(self, before: FloatArray, taken: int, ensemble: Ensemble) -> None:
        """Keep the states that an ensemble has reached between recorded times, and those so many steps before."""
        path, h = self.folder.place / WITHIN, np.stack([before, ensemble.states[: len(before)]])
        with self.folder.writing(WITHIN), atomically(path) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, steps=np.array([ensemble.steps - taken, ensemble.steps]), h=h)
            stream.flush()
            os.fsync(stream.fileno())

    def finish(self) -> None:
        """Remove what only a run that is to go on needs."""
        with self.folder.writing(WITHIN):
            (self.folder.place / WITHIN).unlink(missing_ok=True)


def _content(record: Record) -> dict[str, Any]:
    return {"rows": record.rows, "shape": record.shape, "settings": record.settings}


@contextmanager
def writer(folder: RunFolder, net: CTRNN, record: Record) -> Iterator[Writer]:
    """Give what adds rows to a run that has begun, whose rows are verified, or that begins.

    `run.json` comes first: from then on the folder is known to be ours.
    """
    header = _header(record.shape)
    room = len(header) + _size(record, record.shape[0])
    if record.rows == 0:
        folder.keep(_content(record))
        with folder.writing(NET):
            net.save(folder.place / NET)
        with folder.log(STATES, 0, 0, room) as log:
            log.add(header)
            yield Writer(folder, record, log)
        return
    size, check = record.kept or _counted(folder.place, record)
    with folder.log(STATES, size, check, room) as log:
        yield Writer(folder, record, log)


def _counted(place: Path, record: Record) -> tuple[int, int]:
    """Bytes and checksum of the rows that a version without checksums kept."""
    check, rows = zlib.crc32(_header(record.shape)), states(place, record)[: record.rows]
    for row in rows:
        check = zlib.crc32(np.ascontiguousarray(row).data, check)
    return _offset(record) + _size(record, record.rows), check


def within(place: Path, record: Record) -> Within | None:
    """States that are kept between recorded times, if there are any.

    Raises
    ------
    ValueError
        If they are damaged.
    """
    shape = (2, *record.shape[1:])
    try:
        found = read_arrays(place / WITHIN, 16 * _size(record, 1) + (1 << 16))
        steps, h = found["steps"], found["h"]
        if steps.shape != (2,) or steps.dtype != np.int64 or h.shape != shape or h.dtype != np.float64:
            raise ValueError("it does not hold the states of this run")
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError) as error:
        remedy = "remove it, and the run goes on from the last recorded time"
        raise KIND.damaged(place, WITHIN, reason(error), remedy) from error
    return Within((int(steps[0]), int(steps[1])), h)


def verified(place: Path, record: Record) -> None:
    """Compare the rows that are kept with their checksum.

    Raises
    ------
    ValueError
        If they are damaged.
    """
    if record.kept is not None:
        verify(place, STATES, KIND, record.kept)


def states(place: Path, record: Record) -> Mapped:
    """Map the states (T, M, N) of a run that has begun.

    Raises
    ------
    ValueError
        If the file is not what `run.json` says.
    """
    try:
        with open_file(place / STATES) as file:
            if file.read(_offset(record)) != _header(record.shape):
                raise ValueError(f"it does not begin as an array of float64 {record.shape}")
            return np.memmap(file, np.float64, "r", _offset(record), record.shape)
    except (ValueError, OSError, OverflowError) as error:
        raise KIND.damaged(place, STATES, reason(error)) from error
