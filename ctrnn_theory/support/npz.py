"""Reading .npz files of unknown origin: nothing is unpickled, and no more is allocated than the file holds."""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.support.files import AnyPath, open_file

MOST_ARRAYS = 1024
"""Number of arrays that a file may have."""
MOST_DIRECTORY = 1 << 18
"""Bytes that the list of them may have."""
RATIO = 1040
"""Number of bytes that one compressed byte can become, at most; the limit of DEFLATE is 1032."""
END, END_64, LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
"""The records at the end of a zip file; the last two are there only if it is large."""


def read_arrays(path: AnyPath, max_bytes: int, skip_objects: bool = False) -> dict[str, NDArray[Any]]:
    """Return all arrays of a file, by name, after comparing each with its checksum.

    Parameters
    ----------
    path
        The file.
    max_bytes
        Bytes that all arrays together may have.
    skip_objects
        Whether arrays of objects, which are pickles, are left out instead of refused.

    Raises
    ------
    ValueError
        If the file is no regular file, is no whole .npz file, or holds objects or more than `max_bytes`.
    OSError
        If the file cannot be opened.
    """
    with open_file(path) as stream:
        try:
            count = _count(stream)
            with zipfile.ZipFile(stream) as archive:
                _check(archive.infolist(), count, os.fstat(stream.fileno()).st_size, max_bytes)
                read = {info.filename.removesuffix(".npy"): _array(archive, info) for info in archive.infolist()}
        except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OverflowError, struct.error) as error:
            raise ValueError(f"it is not a whole .npz archive: {error}") from error
    for name, array in read.items():
        if array is None and not skip_objects:
            raise ValueError(f"{name}.npy holds objects, which are not read")
    return {name: array for name, array in read.items() if array is not None}


def _count(stream: BinaryIO) -> int:
    """Return how many arrays a zip file declares at its end; refuse a file whose list would take long to read."""
    size = stream.seek(0, os.SEEK_END)
    last = size - END.size
    if last < 0 or (end := _unpack(stream, END, last))[0] != b"PK\5\6" or end[-1]:
        raise ValueError("it is not a whole .npz archive")
    count, length = end[4], end[5]
    before = last - LOCATOR.size - END_64.size
    if before >= 0 and _unpack(stream, LOCATOR, last - LOCATOR.size)[0] == b"PK\6\7":
        large = _unpack(stream, END_64, before)
        count, length = large[7], large[8]
    if count > MOST_ARRAYS or length > MOST_DIRECTORY:
        raise ValueError(f"it holds {count} arrays, and at most {MOST_ARRAYS} are read")
    return int(count)


def _unpack(stream: BinaryIO, what: struct.Struct, where: int) -> tuple[Any, ...]:
    stream.seek(where)
    return what.unpack(stream.read(what.size))


def _check(members: list[zipfile.ZipInfo], count: int, size: int, max_bytes: int) -> None:
    """Raise a ValueError if the list contradicts the size of the file, or declares more bytes than are allowed."""
    names = [info.filename for info in members]
    if len(names) != count or len(set(names)) != count or not all(name.endswith(".npy") for name in names):
        raise ValueError("its list of arrays is not that of an .npz archive")
    if sum(info.compress_size for info in members) > size:
        raise ValueError("its arrays overlap, or it is cut short")
    for info in members:
        factor = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: RATIO}.get(info.compress_type, 0)
        if info.flag_bits & 1 or info.file_size > factor * info.compress_size:
            raise ValueError(f"{info.filename} cannot have {info.file_size} bytes, as the file declares")
    if (total := sum(info.file_size for info in members)) > max_bytes:
        raise ValueError(f"its arrays have {total} bytes, more than max_bytes, which is {max_bytes}")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any] | None:
    """Return an array, or None for one of objects, which nothing here unpickles."""
    with archive.open(info) as member:
        content = member.read(info.file_size)  # compared with its checksum at its end
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{info.filename} has an unknown version of the .npy format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        return None
    left = len(content) - stream.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != left:
        raise ValueError(f"{info.filename} has {left} bytes and not those of shape {shape}")
    array = np.frombuffer(content, dtype, offset=stream.tell()).copy() if left else np.empty(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C")
