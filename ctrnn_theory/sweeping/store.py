"""A sweep in a folder that can be cut off at any moment.

`sweep.json` holds the specification, `points.bin` the batches that are finished. A batch is one line of JSON, with the
number of its rows, the reasons of failures and a checksum, and then its rows as they are in memory. Batches are
appended; one that a kill has cut short is dropped.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ctrnn_theory import __version__
from ctrnn_theory.files import atomically, claimed
from ctrnn_theory.sweeping.batch import Batch, row_type
from ctrnn_theory.sweeping.spec import IntArray, Spec

FORMAT = 1
"""Of a folder; raised when older readers would misread it."""
RECORD, POINTS = "sweep.json", "points.bin"
UNFINISHED = (".sweep.*.json", ".sweep.*.nc")
"""What a kill leaves of a file that was being replaced."""


class Folder:
    """The folder of a sweep, for the one process that writes to it."""

    def __init__(self, place: Path, batches: list[Batch], file: BinaryIO) -> None:
        self.place, self.batches, self.file = place, batches, file
        """`batches`: those that were kept when it was opened."""

    def add(self, batch: Batch) -> None:
        """Keep a batch, on the disk."""
        rows, reasons = batch.rows.tobytes(), list(batch.reasons)
        header = {"rows": batch.rows.size, "reasons": reasons, "check": _check(rows, reasons)}
        self.file.write(json.dumps(header).encode() + b"\n" + rows)
        self.file.flush()
        os.fsync(self.file.fileno())


def _check(rows: bytes, reasons: list[str]) -> int:
    return zlib.crc32(json.dumps(reasons).encode() + rows)


@contextmanager
def opened(out: str | os.PathLike[str], spec: Spec) -> Iterator[Folder]:
    """Give the folder of a sweep, new or begun, which no other process writes to meanwhile.

    Raises
    ------
    ValueError
        If it holds something other than this sweep, or a damaged one; if it cannot be written; or if another process
        writes to it.
    """
    try:
        with claimed(out, RECORD, UNFINISHED, resume=True) as place:
            _recorded(place, spec)
            batches, length = read(place, spec)
            with open(place / POINTS, "ab") as file:
                if file.tell() > length:
                    file.truncate(length)
                yield Folder(place, batches, file)
    except PermissionError as error:
        raise ValueError(f"out must be a folder that can be written; got {os.fspath(out)}: {error.strerror}") from error


def _recorded(place: Path, spec: Spec) -> None:
    """Write down what the sweep is, or see that it is what is written down."""
    here = {"format": FORMAT, "version": __version__, "spec": spec.to_dict()}
    if not (place / RECORD).exists():
        with atomically(place / RECORD) as temporary, open(temporary, "w", encoding="utf-8") as file:
            json.dump(here, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        return
    try:
        there = json.loads((place / RECORD).read_bytes())
        kept = dict(there["spec"]) | {name: there[name] for name in ("format", "version")}
    except (ValueError, TypeError, KeyError) as error:
        raise damaged(place, f"{RECORD}: {error}") from error
    given = spec.to_dict() | {"format": FORMAT, "version": __version__}
    if list(kept.get("axes", ())) != list(given["axes"]):
        raise _other(place, "axes", list(kept.get("axes", ())), list(given["axes"]))  # in this order
    for name, value in given.items():
        if not _same(kept.get(name), value):
            raise _other(place, name, kept.get(name), value)


def _same(there: Any, here: Any) -> bool:
    """Whether two are the same as JSON; 1 is not 1.0, which an option may make a difference of."""
    return json.dumps(there, sort_keys=True) == json.dumps(here, sort_keys=True)


def _other(place: Path, name: str, there: Any, here: Any) -> ValueError:
    """Make the error for another sweep: where the two differ, and in what."""
    while isinstance(there, dict) and isinstance(here, dict):
        inner = next(key for key in {**there, **here} if not _same(there.get(key), here.get(key)))
        name, there, here = f"{name}.{inner}", there.get(inner), here.get(inner)
    return ValueError(
        f"out must hold the same sweep to continue it; {place} differs in {name} ({there} there, {here} here)"
    )


def read(place: Path, spec: Spec) -> tuple[list[Batch], int]:
    """Batches that are kept, and their length in bytes.

    Raises
    ------
    ValueError
        If one that is whole is damaged.
    """
    try:
        content = (place / POINTS).read_bytes()
    except FileNotFoundError:
        return [], 0
    kind, begin = row_type(spec), 0
    batches: list[Batch] = []
    while (line := content.find(b"\n", begin)) >= 0:
        number = len(batches) + 1
        try:
            header = json.loads(content[begin:line])
            end = line + 1 + int(header["rows"]) * kind.itemsize
            reasons, check = [str(reason) for reason in header["reasons"]], header["check"]
        except (ValueError, TypeError, KeyError) as error:
            raise damaged(place, f"batch {number} of {POINTS} is not what was written") from error
        if end > len(content):
            break  # cut short
        if _check(content[line + 1 : end], reasons) != check:
            if end == len(content):
                break  # of a machine that went down, before what was written was on its disk
            raise damaged(place, f"batch {number} of {POINTS} is not what was written")
        batches.append(Batch(np.frombuffer(content[line + 1 : end], kind), tuple(reasons)))
        begin = end
    return batches, begin


def missing(spec: Spec, batches: list[Batch]) -> list[IntArray]:
    """Points that no batch has, by method."""
    left = np.ones((len(spec.methods), spec.size), bool)
    for batch in batches:
        left[batch.rows["method"], batch.rows["point"]] = False
    return [np.flatnonzero(row) for row in left]


def damaged(place: Path, reason: str) -> ValueError:
    """Make the error for a folder that cannot be read."""
    return ValueError(f"{place} must be the folder of a sweep: {reason}")
