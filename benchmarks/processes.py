"""A process of its own for each measurement: ``python -m benchmarks.processes NAME QUICK THREADS [PEERS]``.

A module of the benchmarks has a function ``report(quick)``, or ``report(quick, peers)`` if it has ``PEERS``, which
returns data for JSON. It may start further processes, and writes its progress to standard error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

Found = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
PROGRESS = "progress: "


def tell(text: str) -> None:
    """Write what runs now to standard error, for the process that started this one."""
    print(PROGRESS + text, file=sys.stderr, flush=True)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of packages."""
    return {package: version(package) for package in packages}


def run_here(name: str, quick: bool, peers: list[str] | None = None) -> Found:
    """Run a module of the benchmarks in this process, for some of its peers or (None) for all."""
    module = import_module(f"benchmarks.{name}")
    if not hasattr(module, "report"):  # a peer of the simulation
        return {"report": import_module("benchmarks.simulation").one(name.removeprefix("peers."), quick)}
    if not hasattr(module, "PEERS"):
        return {"report": module.report(quick)}
    known = list(module.PEERS)
    asked = known if peers is None else [peer for peer in peers if peer.split("=")[0] in known]
    return {"report": module.report(quick, asked)}


def run_apart(
    name: str,
    quick: bool,
    threads: int = 1,
    peers: list[str] | None = None,
    python: str = sys.executable,
    show: Callable[[str], None] = tell,
) -> Found:
    """Run a module in a process of its own on `threads` cores; "skipped" or "failed" says why there is no report."""
    counts = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")
    environment = os.environ | {f"{count}_NUM_THREADS": str(threads) for count in counts}
    environment["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    environment["JAX_PLATFORMS"] = "cpu"
    command = [python, "-m", "benchmarks.processes", name, str(int(quick)), str(threads)]
    command += [] if peers is None else [",".join(peers)]
    last = ""
    with (
        TemporaryFile("w+") as out,  # a pipe could fill up, since it is not read meanwhile
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.PIPE, text=True) as process,
    ):
        for line in process.stderr or ():
            if line.startswith(PROGRESS):
                show(line[len(PROGRESS) :].strip())
            else:
                last = line.strip() or last
        if process.wait() != 0:
            return {"failed": last or f"exit status {process.returncode}"}
        out.seek(0)
        answer: Found = json.loads(out.read().splitlines()[-1])
    return answer


def main(name: str, quick: str, threads: str, peers: str | None = None) -> None:
    """Run a module on some cores, and print its report as one line of JSON."""
    if hasattr(os, "sched_setaffinity"):  # some libraries ignore the variables; macOS and Windows lack this
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(threads) :])
    try:
        found = run_here(name, quick == "1", None if peers is None else [peer for peer in peers.split(",") if peer])
    except ModuleNotFoundError as error:
        if str(error.name).startswith(("benchmarks", "ctrnn_theory")):
            raise
        found = {"skipped": str(error)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
