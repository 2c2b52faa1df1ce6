"""The folder of a run that can be cut off at any moment: one writer, a record, and checksums of what is kept.

A run is known by its record, a JSON file with everything that decides its numbers. For each file that grows during the
run, the record says how many bytes of the file are kept, and their checksum. These bytes are on the disk before the
record that counts them replaces the one before, so that what a record counts is there whatever happens. The record has
a checksum of its own. Nothing is changed before all checksums have been compared with what is there.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.support.arguments import shown
from ctrnn_theory.support.checksums import CHECK, measure_start, read_json, write_json
from ctrnn_theory.support.files import Unwritten, atomically, reason, writing
from ctrnn_theory.support.npz import read_arrays

LOCK = ".lock"
"""Name of the file that the writing process holds locked."""
FORMAT = 2
"""Version of the format; raised when older readers would misread a folder. Version 1 had no checksums."""
KEPT = "kept"
"""Name under which a record lists (bytes, checksum) of each file that it counts."""
UNREADABLE = (OSError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)
"""Errors besides KeyError that reading damaged bytes can raise."""


class Damaged(ValueError):
    """A file in the folder of a run is not what was written."""


@dataclass(frozen=True)
class Kind:
    """A kind of run."""

    name: str
    """What messages call it."""
    record: str
    """Name of the file by which a run is known."""
    unfinished: tuple[str, ...]
    """Patterns of the names of temporary files, which a killed process may leave behind."""
    go_on: str
    """What messages say about going on with a run that could not be written any further."""
    folders: tuple[str, ...] = ()
    """Names under which not a file but a folder of files is written."""


class Folder:
    """The folder of a run, which anyone may read, and one process may write.

    That process has it from :func:`ctrnn_theory.support.claim.claimed`.

    Parameters
    ----------
    place
        The folder.
    kind
        Kind of the run.
    lock
        The locked file, for the process that writes.

    Raises
    ------
    ValueError
        If the record is damaged, or was written by a later version.
    """

    def __init__(self, place: str | os.PathLike[str], kind: Kind, lock: BinaryIO | None = None) -> None:
        self.place, self.kind = Path(place), kind
        self.record = self._read_record()
        """Content of the record, with (bytes, checksum) by file under "kept"; None where there is no record."""
        self._watched = {} if lock is None else {self.place / LOCK: os.fstat(lock.fileno())}
        """Files that must stay the same while the run goes on."""
        if lock is not None and self.record is not None:
            self._watch(self.kind.record)

    def damaged(self, name: str, why: str, remedy: str = "") -> Damaged:
        """Return the error for a file that is not what was written."""
        remedy = remedy or "restore it from a copy, or begin again in another folder"
        return Damaged(f"{self.place} must be the folder of {self.kind.name}: {name}: {why}; {remedy}")

    @contextmanager
    def reading(self, name: str, remedy: str = "") -> Iterator[None]:
        """Report whatever fails within the block as damage to a file."""
        try:
            yield
        except Damaged:
            raise
        except KeyError as error:
            raise self.damaged(name, f"it lacks {error}", remedy) from error
        except UNREADABLE as error:
            raise self.damaged(name, reason(error), remedy) from error

    def json(self, name: str) -> dict[str, Any] | None:
        """Return the JSON object in a file, or None if there is no such file; raise a ValueError if it is damaged."""
        with self.reading(name):
            try:
                return read_json(self.place / name)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def arrays(self, name: str, max_bytes: int, remedy: str = "") -> dict[str, NDArray[Any]] | None:
        """Return the arrays in a file, or None if there is no such file; raise a ValueError if it is damaged."""
        with self.reading(name, remedy):
            try:
                return read_arrays(self.place / name, max_bytes)
            except FileNotFoundError:
                return None

    def kept(self, name: str) -> tuple[int, int] | None:
        """Return how many bytes of a file the record counts, and their checksum; None if it does not count them."""
        found = (self.record or {}).get(KEPT, {}).get(name)
        return None if found is None else (found[0], found[1])

    def verify(self, name: str, counted: tuple[int, int], remedy: str = "") -> None:
        """Raise a ValueError unless a file begins with as many bytes as were counted, of the same checksum."""
        size, check = counted
        with self.reading(name, remedy):
            there, found = measure_start(self.place / name, size)
            if there < size:
                raise ValueError(f"it has {there} bytes of the {size} that were written")
            if found != check:
                raise ValueError("its content is not what was written")

    def check_same(self, there: Mapping[str, Any], here: Mapping[str, Any], hidden: tuple[str, ...] = ()) -> None:
        """Raise a ValueError that names what differs between the settings of the kept run and those of this run.

        Values are compared as JSON, where 1 is not 1.0; those of the names in `hidden` are not shown.
        """
        names = [name for name in here if not _same(there.get(name), here[name])]
        if names:
            texts = [name if name in hidden else _difference(name, there.get(name), here[name]) for name in names]
            rule = "out must hold a run of the same settings to resume it"
            raise ValueError(f"{rule}; {self.place} differs in {', '.join(texts)}")

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Check that the folder is still in its place, and report what fails within the block with a remedy."""
        with writing(self.place / name, f"; {self.kind.go_on}"):
            for path, status in self._watched.items():
                try:
                    same = os.path.samestat(os.stat(path), status)
                except (FileNotFoundError, NotADirectoryError):
                    same = False
                if not same:
                    why = "it was removed, moved or replaced while the run wrote to it"
                    raise Unwritten(errno.ENOENT, why, str(self.place if path.name == LOCK else path))
            path = self.place / name
            if path.exists() and not path.is_file() and name not in self.kind.folders:  # a device stays where it is
                raise self.damaged(name, "it is not a file")
            yield

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON object and its checksum to a file on the disk, whole or not at all."""
        with self.writing(name):
            write_json(self.place / name, content)

    def write_arrays(self, name: str, arrays: Mapping[str, ArrayLike]) -> None:
        """Write arrays to a file on the disk, whole or not at all."""
        with self.writing(name), atomically(self.place / name) as path, open(path, "wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle
            stream.flush()
            os.fsync(stream.fileno())

    def remove(self, name: str) -> None:
        """Remove a file, if there is one."""
        with self.writing(name):
            (self.place / name).unlink(missing_ok=True)

    def keep(self, content: Mapping[str, Any], *logs: Log, **others: tuple[int, int]) -> None:
        """Write what was added to logs to the disk, then replace the record by one that counts it.

        `others` gives the bytes and the checksum of other files, by name.
        """
        counts = dict((self.record or {}).get(KEPT, {})) | {name: list(count) for name, count in others.items()}
        for log in logs:
            log.flush()
            counts[log.name] = [log.size, log.check]
        found = {**content, "format": FORMAT, KEPT: counts}
        with self.writing(self.kind.record):
            write_json(self.place / self.kind.record, found)
            self._watch(self.kind.record)
        self.record = found

    @contextmanager
    def log(self, name: str, size: int, check: int, reserve: int | None = None) -> Iterator[Log]:
        """Open a file that grows, of which `size` bytes with the checksum `check` are kept; drop what is beyond them.

        With `reserve`, the disk space of the whole file is reserved, so that a full disk is noticed before the run.
        """
        with self.writing(name):
            handle = os.open(self.place / name, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        with open(handle, "r+b", buffering=0) as file:
            with self.writing(name):
                whole = size if reserve is None else reserve
                if os.fstat(handle).st_size != whole:
                    os.ftruncate(handle, whole)
                if reserve is not None:
                    _reserve(handle, reserve)
                file.seek(size)
            self._watched[self.place / name] = os.fstat(handle)
            try:
                yield Log(self, name, file, size, check)
            finally:
                del self._watched[self.place / name]

    def _watch(self, name: str) -> None:
        self._watched[self.place / name] = os.stat(self.place / name)

    def _read_record(self) -> dict[str, Any] | None:
        name = self.kind.record
        found = self.json(name)
        if found is None:
            return None
        number = found.get("format")
        if type(number) is not int or number < 1 or (number > 1 and CHECK not in found):
            raise self.damaged(name, "it lacks its format or its checksum")
        if number > FORMAT:
            why = f"it has format {number}, this version reads up to {FORMAT}"
            raise self.damaged(name, why, "open it with the version of ctrnn_theory that wrote it, or a later one")
        counts = found.get(KEPT) if number > 1 else {}
        if not isinstance(counts, dict) or not all(map(_is_count, counts.values())):
            raise self.damaged(name, "it lacks what is kept")
        return {**found, KEPT: counts}


@dataclass
class Log:
    """A file that grows during a run."""

    folder: Folder
    """Folder that holds it."""
    name: str
    """Its name."""
    file: Any
    """The file, open without a buffer, so that what fails to be written is not tried again later."""
    size: int
    """Bytes that were added."""
    check: int
    """Checksum of these bytes."""

    def add(self, content: bytes | memoryview) -> None:
        """Add bytes to the end."""
        left = memoryview(content).cast("B")
        with self.folder.writing(self.name):
            self.file.seek(self.size)
            while left:
                left = left[self.file.write(left) :]
        self.size, self.check = self.size + memoryview(content).nbytes, zlib.crc32(content, self.check)

    def flush(self) -> None:
        """Write what was added to the disk."""
        with self.folder.writing(self.name):
            os.fsync(self.file.fileno())


def _is_count(entry: Any) -> bool:
    return isinstance(entry, list) and [type(number) for number in entry] == [int, int] and min(entry) >= 0


def _same(there: Any, here: Any) -> bool:
    return json.dumps(there, sort_keys=True) == json.dumps(here, sort_keys=True)


def _difference(name: str, there: Any, here: Any) -> str:
    """Name the innermost entry in which two values differ, and both values of it."""
    while isinstance(there, dict) and isinstance(here, dict):
        inner = next(key for key in {**there, **here} if not _same(there.get(key), here.get(key)))
        name, there, here = f"{name}.{inner}", there.get(inner), here.get(inner)
    return f"{name} ({_text(there)} there, {_text(here)} here)"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _reserve(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # which mean that the file system cannot do it
                raise
