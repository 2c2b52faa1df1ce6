"""The folder of a run that can be cut off at any moment: one writer, a record, and checksums of what is kept.

A run is known by its record, a file of JSON with what decides its numbers. For each file that grows during the run the
record says how many bytes of it are kept, and their checksum. They are on the disk before the record is replaced by
one that counts them, so that what it counts is there whatever happens. The record has a checksum of its own. Nothing is
changed before all of them have been compared with what is there.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ctrnn_theory.support.files import Unwritten, atomically, open_file, read_file, reason, writing

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
FORMAT = 2
"""Of a folder; raised when older readers would misread it. The first has no checksums."""
PIECE = 1 << 20
"""Bytes that are read at a time."""


@dataclass(frozen=True)
class Kind:
    """A kind of run."""

    name: str
    """What a message calls it."""
    record: str
    """Name of the file by which a run is known."""
    unfinished: tuple[str, ...]
    """Patterns of the names of temporary files, which a kill may leave."""
    go_on: str
    """How a run goes on that could not be written any further."""
    folders: tuple[str, ...] = ()
    """Names of what is written as a folder of files."""

    def damaged(self, place: Path, name: str, why: str, remedy: str = "") -> ValueError:
        """Make the error for a file that is not what was written."""
        remedy = remedy or "restore it from a copy, or begin again in another folder"
        return ValueError(f"{place} must be the folder of {self.name}: {name}: {why}; {remedy}")


def checksum(content: Mapping[str, Any]) -> int:
    """Checksum of an object of JSON, apart from the checksum that it holds."""
    bare = {name: value for name, value in content.items() if name != "check"}
    return zlib.crc32(json.dumps(bare, sort_keys=True).encode())


def read_json(place: Path, name: str, kind: Kind) -> dict[str, Any] | None:
    """Object in a file of the folder, compared with its checksum if it has one; None if there is no such file.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    try:
        found = json.loads(read_file(place / name))
        if not isinstance(found, dict):
            raise ValueError(f"it holds {type(found).__name__} and no object")
        if "check" in found and found["check"] != checksum(found):
            raise ValueError("it is not what was written")
    except FileNotFoundError:
        return None
    except (ValueError, OSError, RecursionError) as error:
        raise kind.damaged(place, name, reason(error)) from error
    return found


def read_record(place: Path, kind: Kind) -> dict[str, Any] | None:
    """Return what the record of a folder says, or None if there is none; under "kept" (bytes, checksum) by file.

    Raises
    ------
    ValueError
        If it is damaged, or of a later format.
    """
    found = read_json(place, kind.record, kind)
    if found is None:
        return None
    number = found.get("format")
    if type(number) is not int or number < 1 or (number > 1 and "check" not in found):
        raise kind.damaged(place, kind.record, "it lacks its format or its checksum")
    if number > FORMAT:
        raise kind.damaged(place, kind.record, f"it has format {number}, this version reads up to {FORMAT}")
    kept = found.get("kept") if number > 1 else {}
    if not isinstance(kept, dict) or not all(_counts(entry) for entry in kept.values()):
        raise kind.damaged(place, kind.record, "it lacks what is kept")
    return {**found, "kept": kept}


def _counts(entry: Any) -> bool:
    return isinstance(entry, list) and [type(number) for number in entry] == [int, int] and min(entry) >= 0


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object with its checksum, whole or not at all, to the disk."""
    with atomically(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump({**content, "check": checksum(content)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def verify(place: Path, name: str, kind: Kind, kept: Any, remedy: str = "") -> None:
    """Compare the first bytes of a file with what was kept, (bytes, checksum).

    Raises
    ------
    ValueError
        If they differ, or some are missing.
    """
    size, wanted = kept
    found, left = 0, size
    try:
        with open_file(place / name) as file:
            while left and (piece := file.read(min(left, PIECE))):
                found, left = zlib.crc32(piece, found), left - len(piece)
    except (OSError, ValueError) as error:
        raise kind.damaged(place, name, reason(error), remedy) from error
    if left:
        raise kind.damaged(place, name, f"it has {size - left} bytes of the {size} that were written", remedy)
    if found != wanted:
        raise kind.damaged(place, name, "its content is not what was written", remedy)


def measure(path: Path) -> tuple[int, int]:
    """Bytes and checksum of a file, or of all files in a folder and their names.

    Raises
    ------
    ValueError
        If something in it is neither.
    OSError
        If it cannot be read.
    """
    size = check = 0
    for found in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if path != found:
            check = zlib.crc32(found.relative_to(path).as_posix().encode(), check)
        if found.is_dir():
            continue
        with open_file(found) as file:
            while piece := file.read(PIECE):
                size, check = size + len(piece), zlib.crc32(piece, check)
    return size, check


class RunFolder:
    """The folder of a run, for the one process that writes to it."""

    def __init__(self, place: Path, kind: Kind, lock: BinaryIO) -> None:
        self.place, self.kind = place, kind
        self.record = read_record(place, kind)
        """What the record says, None while there is none."""
        self.watched = {place / LOCK: os.fstat(lock.fileno())}
        if self.record is not None:
            self.watched[place / kind.record] = os.stat(place / kind.record)

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """See that the folder is still there, and say what can be done where a file of it cannot be written."""
        with writing(self.place / name, f"; {self.kind.go_on}"):
            for path, status in self.watched.items():
                try:
                    same = os.path.samestat(os.stat(path), status)
                except (FileNotFoundError, NotADirectoryError):
                    same = False
                if not same:
                    why = "it was removed, moved or replaced while the run wrote to it"
                    raise Unwritten(errno.ENOENT, why, str(self.place if path.name == LOCK else path))
            self._check_kind(name)
            yield

    def _check_kind(self, name: str) -> None:
        """Refuse to write to what is neither a file nor a link to one: a device is not to be replaced."""
        path = self.place / name
        if path.exists() and not path.is_file() and path.name not in self.kind.folders:
            raise self.kind.damaged(self.place, name, "it is not a file")

    def keep(self, content: Mapping[str, Any], *logs: Log, **others: tuple[int, int]) -> None:
        """Have what was added to logs written to the disk, then replace the record by one that counts it.

        The names of other files come with their bytes and checksum.
        """
        kept = dict((self.record or {}).get("kept", {})) | {name: list(count) for name, count in others.items()}
        for log in logs:
            log.flush()
            kept[log.name] = [log.size, log.check]
        found = {**content, "format": FORMAT, "kept": kept}
        with self.writing(self.kind.record):
            write_json(self.place / self.kind.record, found)
            self.watched[self.place / self.kind.record] = os.stat(self.place / self.kind.record)
        self.record = found

    @contextmanager
    def log(self, name: str, size: int, check: int, room: int | None = None) -> Iterator[Log]:
        """Give a file that grows, of which so many bytes are kept; what is beyond is dropped.

        Its whole size can be reserved by `room`, so that a full disk is known of before the run.
        """
        with self.writing(name):
            handle = os.open(self.place / name, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        with open(handle, "r+b", buffering=0) as file:
            with self.writing(name):
                if os.fstat(handle).st_size != (size if room is None else room):
                    os.ftruncate(handle, size if room is None else room)
                if room is not None:
                    _reserve(handle, room)
                file.seek(size)
            self.watched[self.place / name] = os.fstat(handle)
            try:
                yield Log(self, name, file, size, check)
            finally:
                del self.watched[self.place / name]


@dataclass
class Log:
    """A file that grows during a run."""

    folder: RunFolder
    """Where it is."""
    name: str
    """Its name."""
    file: Any
    """Open without a buffer, so that what fails to be written is not tried again later."""
    size: int
    """Bytes that were added."""
    check: int
    """Their checksum."""

    def add(self, content: bytes | memoryview) -> None:
        """Add to its end."""
        left = memoryview(content).cast("B")
        with self.folder.writing(self.name):
            self.file.seek(self.size)
            while left:
                left = left[self.file.write(left) :]
        self.size, self.check = self.size + memoryview(content).nbytes, zlib.crc32(content, self.check)

    def flush(self) -> None:
        """Have what was added written to the disk."""
        with self.folder.writing(self.name):
            os.fsync(self.file.fileno())


def _reserve(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(handle, 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # of a file system that cannot
                raise


@contextmanager
def claimed(out: str | os.PathLike[str], kind: Kind, resume: bool) -> Iterator[RunFolder]:
    """Give the folder of a run, made if there is none, which no other process writes to meanwhile.

    The lock ends with the process. What a kill has left of files that were being replaced is removed.

    Parameters
    ----------
    out
        The folder.
    kind
        Of the run.
    resume
        Whether it may hold a run.

    Raises
    ------
    ValueError
        If it holds something, other than a run where `resume` is set; if its record is damaged; if another process
        writes to it; or if it cannot be written.
    Unwritten
        If the disk is full.
    """
    folder = Path(out).absolute()
    if not folder.parent.is_dir() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"out must be a folder, in one that exists; got {os.fspath(out)}")
    with _writable(folder):
        folder.mkdir(exist_ok=True)
    _check_place(folder, kind, resume)  # before the lock, which is a file
    with _writable(folder):
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o666)
    with open(handle, "r+b", buffering=0) as file:
        _lock(file, folder)
        _check_place(folder, kind, resume)  # again, since another process may have begun
        found = RunFolder(folder, kind, file)
        with _writable(folder):
            for pattern in kind.unfinished:
                for path in folder.glob(pattern):
                    path.unlink()
        yield found


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        with writing(folder):
            yield
            if folder.exists() and not os.access(folder, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except Unwritten as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise ValueError(f"out must be a folder that can be written; got {folder}: {error.strerror}") from error


def _lock(file: BinaryIO, folder: Path) -> None:
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise ValueError(f"out must not be written to by another process; {folder} is") from error
    except OSError as error:
        raise ValueError(f"out must be on a file system with locks; {folder}: {reason(error)}") from error


def _check_place(folder: Path, kind: Kind, resume: bool) -> None:
    if resume and os.path.lexists(folder / kind.record):
        return
    ours = {folder / LOCK}.union(*(folder.glob(pattern) for pattern in kind.unfinished))
    if held := sorted(path.name for path in folder.iterdir() if path not in ours):
        rule, none = "be empty, or a run that is to be resumed", ""
        if resume:
            rule, none = "be empty or hold a run", f" and no {kind.record}"
        raise ValueError(f"out must {rule}; {folder} holds {held[0]}{none}")
