"""A training run in a folder that can be cut off at any moment, see :mod:`ctrnn_theory.support.run_folder`.

`run.json` holds the settings, `generations.jsonl` a line for each generation, with its losses and their checksum,
`network.npz` the latest network, and `search.npz` the latest state of the search; `result.json` is written last. Lines
are added at once. The network and the state are replaced every two seconds: a run goes on from the state, and repeats
only the generations since, whose losses are known, without evaluating them.
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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.support.checksums import CHECK
from ctrnn_theory.support.claim import claimed
from ctrnn_theory.support.files import open_file
from ctrnn_theory.support.run_folder import Folder, Kind, Log
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
"""Name under which the record says whether there is a result."""
AGAIN = "resume the run, which finds it again"
REPEAT = "remove it, and the run goes on by repeating its search, without evaluations"
"""Remedies for damage to what can be computed again."""
LINE, NUMBER = 128, 32
"""Bytes that a line of the log may have, and those that each loss may add: more than are ever written."""


class Writer:
    """Writes a training run to its folder."""

    def __init__(self, folder: Folder, settings: Settings, history: list[FloatArray], log: Log) -> None:
        self.folder, self.settings, self.log = folder, settings, log
        self.history = history
        """Losses of the generations that are kept."""

    def add(self, fitness: FloatArray) -> None:
        """Keep a generation; it survives a kill of this process."""
        self.log.add(_line(len(self.history), fitness))
        self.history.append(fitness)

    def mark(self, state: State) -> State:
        """Add to a state of the search what it belongs to: the generations so far, and the version of pycma."""
        return state | {"log": np.array([self.log.size, self.log.check]), "version": np.array(version("cma"))}

    def keep(self, net: CTRNN, state: State | None = None) -> None:
        """Replace the latest network and the state of the search, on the disk, and count the generations."""
        self.log.flush()
        with self.folder.writing(NET):
            net.save(self.folder.place / NET)
        if state is not None:
            self.folder.write_arrays(SEARCH, state)
        self.folder.keep(self.settings.to_dict() | {FINISHED: False}, self.log)

    def finished(self) -> bool:
        """Return whether the run has ended and its result can be read; else the result is found again from the log."""
        try:
            CTRNN.load(self.folder.place / NET, sys.maxsize)
            return read_result(self.folder) is not None
        except ValueError:
            return False

    def finish(self, net: CTRNN, result: dict[str, Any]) -> None:
        """Keep the result of the run; it is written after the network, since it says that this network is the last."""
        self.keep(net)
        self.folder.write_json(RESULT, result)
        self.folder.keep(self.settings.to_dict() | {FINISHED: True}, self.log)

    def state(self) -> State | None:
        """Return a state of the search from before the last generation that is kept, or None if there is none of use.

        Raises
        ------
        ValueError
            If the file of the state is damaged.
        """
        found = self.folder.arrays(SEARCH, sys.maxsize, REPEAT)
        if found is None:
            return None
        with self.folder.reading(SEARCH, REPEAT):
            count, (size, check) = int(found[GENERATIONS]), (int(number) for number in found["log"])
            usable = str(found["version"]) == version("cma") and count < len(self.history) and size <= self.log.size
        if not usable:
            return None
        self.folder.verify(LOG, (size, check))
        return found


@contextmanager
def opened(out: str | os.PathLike[str], settings: Settings, resume: bool) -> Iterator[Writer]:
    """Give a writer for the folder of a run, new or to be resumed, which no other process writes to meanwhile.

    Raises
    ------
    ValueError
        If the folder holds something, other than a run of these settings where `resume` is set; if what it holds is
        damaged; or if another process writes to it.
    Unwritten
        If the folder cannot be written.
    """
    with claimed(out, KIND, resume) as folder:
        history: list[FloatArray] = []
        size = check = 0
        longer = True
        if folder.record is not None:
            kept = read_settings(folder)
            longer = kept.evaluations < settings.evaluations
            folder.check_same(
                kept.to_dict() | ({"evaluations": settings.evaluations} if longer else {}), settings.to_dict()
            )
            history, size, check = read_log(folder, kept)
            if longer:
                folder.remove(RESULT)  # it would be taken for that of the longer run
        if longer:
            folder.keep(settings.to_dict() | {FINISHED: False})
        with folder.log(LOG, size, check) as log:
            yield Writer(folder, settings, history, log)


def read_settings(folder: Folder) -> Settings:
    """Return the settings that `run.json` holds.

    Raises
    ------
    ValueError
        If there is no such file, or if it is damaged.
    """
    if folder.record is None:
        raise ValueError(f"out must be the folder of a training run; {folder.place} has no {RUN}")
    with folder.reading(RUN):
        return Settings.from_dict(folder.record)


def read_log(folder: Folder, settings: Settings) -> tuple[list[FloatArray], int, int]:
    """Return the losses of the generations that are kept, the length of their lines in bytes, and its checksum.

    The last line is left out if a kill has cut it short.

    Raises
    ------
    ValueError
        If a whole line is damaged, or if lines that were counted are missing.
    """
    history: list[FloatArray] = []
    size = check = 0
    limit = LINE + NUMBER * settings.popsize
    kept = folder.kept(LOG)
    needed = kept is not None and kept[0] > 0
    with folder.reading(LOG):
        if not needed and not os.path.exists(folder.place / LOG):
            return history, size, check
        with open_file(folder.place / LOG) as file:
            for line in iter(partial(file.readline, limit), b""):
                if not line.endswith(b"\n") and (len(line) < limit or not line.strip(b"\0")):
                    break  # cut short by a kill, or by a machine that went down
                history.append(_losses(folder, line, len(history), settings))
                size, check = size + len(line), zlib.crc32(line, check)
    if kept is not None and needed:
        folder.verify(LOG, kept)
    return history, size, check


def _losses(folder: Folder, line: bytes, number: int, settings: Settings) -> FloatArray:
    try:
        fitness = np.array(json.loads(line)["losses"], dtype=np.float64)
        whole = fitness.shape == (settings.popsize,) and _line(number, fitness) == line
    except (ValueError, TypeError, KeyError, RecursionError):
        whole = False
    if not whole:
        raise folder.damaged(f"line {number + 1} of {LOG}", "it is not what was written")
    return fitness


def _line(generation: int, fitness: FloatArray) -> bytes:
    """Return a generation as one line of JSON, NaN and Infinity as Python writes them; all NaN are made the same."""
    fitness = np.where(np.isnan(fitness), np.nan, fitness)
    check = zlib.crc32(np.int64(generation).tobytes() + fitness.tobytes())
    text = json.dumps({"generation": generation, "losses": fitness.tolist(), "check": check})
    return text.encode() + b"\n"


def read_result(folder: Folder) -> dict[str, Any] | None:
    """Return the result of the run, or None if it has not ended.

    Raises
    ------
    ValueError
        If the result is damaged or missing.
    """
    found = folder.json(RESULT)
    if found is None:
        if (folder.record or {}).get(FINISHED):
            raise folder.damaged(RESULT, "it is missing", AGAIN)
        return None
    found.pop(CHECK, None)
    kinds: dict[str, Any] = {"loss": float, "seconds": float, "message": str}
    if "K" in found:
        kinds |= dict.fromkeys(("K", "nu"), type(None) if found["K"] is None else float)
    if {name: type(value) for name, value in found.items()} != kinds:
        raise folder.damaged(RESULT, "it does not hold a result", AGAIN)
    return found


def read_network(folder: Folder, settings: Settings) -> CTRNN:
    """Return the latest network.

    Raises
    ------
    ValueError
        If there is no network, or if it is not one of this run.
    """
    if not (folder.place / NET).exists():
        raise folder.damaged(NET, "there is none yet", "resume the run")
    net = CTRNN.load(folder.place / NET, sys.maxsize)
    with folder.reading(NET, AGAIN):
        settings.layout.vector(net)
    if (net.activation, net.gamma, net.form) != (settings.activation, settings.gamma, settings.form):
        raise folder.damaged(NET, "it is not the network of this run", AGAIN)
    return net
