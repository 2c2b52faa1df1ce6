"""A training run in a folder that can be cut off at any moment, see :mod:`ctrnn_theory.support.run_folder`.

`run.json` holds the settings, `generations.jsonl` a line for each generation, with its losses and their checksum,
`network.npz` the latest network, `search.npz` the latest state of the search, and `result.json` comes last. Lines are
added at once. Every two seconds the network and the state are replaced: a run goes on from the state, and repeats only
the generations since, whose losses are known, without evaluating them.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.files import atomically, open_file, reason
from ctrnn_theory.support.npz import read_arrays
from ctrnn_theory.support.run_folder import Kind, Log, RunFolder, claimed, read_json, read_record, verify, write_json
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.cma_es import GENERATIONS
from ctrnn_theory.training.settings import Settings

State = dict[str, NDArray[Any]]
RUN, LOG, NET, SEARCH, RESULT = "run.json", "generations.jsonl", "network.npz", "search.npz", "result.json"
KIND = Kind(
    "a training run",
    RUN,
    (".run.*.json", ".network.*.npz", ".search.*.npz", ".result.*.json"),
    "what is kept is whole, and training goes on with it by --resume (resume=True)",
)
FINISHED = "finished"
"""Under this name the record says whether there is a result."""
AGAIN = "resume the run, which finds it again"
REPEAT = "remove it, and the run goes on by repeating its search, without evaluations"


class Folder:
    """The folder of a run, for the one process that writes to it."""

    def __init__(self, run: RunFolder, settings: Settings, history: list[FloatArray], log: Log) -> None:
        self.run, self.settings, self.history, self.log = run, settings, history, log
        """`history`: losses of the generations that are kept."""

    @property
    def place(self) -> Path:
        """Where it is."""
        return self.run.place

    def add(self, fitness: FloatArray) -> None:
        """Keep a generation; a kill of this process does not lose it."""
        self.log.add(_line(len(self.history), fitness))
        self.history.append(fitness)

    def mark(self, state: State) -> State:
        """Add to a state of the search what it belongs to: the generations so far, and the version of pycma."""
        return state | {"log": np.array([self.log.size, self.log.check]), "version": np.array(version("cma"))}

    def keep(self, net: CTRNN, state: State | None = None) -> None:
        """Replace the latest network and state of the search, on the disk, and count the generations."""
        self.log.flush()
        with self.run.writing(NET):
            net.save(self.place / NET)
        if state is not None:
            with self.run.writing(SEARCH), atomically(self.place / SEARCH) as path, open(path, "wb") as stream:
                np.savez(stream, **state)  # type: ignore[arg-type]  # no array is called allow_pickle
                stream.flush()
                os.fsync(stream.fileno())
        self.run.keep(self.settings.to_dict() | {FINISHED: False}, self.log)

    def finished(self) -> bool:
        """Whether the run has ended, and what it ended in can be read; else it is found again from the log."""
        try:
            CTRNN.load(self.place / NET, sys.maxsize)
            return read_result(self.place) is not None
        except ValueError:
            return False

    def finish(self, net: CTRNN, result: dict[str, Any]) -> None:
        """Keep what the run ended in; the result comes after the network, since it says that this is the last one."""
        self.keep(net)
        with self.run.writing(RESULT):
            write_json(self.place / RESULT, result)
        self.run.keep(self.settings.to_dict() | {FINISHED: True}, self.log)

    def state(self) -> State | None:
        """State of the search before the last generation that is kept, or earlier; None if there is none of use.

        Raises
        ------
        ValueError
            If it is damaged.
        """
        try:
            found = read_arrays(self.place / SEARCH, sys.maxsize)
            count, log = int(found[GENERATIONS]), [int(number) for number in found["log"]]
            usable = str(found["version"]) == version("cma") and count < len(self.history) and log[0] <= self.log.size
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KIND.damaged(self.place, SEARCH, reason(error), REPEAT) from error
        if not usable:
            return None
        verify(self.place, LOG, KIND, log)
        return found


@contextmanager
def opened(out: str | os.PathLike[str], settings: Settings, resume: bool) -> Iterator[Folder]:
    """Give the folder of a run, new or to be resumed, which no other process writes to meanwhile.

    Raises
    ------
    ValueError
        If it holds something, other than a run of these settings where `resume` is set; if what it holds is damaged; or
        if another process writes to it.
    Unwritten
        If it cannot be written.
    """
    with claimed(out, KIND, resume) as run:
        history: list[FloatArray] = []
        size = check = 0
        if run.record is not None:
            kept = read_settings(run.place)
            check_settings(run.place, kept, settings)
            history, size, check = read_log(run.place, kept)
            if kept.evaluations < settings.evaluations:
                with run.writing(RESULT):
                    (run.place / RESULT).unlink(missing_ok=True)  # it would be taken for that of the longer run
        if run.record is None or kept.evaluations < settings.evaluations:
            run.keep(settings.to_dict() | {FINISHED: False})
        with run.log(LOG, size, check) as log:
            yield Folder(run, settings, history, log)


def read_settings(place: Path) -> Settings:
    """What `run.json` says.

    Raises
    ------
    ValueError
        If there is none, or it is damaged.
    """
    found = read_record(place, KIND)
    if found is None:
        raise ValueError(f"out must be the folder of a training run; {place} has no {RUN}")
    try:
        return Settings.from_dict(found)
    except KeyError as error:
        raise KIND.damaged(place, RUN, f"it lacks {error}") from error
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise KIND.damaged(place, RUN, reason(error)) from error


def check_settings(place: Path, there: Settings, here: Settings) -> None:
    """Raise a ValueError that names a setting of a kept run that differs from that of this one, which may be longer."""
    kept, given = there.to_dict(), here.to_dict()
    if kept["evaluations"] < given["evaluations"]:
        kept["evaluations"] = given["evaluations"]
    differ = [f"{name} ({kept[name]} there, {given[name]} here)" for name in given if kept[name] != given[name]]
    if differ:
        raise ValueError(f"out must hold a run of the same settings to resume it; {place} differs in {differ[0]}")


def read_log(place: Path, settings: Settings) -> tuple[list[FloatArray], int, int]:
    """Losses of the generations that are kept, the length of their lines in bytes, and the checksum of these.

    What a kill has cut short comes last, and is left out.

    Raises
    ------
    ValueError
        If a whole line is damaged, or lines that were counted are missing.
    """
    kept = (read_record(place, KIND) or {"kept": {}})["kept"].get(LOG)
    history: list[FloatArray] = []
    size = check = 0
    try:
        with open_file(place / LOG) as file:
            limit = 128 + 32 * settings.popsize  # bytes of a line, more than there can be
            for line in iter(partial(file.readline, limit), b""):
                if not line.endswith(b"\n") and (len(line) < limit or not line.strip(b"\0")):
                    break  # by a kill, or of a machine that went down
                history.append(_losses(line, len(history), settings))
                size, check = size + len(line), zlib.crc32(line, check)
    except FileNotFoundError as error:
        if kept and kept[0]:
            raise KIND.damaged(place, LOG, reason(error)) from error
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        if isinstance(error, OSError):
            raise KIND.damaged(place, LOG, reason(error)) from error
        raise KIND.damaged(place, f"line {len(history) + 1} of {LOG}", "it is not what was written") from error
    if kept and kept[0]:
        verify(place, LOG, KIND, kept)
    return history, size, check


def _losses(line: bytes, number: int, settings: Settings) -> FloatArray:
    fitness = np.array(json.loads(line)["losses"], dtype=np.float64)
    if fitness.shape != (settings.popsize,) or _line(number, fitness) != line:
        raise ValueError
    return fitness


def _line(generation: int, fitness: FloatArray) -> bytes:
    """A generation as one line of JSON. NaN, of which there is one in JSON, and Infinity are as Python writes them."""
    fitness = np.where(np.isnan(fitness), np.nan, fitness)
    check = zlib.crc32(np.int64(generation).tobytes() + fitness.tobytes())
    text = json.dumps({"generation": generation, "losses": fitness.tolist(), "check": check})
    return text.encode() + b"\n"


def read_result(place: Path) -> dict[str, Any] | None:
    """What the run ended in, or None if it has not ended.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    found = read_json(place, RESULT, KIND)
    if found is None:
        if (read_record(place, KIND) or {}).get(FINISHED):
            raise KIND.damaged(place, RESULT, "it is missing", AGAIN)
        return None
    found.pop("check", None)
    kinds = {"loss": float, "seconds": float, "message": str}
    if {name: type(value) for name, value in found.items()} != kinds:
        raise KIND.damaged(place, RESULT, "it does not hold a result", AGAIN)
    return found


def read_network(place: Path, settings: Settings) -> CTRNN:
    """Latest network.

    Raises
    ------
    ValueError
        If there is none, or another one.
    """
    if not (place / NET).exists():
        raise KIND.damaged(place, NET, "there is none yet", "resume the run")
    net = CTRNN.load(place / NET, sys.maxsize)
    try:
        settings.layout.vector(net)
    except ValueError as error:
        raise KIND.damaged(place, NET, reason(error), AGAIN) from error
    if (net.activation, net.gamma) != (settings.activation, settings.gamma):
        raise KIND.damaged(place, NET, "it is not the network of this run", AGAIN)
    return net
