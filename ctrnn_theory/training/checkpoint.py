"""A training run in a folder that can be cut off at any moment.

`run.json` holds the settings, `generations.jsonl` a line for each generation, `network.npz` the latest network, and
`result.json` comes last. A line has the losses of a generation and their checksum: told again to the search, they bring
it to where it was, with no evaluation. Lines are appended; one that a kill has cut short is dropped.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.files import atomically, claimed
from ctrnn_theory.network import CTRNN
from ctrnn_theory.training.settings import Settings

FloatArray = NDArray[np.float64]
FORMAT = 1
"""Of a folder; raised when older readers would misread it."""
RUN, LOG, NET, RESULT = "run.json", "generations.jsonl", "network.npz", "result.json"
UNFINISHED = (".run.*.json", ".network.*.npz", ".result.*.json")
"""What a kill leaves of a file that was being replaced."""


class Folder:
    """The folder of a run, for the one process that writes to it."""

    def __init__(self, place: Path, history: list[FloatArray], log: BinaryIO) -> None:
        self.place, self.history, self.log = place, history, log
        """`history`: losses of the generations that are kept."""

    def add(self, fitness: FloatArray) -> None:
        """Keep a generation."""
        self.log.write(_line(len(self.history), fitness))
        self.log.flush()  # to the system: a kill of this process loses nothing
        self.history.append(fitness)

    def keep(self, net: CTRNN) -> None:
        """Replace the latest network."""
        os.fsync(self.log.fileno())
        net.save(self.place / NET)

    def finished(self) -> bool:
        """Whether the run has ended, and what it ended in can be read; else it is found again from the log."""
        try:
            CTRNN.load(self.place / NET)
            result = read_json(self.place, RESULT)
        except ValueError:
            return False
        return result is not None and set(result) == {"loss", "seconds", "message"}

    def finish(self, net: CTRNN, result: dict[str, Any]) -> None:
        """Keep what the run ended in."""
        self.keep(net)
        write_json(self.place / RESULT, result)


@contextmanager
def opened(out: str | os.PathLike[str], settings: Settings, resume: bool) -> Iterator[Folder]:
    """Give the folder of a run, new or to be resumed, which no other process writes to meanwhile.

    Raises
    ------
    ValueError
        If it holds something, other than a run of these settings where `resume` is set; if what it holds is damaged; or
        if another process writes to it.
    """
    with claimed(out, RUN, UNFINISHED, resume) as place:
        if (place / RUN).exists():
            kept = read_settings(place)
            check_settings(place, kept, settings)
            if kept.evaluations < settings.evaluations:
                (place / RESULT).unlink(missing_ok=True)  # first, or a kill could leave it as that of the longer run
                write_json(place / RUN, {"format": FORMAT, **settings.to_dict()})
        else:
            write_json(place / RUN, {"format": FORMAT, **settings.to_dict()})
        history, length = read_log(place, settings)
        with open(place / LOG, "ab") as log:
            if log.tell() > length:
                log.truncate(length)
            yield Folder(place, history, log)


def read_settings(place: Path) -> Settings:
    """What `run.json` says.

    Raises
    ------
    ValueError
        If there is none, or it is damaged.
    """
    found = read_json(place, RUN)
    if found is None:
        raise ValueError(f"out must be the folder of a training run; {place} has no {RUN}")
    try:
        if found["format"] > FORMAT:
            raise ValueError(f"it has format {found['format']}, this version reads up to {FORMAT}")
        return Settings.from_dict(found)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise damaged(place, f"{RUN}: {error}") from error


def check_settings(place: Path, there: Settings, here: Settings) -> None:
    """Raise a ValueError that names a setting of a kept run that differs from that of this one, which may be longer."""
    kept, given = there.to_dict(), here.to_dict()
    if kept["evaluations"] < given["evaluations"]:
        kept["evaluations"] = given["evaluations"]
    differ = [f"{name} ({kept[name]} there, {given[name]} here)" for name in given if kept[name] != given[name]]
    if differ:
        raise ValueError(f"out must hold a run of the same settings to resume it; {place} differs in {differ[0]}")


def read_log(place: Path, settings: Settings) -> tuple[list[FloatArray], int]:
    """Losses of the generations that are kept, and the length of their lines in bytes.

    Raises
    ------
    ValueError
        If a whole line is damaged.
    """
    try:
        content = (place / LOG).read_bytes()
    except FileNotFoundError:
        return [], 0
    length = content.rfind(b"\n") + 1  # what a kill has cut short comes after
    history: list[FloatArray] = []
    for number, line in enumerate(content[:length].splitlines(keepends=True)):
        try:
            fitness = np.array(json.loads(line)["losses"], dtype=np.float64)
        except (ValueError, TypeError, KeyError) as error:
            raise damaged(place, f"line {number + 1} of {LOG} is not what was written") from error
        if fitness.shape != (settings.popsize,) or _line(number, fitness) != line:
            raise damaged(place, f"line {number + 1} of {LOG} is not what was written")
        history.append(fitness)
    return history, length


def _line(generation: int, fitness: FloatArray) -> bytes:
    """A generation as one line of JSON. NaN, of which there is one in JSON, and Infinity are as Python writes them."""
    fitness = np.where(np.isnan(fitness), np.nan, fitness)
    check = zlib.crc32(np.int64(generation).tobytes() + fitness.tobytes())
    text = json.dumps({"generation": generation, "losses": fitness.tolist(), "check": check})
    return text.encode() + b"\n"


def read_json(place: Path, name: str) -> dict[str, Any] | None:
    """Object in a file of the folder, or None if there is no such file."""
    try:
        found = json.loads((place / name).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise damaged(place, f"{name}: {error}") from error
    if not isinstance(found, dict):
        raise damaged(place, f"{name} holds no object")
    return found


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object whole or not at all, to the disk."""
    with atomically(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def damaged(place: Path, reason: str) -> ValueError:
    """Make the error for a folder that cannot be read."""
    return ValueError(f"{place} must be the folder of a training run: {reason}")
