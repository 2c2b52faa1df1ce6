"""A recorded run in a folder: its states in `h.npy`, what decides them in `run.json`, the network in `net.npz`.

Rows are kept in chunks. `run.json` says how many there are, and is replaced when the states of a chunk are on disk, so
that a run that is cut off at any moment goes on after its last whole chunk. While one process writes, it holds a lock
on `.lock`, which ends with the process.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.files import atomically
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.network import CTRNN

FloatArray = NDArray[np.float64]
Mapped = np.memmap[Any, np.dtype[np.float64]]
FORMAT = 1
"""Of a folder; raised when older readers would misread it."""
STATES, RUN, NET = "h.npy", "run.json", "net.npz"
UNFINISHED = (".run.*.json", ".net.*.npz")
"""What a kill leaves of a file that was being replaced."""
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

    @property
    def key(self) -> NDArray[np.uint64]:
        """Key words of the variates (2,)."""
        return np.array(self.settings["rng"], np.uint64).reshape(2)


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
    try:
        found = json.loads((folder / RUN).read_bytes())
        if found["format"] > FORMAT:
            raise ValueError(f"it has format {found['format']}, this version reads up to {FORMAT}")
        times, trajectories, n = (int(length) for length in found["shape"])
        record = Record((times, trajectories, n), dict(found["settings"]), int(found["rows"]))
        _ = record.key, int(record.settings["record_every"])
        if not 0 <= record.rows <= times:
            raise ValueError(f"it has {record.rows} of {times} rows")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise _damaged(folder, f"{RUN}: {error}") from error
    return record


def _damaged(folder: Path, reason: str) -> ValueError:
    return ValueError(f"{folder} must be the folder of a run that simulate recorded: {reason}")


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


def begin(folder: Path, net: CTRNN, record: Record) -> Mapped:
    """Make the files of a run that has no rows yet, and return its states (T, M, N), mapped for writing.

    `run.json` comes first: from then on the folder is known to be ours.

    Raises
    ------
    OSError
        If there is not enough room on the disk.
    """
    _write(folder, record)
    net.save(folder / NET)
    h = np.lib.format.open_memmap(folder / STATES, mode="w+", dtype=np.float64, shape=record.shape)
    if hasattr(os, "posix_fallocate"):  # a full disk is an error now, and would be a bus error later
        with open(folder / STATES, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # of a file system that cannot
                    raise
    return h


def keep(folder: Path, record: Record, h: Mapped, rows: int) -> Record:
    """Have the states written to disk, then say in `run.json` that there are so many rows."""
    h.flush()
    record = replace(record, rows=rows)
    _write(folder, record)
    return record


def _write(folder: Path, record: Record) -> None:
    content = {"format": FORMAT, "rows": record.rows, "shape": record.shape, "settings": record.settings}
    with atomically(folder / RUN) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def states(folder: Path, record: Record, write: bool = False) -> Mapped:
    """Map the states (T, M, N) of a run that has begun.

    Raises
    ------
    ValueError
        If the file is not what `run.json` says.
    """
    try:
        h = np.lib.format.open_memmap(folder / STATES, mode="r+" if write else "r")
    except (ValueError, OSError) as error:
        raise _damaged(folder, f"{STATES}: {error}") from error
    if h.shape != record.shape or h.dtype != np.float64 or not h.flags.c_contiguous:
        raise _damaged(folder, f"{STATES} holds {h.dtype} {h.shape}, not float64 {record.shape}")
    return h
