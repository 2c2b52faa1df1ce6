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
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from ctrnn_theory import __version__
from ctrnn_theory.support.files import read_file, reason
from ctrnn_theory.support.run_folder import Kind, Log, RunFolder, claimed, read_record, verify
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
"""How a batch begins."""
LARGEST = 4
"""How many times as large as its rows, and some bytes for each, the batches can be with the reasons of failures."""
SHARE, LONGEST = 10, 2.0
"""A batch waits to be counted for so many times as long as counting takes, since clusters have many; and at most so."""


class Folder:
    """The folder of a sweep, for the one process that writes to it."""

    def __init__(self, run: RunFolder, spec: Spec, batches: list[Batch], log: Log) -> None:
        self.run, self.spec, self.batches, self.log = run, spec, batches, log
        """`batches`: those that were kept when it was opened."""
        self.last, self.cost = monotonic(), 0.0

    @property
    def place(self) -> Path:
        """Where it is."""
        return self.run.place

    def add(self, batch: Batch) -> None:
        """Keep a batch."""
        rows, reasons = batch.rows.tobytes(), list(batch.reasons)
        header = {"rows": batch.rows.size, "reasons": reasons, "check": _check(rows, reasons)}
        self.log.add(json.dumps(header).encode() + b"\n" + rows)
        if monotonic() - self.last >= min(SHARE * self.cost, LONGEST):
            self.count()

    def settle(self) -> None:
        """Count what was added since."""
        if self.run.record is None or self.run.record["kept"].get(POINTS) != [self.log.size, self.log.check]:
            self.count()

    def count(self, **others: tuple[int, int]) -> None:
        """Count what was added, on the disk, and other files of the folder."""
        begin = monotonic()
        self.run.keep(_content(self.spec), self.log, **others)
        self.last, self.cost = monotonic(), monotonic() - begin


def _content(spec: Spec) -> dict[str, Any]:
    return {"version": __version__, "spec": spec.to_dict()}


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
    Unwritten
        If the disk is full.
    """
    with claimed(out, KIND, resume=True) as run:
        if run.record is None:
            run.keep(_content(spec))
        else:
            _check_same(run.place, run.record, spec)
        batches, size, check = read(run.place, spec)
        with run.log(POINTS, size, check) as log:
            folder = Folder(run, spec, batches, log)
            try:
                yield folder
            except OSError:  # which may be that nothing can be written
                raise
            except BaseException:
                folder.settle()
                raise
            folder.settle()


def _check_same(place: Path, there: dict[str, Any], spec: Spec) -> None:
    """See that a sweep is the one that is written down."""
    try:
        kept = dict(there["spec"]) | {"version": there["version"]}
    except KeyError as error:
        raise KIND.damaged(place, KIND.record, f"it lacks {error}") from error
    except (ValueError, TypeError) as error:
        raise KIND.damaged(place, KIND.record, reason(error)) from error
    given = spec.to_dict() | {"version": __version__}
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


def read(place: Path, spec: Spec) -> tuple[list[Batch], int, int]:
    """Batches that are kept, their length in bytes and its checksum.

    Raises
    ------
    ValueError
        If one of them is damaged.
    """
    kept = (read_record(place, KIND) or {"kept": {}})["kept"].get(POINTS)
    kind, begin = row_type(spec), 0
    if kept is None:  # none yet, or of a version without checksums
        content = _content_of(place, spec)
    else:
        verify(place, POINTS, KIND, kept)
        content = _content_of(place, spec)[: kept[0]]
    batches: list[Batch] = []
    while (line := content.find(b"\n", begin)) >= 0:
        name = f"batch {len(batches) + 1} of {POINTS}"
        try:
            header = json.loads(content[begin:line])
            end = line + 1 + int(header["rows"]) * kind.itemsize
            reasons, check = [str(text) for text in header["reasons"]], header["check"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise KIND.damaged(place, name, "it is not what was written") from error
        cut_short = end > len(content) and HEADER not in content[line:]
        if _check(content[line + 1 : end], reasons) != check:
            if cut_short or end == len(content):
                break  # by a kill, or of a machine that went down, before what was written was on its disk
            raise KIND.damaged(place, name, "it is not what was written")
        batches.append(Batch(np.frombuffer(content[line + 1 : end], kind), tuple(reasons)))
        begin = end
    return batches, begin, zlib.crc32(content[:begin])


def _content_of(place: Path, spec: Spec) -> bytes:
    most = LARGEST * (row_type(spec).itemsize + 64) * spec.size * len(spec.methods) + (1 << 26)
    try:
        return read_file(place / POINTS, most)
    except FileNotFoundError:
        return b""
    except (OSError, ValueError) as error:
        raise KIND.damaged(place, POINTS, reason(error)) from error


def missing(spec: Spec, batches: list[Batch]) -> list[IntArray]:
    """Points that no batch has, by method."""
    left = np.ones((len(spec.methods), spec.size), bool)
    for batch in batches:
        left[batch.rows["method"], batch.rows["point"]] = False
    return [np.flatnonzero(row) for row in left]
