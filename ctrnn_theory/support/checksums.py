"""Checksums of files and of JSON objects, by which damage to them is noticed."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctrnn_theory.support.files import atomically, open_file, read_file

PIECE = 1 << 20
"""Bytes that are read at a time: few enough for the memory, enough for the speed of a disk."""
CHECK = "check"
"""Name under which an object holds the checksum of the rest of itself."""


def checksum(content: Mapping[str, Any]) -> int:
    """Return the checksum of a JSON object, leaving out the checksum that it holds."""
    bare = {name: value for name, value in content.items() if name != CHECK}
    return zlib.crc32(json.dumps(bare, sort_keys=True).encode())


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, compared with the checksum that it holds, if it holds one.

    Raises
    ------
    ValueError
        If the file holds something else, or if the checksum differs.
    OSError
        If the file cannot be read.
    """
    found = json.loads(read_file(path))
    if not isinstance(found, dict):
        raise ValueError(f"it holds {type(found).__name__} and no object")
    if CHECK in found and found[CHECK] != checksum(found):
        raise ValueError("it is not what was written")
    return found


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object and its checksum to the disk, whole or not at all."""
    with atomically(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump({**content, CHECK: checksum(content)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def measure_start(path: Path, size: int) -> tuple[int, int]:
    """Return how many of the first `size` bytes a file has, and the checksum of these.

    Raises
    ------
    ValueError
        If `path` is no regular file.
    OSError
        If the file cannot be read.
    """
    left, check = size, 0
    with open_file(path) as file:
        while left and (piece := file.read(min(left, PIECE))):
            left, check = left - len(piece), zlib.crc32(piece, check)
    return size - left, check


def measure(path: Path) -> tuple[int, int]:
    """Return the size in bytes and the checksum of a file, or of all files in a folder and their names.

    Raises
    ------
    ValueError
        If the folder holds something that is neither a file nor a folder.
    OSError
        If something cannot be read.
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
