"""Writing files whole or not at all, and reading regular files of a limited size."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import BinaryIO

AnyPath = str | os.PathLike[str]
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
"""What a path can lead to besides a file, with the test for each."""
MOST_TEXT = 1 << 26
"""Bytes that a file of settings may have, more than any is written with."""
LINKS = 40
"""Number of links that are followed from one to the next, as in Linux."""


class Unwritten(OSError):
    """A file could not be written; the message says which, why, and what can be done, in one sentence."""

    remedy = ""
    """What can be done, as the end of the sentence."""

    def __str__(self) -> str:
        return f"{self.filename} cannot be written: {self.strerror}{self.remedy}"


@contextmanager
def writing(path: AnyPath, remedy: str = "") -> Iterator[None]:
    """Raise an :class:`Unwritten` for an OSError within the block, which writes `path`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        found = error
        if not isinstance(error, Unwritten):
            found = Unwritten(error.errno, error.strerror or str(error), os.fspath(path))
        found.remedy = found.remedy or remedy  # type: ignore[attr-defined]
        raise found from (None if found is error else error)


def _names_the_file(
    manager: Callable[[AnyPath], AbstractContextManager[Path]],
) -> Callable[[AnyPath], AbstractContextManager[Path]]:
    @wraps(manager)
    @contextmanager
    def named(path: AnyPath) -> Iterator[Path]:
        with writing(path), manager(path) as temporary:
            yield temporary

    return named


@_names_the_file
@contextmanager
def atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file beside `path`, which replaces it when the block ends without an error.

    After an error, a file that was there before is as it was. The mode of such a file is kept, and links are followed.
    A pipe or a device is not replaced; what was written is copied into it.

    Parameters
    ----------
    path
        The file to be written.

    Raises
    ------
    ValueError
        If `path` is a folder, or lies in one that does not exist.
    Unwritten
        If the file cannot be written.
    """
    suffix = Path(path).suffix  # from the name that was given, since the target of a link may have none
    if _stays(Path(path)):
        with tempfile.TemporaryDirectory() as folder:
            yield (whole := Path(folder) / f"written{suffix}")
            with open(whole, "rb") as source, os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as sink:
                shutil.copyfileobj(source, sink)
        return
    target = Path(path).resolve()
    if target.is_dir() or not target.parent.is_dir():
        raise ValueError(f"path must be a file in a folder that exists; got {os.fspath(path)}")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=suffix)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def check_file(name: str, path: Path) -> None:
    """Raise a ValueError unless a file can be written at `path`, before there is anything to write."""
    target, stays = path.resolve(), _stays(path)
    if target.is_dir() or not (target.parent.is_dir() or stays):
        raise ValueError(f"{name} must be a file in a folder that exists and can be written; got {path}")
    if not os.access(path if stays else target.parent, os.W_OK):
        raise ValueError(f"{name} must be a file in a folder that exists and can be written; got {path}")


def _stays(path: Path) -> bool:
    """Return whether a path is a pipe, a device or an open file of a process, which no new file may replace."""
    for _ in range(LINKS):
        if path.parent.resolve().is_relative_to("/proc"):  # as behind /dev/stdout
            return True
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return path.exists() and not path.is_file() and not path.is_dir()


def _umask() -> int:
    mask = os.umask(0)  # it can be read only by setting it
    os.umask(mask)
    return mask


def open_file(path: AnyPath) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device, which might never end, is refused at once.

    Raises
    ------
    ValueError
        If `path` is no regular file.
    OSError
        If the file cannot be opened.
    """
    _check_kind(os.stat(path))
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check_kind(os.fstat(handle))  # again, since another file may have replaced it
        return open(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _check_kind(status: os.stat_result) -> None:
    for is_kind, name in KINDS:
        if is_kind(status.st_mode):
            raise ValueError(f"it is {name} and not a file")


def read_file(path: AnyPath, most: int = MOST_TEXT) -> bytes:
    """Return the content of a file of at most `most` bytes.

    Raises
    ------
    ValueError
        If `path` is no regular file, or if the file is larger.
    OSError
        If the file cannot be read.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"it has {size} bytes, and at most {most} are read")
        return file.read(size)


def reason(error: BaseException) -> str:
    """Return why a file could not be read, as a part of a sentence on one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())
