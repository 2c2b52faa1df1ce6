"""A sweep in a folder that can be cut off at any moment, see :mod:`ctrnn_theory.support.run_folder`.

`sweep.json` holds the specification, `points.bin` the batches that are finished. A batch is one line of JSON, with the
number of its rows, the reasons of failures and a checksum, and then its rows as they are in memory.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import numpy as np

from ctrnn_theory import __version__
from ctrnn_theory.support.claim import claimed
from ctrnn_theory.support.files import read_file
from ctrnn_theory.support.run_folder import Folder, Kind, Log
from ctrnn_theory.support.types import IntArray
from ctrnn_theory.sweeping.batch import Batch, row_type
from ctrnn_theory.sweeping.spec import Spec

POINTS = "points.bin"
KIND = Kind(
    "a sweep",
    "sweep.json",
    (".sweep.*.json", ".sweep.*.nc"),
    "what is kept is whole, and the same sweep goes on with it",
    ("sweep.zarr",),
)
HEADER = b'{"rows": '
"""Bytes that a batch begins with."""
LARGEST = 4
"""Size of the batches with the reasons of failures, at most, in units of the size of their rows."""
SHARE, LONGEST = 10, 2.0
"""Batches wait to be counted for this many times as long as counting takes, but at most for this many seconds; a
cluster sends many of them."""


class Writer:
    """Writes a sweep to its folder."""

    def __init__(self, folder: Folder, spec: Spec, batches: list[Batch], log: Log) -> None:
        self.folder, self.spec, self.log = folder, spec, log
        self.batches = batches
        """Batches that were kept when the folder was opened."""
        self._last, self._cost = monotonic(), 0.0

    def add(self, batch: Batch) -> None:
        """Keep a batch."""
        rows, reasons = batch.rows.tobytes(), list(batch.reasons)
        header = {"rows": batch.rows.size, "reasons": reasons, "check": _check(rows, reasons)}
        self.log.add(json.dumps(header).encode() + b"\n" + rows)
        if monotonic() - self._last >= min(SHARE * self._cost, LONGEST):
            self.count()

    def finish(self) -> None:
        """Count the batches that were added since the last count, if there are any."""
        if self.folder.kept(POINTS) != (self.log.size, self.log.check):
            self.count()

    def count(self, **others: tuple[int, int]) -> None:
        """Count the batches that were added, on the disk, and other files of the folder."""
        begin = monotonic()
        self.folder.keep(_content(self.spec), self.log, **others)
        self._last, self._cost = monotonic(), monotonic() - begin


def _content(spec: Spec) -> dict[str, Any]:
    return {"version": __version__, "spec": spec.to_dict()}


def _check(rows: bytes, reasons: list[str]) -> int:
    return zlib.crc32(json.dumps(reasons).encode() + rows)


@contextmanager
def opened(out: str | os.PathLike[str], spec: Spec) -> Iterator[Writer]:
    """Give a writer for the folder of a sweep, new or begun, which no other process writes to meanwhile.

    Raises
    ------
    ValueError
        If the folder holds something other than this sweep, or a damaged one; if it cannot be written; or if another
        process writes to it.
    Unwritten
        If the disk is full.
    """
    with claimed(out, KIND, resume=True) as folder:
        if folder.record is None:
            folder.keep(_content(spec))
        else:
            _check_same(folder, folder.record, spec)
        batches, size, check = read(folder, spec)
        with folder.log(POINTS, size, check) as log:
            writer = Writer(folder, spec, batches, log)
            try:
                yield writer
            except OSError:  # perhaps since nothing can be written
                raise
            except BaseException:
                writer.finish()
                raise
            writer.finish()


def _check_same(folder: Folder, record: dict[str, Any], spec: Spec) -> None:
    """Raise a ValueError unless the record is that of this sweep, with its axes in the same order."""
    with folder.reading(KIND.record):
        there = dict(record["spec"]) | {"version": record["version"]}
        axes = list(there.get("axes", ()))
    here = spec.to_dict() | {"version": __version__}
    folder.check_same({"axes": axes}, {"axes": list(here["axes"])})
    folder.check_same(there, here)


def read(folder: Folder, spec: Spec) -> tuple[list[Batch], int, int]:
    """Return the batches that are kept, their length in bytes and its checksum.

    Raises
    ------
    ValueError
        If one of them is damaged.
    """
    kept, kind, begin = folder.kept(POINTS), row_type(spec), 0
    if kept is None:  # there is no batch yet, or the folder is of a version without checksums
        content = _content_of(folder, spec)
    else:
        folder.verify(POINTS, kept)
        content = _content_of(folder, spec)[: kept[0]]
    batches: list[Batch] = []
    while (line := content.find(b"\n", begin)) >= 0:
        name = f"batch {len(batches) + 1} of {POINTS}"
        try:
            header = json.loads(content[begin:line])
            end = line + 1 + int(header["rows"]) * kind.itemsize
            reasons, check = [str(text) for text in header["reasons"]], header["check"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise folder.damaged(name, "it is not what was written") from error
        cut_short = end > len(content) and HEADER not in content[line:]
        if _check(content[line + 1 : end], reasons) != check:
            if cut_short or end == len(content):
                break  # a kill, or a machine that went down, came before what was written was on its disk
            raise folder.damaged(name, "it is not what was written")
        batches.append(Batch(np.frombuffer(content[line + 1 : end], kind), tuple(reasons)))
        begin = end
    return batches, begin, zlib.crc32(content[:begin])


def _content_of(folder: Folder, spec: Spec) -> bytes:
    most = LARGEST * (row_type(spec).itemsize + 64) * spec.size * len(spec.methods) + (1 << 26)
    with folder.reading(POINTS):
        try:
            return read_file(folder.place / POINTS, most)
        except FileNotFoundError:
            return b""


def missing(spec: Spec, batches: list[Batch]) -> list[IntArray]:
    """Return the points that no batch holds, for each method."""
    left = np.ones((len(spec.methods), spec.size), bool)
    for batch in batches:
        left[batch.rows["method"], batch.rows["point"]] = False
    return [np.flatnonzero(row) for row in left]
