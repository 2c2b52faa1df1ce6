"""Every measurement in a process of its own: ``python -m benchmarks.processes NAME QUICK THREADS [PEERS]``.

A module of the benchmarks has ``report(quick)``, or ``report(quick, peers)`` if it names its ``PEERS``, and returns
what JSON can hold. It may start further processes, and says on standard error where it is.
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
    """Say what runs now to the process that started this one."""
    print(PROGRESS + text, file=sys.stderr, flush=True)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Their versions."""
    return {package: version(package) for package in packages}


def run_here(name: str, quick: bool, peers: list[str] | None = None) -> Found:
    """Run a module of the benchmarks in this process; `peers`: only these, None for all."""
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
    """Run it in a process of its own on `threads` cores; "skipped" or "failed" says why there is no report."""
    counts = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM")
    environment = os.environ | {f"{count}_NUM_THREADS": str(threads) for count in counts}
    environment["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    environment["JAX_PLATFORMS"] = "cpu"
    command = [python, "-m", "benchmarks.processes", name, str(int(quick)), str(threads)]
    command += [] if peers is None else [",".join(peers)]
    last = ""
    with (
        TemporaryFile("w+") as out,  # a pipe that nobody reads meanwhile could fill up
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
    """Run a module on some cores, and print what it found as one line of JSON."""
    if hasattr(os, "sched_setaffinity"):  # for libraries that heed no variable; not on macOS or Windows
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
