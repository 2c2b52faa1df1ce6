"""Writing a file whole or not at all, and a folder by one process alone."""

from __future__ import annotations

import os
import shutil
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
LINKS = 40
"""Links that are followed from one to the next, as Linux does."""


@contextmanager
def atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file beside `path`, which takes its place when the block ends without an error.

    A failure leaves a file that was there before as it was. The mode of such a file is kept, links are followed. What
    is no file, such as a pipe or a device, stays where it is, and what was written is copied into it.

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
    suffix = Path(path).suffix  # of the name that was given: a link's target may have none
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
    """Whether it is a pipe, a device or what a process has open, which no new file may replace."""
    for _ in range(LINKS):
        if path.parent.resolve().is_relative_to("/proc"):  # as behind /dev/stdout
            return True
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def claimed(out: str | os.PathLike[str], record: str, unfinished: tuple[str, ...], resume: bool) -> Iterator[Path]:
    """Give the folder of a run, made if there is none, which no other process writes to meanwhile.

    The lock ends with the process. What a kill has left of files that were being replaced is removed.

    Parameters
    ----------
    out
        The folder.
    record
        Name of the file by which a run is known.
    unfinished
        Patterns of the names of temporary files.
    resume
        Whether it may hold a run.

    Raises
    ------
    ValueError
        If it holds something, other than a run where `resume` is set; or if another process writes to it.
    """
    folder = Path(out)
    if not folder.parent.is_dir() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"out must be a folder, in one that exists; got {folder}")
    folder.mkdir(exist_ok=True)
    _check_place(folder, record, unfinished, resume)  # before the lock, which is a file
    with open(folder / LOCK, "a") as file:
        try:
            if sys.platform == "win32":
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise ValueError(f"out must not be written to by another process; {folder} is") from error
        _check_place(folder, record, unfinished, resume)  # again, since another process may have begun
        for pattern in unfinished:
            for path in folder.glob(pattern):
                path.unlink()
        yield folder


def _check_place(folder: Path, record: str, unfinished: tuple[str, ...], resume: bool) -> None:
    if resume and (folder / record).exists():
        return
    ours = {folder / LOCK}.union(*(folder.glob(pattern) for pattern in unfinished))
    if held := sorted(path.name for path in folder.iterdir() if path not in ours):
        rule = "be empty or hold a run" if resume else "be empty, or a run that is to be resumed"
        raise ValueError(f"out must {rule}; {folder} holds {held[0]}")


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it is to set it
    os.umask(mask)
    return mask
