"""Claiming the folder of a run, so that one process at a time writes to it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ctrnn_theory.support.files import Unwritten, reason, writing
from ctrnn_theory.support.run_folder import LOCK, Folder, Kind

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextmanager
def claimed(out: str | os.PathLike[str], kind: Kind, resume: bool) -> Iterator[Folder]:
    """Give the folder of a run to the block, which no other process writes to meanwhile; make it if there is none.

    The lock ends with the process. Temporary files that a killed process has left behind are removed.

    Parameters
    ----------
    out
        The folder.
    kind
        Kind of the run.
    resume
        Whether the folder may hold a run already.

    Raises
    ------
    ValueError
        If the folder holds something, other than a run where `resume` is set; if its record is damaged; if another
        process writes to it; or if it cannot be written.
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
        found = Folder(folder, kind, file)
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
        if resume:
            raise ValueError(f"out must be empty or hold a run; {folder} holds {held[0]} and no {kind.record}")
        raise ValueError(f"out must be empty, or a run that is to be resumed; {folder} holds {held[0]}")
