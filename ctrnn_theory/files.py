"""Writing a file whole or not at all, and a folder by one process alone."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"


@contextmanager
def atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file beside `path`, which takes its place when the block ends without an error.

    A failure leaves a file that was there before as it was. The mode of such a file is kept, links are followed.

    Parameters
    ----------
    path
        The file to be written.

    Raises
    ------
    ValueError
        If `path` is a folder, or lies in one that does not exist.
    OSError
        If the file cannot be written.
    """
    target = Path(path).resolve()
    if target.is_dir() or not target.parent.is_dir():
        raise ValueError(f"path must be a file in a folder that exists; got {os.fspath(path)}")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder, which ends with the process.

    Raises
    ------
    ValueError
        If another process holds it.
    """
    with open(folder / LOCK, "a") as file:
        try:
            if sys.platform == "win32":
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise ValueError(f"out must not be written to by another process; {folder} is") from error
        yield


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it is to set it
    os.umask(mask)
    return mask
