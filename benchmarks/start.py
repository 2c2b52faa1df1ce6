"""Seconds before the first result: imports, the help, and the first bias, compiled and from the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from time import perf_counter

from benchmarks.processes import Found, tell

PEERS = {
    "numpy": "numpy",
    "mkl_random": "mkl_random",
    "numba": "numba",
    "torch": "torch",
    "jax": "jax",
    "diffrax": "diffrax",
    "torchsde": "torchsde",
    "fplanck": "fplanck",
    "py-pde": "pde",
}
"""Name of the module that each peer imports."""
RUNS = 3
IMPORT = """
import time
begin = time.perf_counter()
import {module}
print(time.perf_counter() - begin)
"""
BIAS = """
import json, time
marks = [time.perf_counter()]
import ctrnn_theory as ct
marks.append(time.perf_counter())
net, noise = ct.CTRNN.single(0.5, 0.1, "relu"), ct.Noise(0.5)
marks.append(time.perf_counter())
for _ in range(2):
    report = ct.bias(net, noise, rng=0, target_se=1e-3)
    marks.append(time.perf_counter())
names = ("import", "network", "first bias", "second bias")
print(json.dumps({"seconds": dict(zip(names, (b - a for a, b in zip(marks, marks[1:])))),
    "bias": {name: float(report.bias[name][0]) for name in ("exact", "simulation")}}))
"""
TRUE_BIAS, OFF = 0.1770394962, 5e-3
"""Bias of that neuron from the reference cases, and five standard errors of the simulation."""


def run(script: str, python: str = sys.executable, **environment: str) -> str:
    """Return the output of a script in a process of its own, "" if it fails."""
    command = [python, "-c", script]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode() if done.returncode == 0 else ""


def import_time(module: str, python: str = sys.executable) -> float | None:
    """Return the least seconds of some imports after a first one; None if the module cannot be imported."""
    found = [run(IMPORT.format(module=module), python) for _ in range(1 + RUNS)][1:]
    return min(map(float, found)) if all(found) else None


def command_time(*arguments: str) -> float:
    """Return the least seconds from the start of an interpreter to its end."""
    seconds = []
    for _ in range(1 + RUNS):
        begin = perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        seconds.append(perf_counter() - begin)
    return min(seconds[1:])


def first_bias() -> dict[str, Found]:
    """Return the seconds of each part, in a process with an empty cache of compiled functions and in the next one."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("empty cache", "next process"):
            tell(f"first bias, {name}")
            answer = json.loads(run(BIAS, NUMBA_CACHE_DIR=folder))
            right = all(abs(value - TRUE_BIAS) < OFF for value in answer["bias"].values())
            rows[name] = {"seconds": answer["seconds"], "right": right}
    return rows


def report(quick: bool, peers: list[str]) -> Found:
    """Return seconds of imports, of the help, and of the first bias, without peers that are not installed."""
    tell("imports")
    before = {"import ctrnn_theory": import_time("ctrnn_theory")}
    for entry in peers:
        name, _, python = entry.partition("=")
        tell(f"import {name}")
        before[f"import {name}"] = import_time(PEERS[name], python or sys.executable)
    tell("ctrnn-theory --help")
    before |= {
        "ctrnn-theory --help": command_time("-m", "ctrnn_theory", "--help"),
        "an interpreter alone": command_time("-c", ""),
    }
    return {"before": {name: seconds for name, seconds in before.items() if seconds is not None}, "bias": first_bias()}
