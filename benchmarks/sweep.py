"""Speed and safety of sweeps: ``python -m benchmarks.sweep [--quick] [--json]``.

These are measured on one core and on all, each in a process of its own:

* the Gaussian closure over 100 000 neurons, beside a plain loop over ``ct.predict`` for some of them,
* the time that a sweep adds to that loop if the method takes points one by one: the closure with an explicit tolerance,
  which is not vectorised, on the same points, without and with the noise-free state for the bias,
* mean field of relu over 1 000 000 neurons, and the largest memory of the process,
* 2 000 points by the exact method, with a digest of the numbers, which must be the same on one core, on all, and on a
  Dask cluster of two worker processes.

Then a sweep is killed (SIGKILL) at random moments, 50 times, and the finished points that were lost or repeated are
counted. The exit status is 1 if a part failed, if numbers differ, or if a point was lost or repeated.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct
from benchmarks.__main__ import machine, wrong
from benchmarks.processes import Found, cores, run_apart, tell
from benchmarks.tables import table
from ctrnn_theory.support.run_folder import Folder
from ctrnn_theory.sweeping import store
from ctrnn_theory.sweeping.spec import Spec
from ctrnn_theory.sweeping.sweep import sweep

ONE_BY_ONE = {"gaussian_closure": {"tolerance": 1e-12}}
"""The default tolerance; if it is given as an option, the method is not vectorised."""
KILLS, QUICK_KILLS = 50, 3
LONGEST = 4.0
"""Most seconds after which a sweep is killed."""


def grid(method: str, sigmas: int, ws: int, gammas: int, bs: int = 1, **more: Any) -> dict[str, Any]:
    """Return a specification of relu neurons with noise inside."""
    return {
        "methods": [method],
        "quantities": ["mean", "variance"],
        "fixed": {"activation": "relu", "site": "inside"},
        "axes": {
            "w": {"linspace": [-2.0, 0.9, ws]},
            "b": {"linspace": [-0.5, 0.5, bs]} if bs > 1 else [0.1],
            "gamma": {"logspace": [-2.0, -0.3, gammas]},
            "sigma": {"linspace": [0.05, 1.0, sigmas]},
        },
        **more,
    }


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of a call, and its result."""
    begin = perf_counter()
    found = function()
    return perf_counter() - begin, found


def bare(spec: Mapping[str, Any], count: int | None = None) -> tuple[float, int]:
    """Return the seconds of a loop over ``ct.predict`` for `count` random points, or all, and their number."""
    read = Spec.of(spec)
    method, options = read.methods[0], read.options.get(read.methods[0], {})
    numbers = np.random.default_rng(0).permutation(read.size)[:count]
    points = [read.point(int(number)) for number in numbers]

    def loop() -> None:
        for point in points:
            net = ct.CTRNN.single(point["w"], point["b"], point["activation"], point["gamma"])
            ct.predict(net, ct.Noise(inside=point["sigma_in"]), method=method, **options)

    return timed(loop)[0], len(points)


def digest(dataset: Any) -> str:
    """Return a digest of all numbers in a dataset."""
    found = hashlib.sha256()
    for name in sorted(dataset.data_vars):
        found.update(np.ascontiguousarray(dataset[name].values).tobytes())
    return found.hexdigest()


def report(quick: bool) -> Found:
    """Measure on the cores of this process."""
    sweep(grid("mean_field", 2, 2, 2), workers=1)  # imports and compiles
    found: Found = {}
    tell("closure")
    spec = grid("gaussian_closure", 20 if quick else 100, 100, 10)
    seconds, dataset = timed(lambda: sweep(spec))
    alone, count = bare(spec, 100 if quick else 1000)
    found["closure"] = {"points": dataset["mean"].size, "seconds": seconds, "predict": alone / count}
    tell("overhead")
    few = grid("gaussian_closure", 10, 5, 4 if quick else 20, options=ONE_BY_ONE)
    found["overhead"] = {}
    for name, quantities in (("moments", ["mean", "variance"]), ("and bias", ["mean", "variance", "bias"])):
        alone, count = bare(few)
        seconds, _ = timed(lambda quantities=quantities: sweep(few | {"quantities": quantities}, workers=1))
        again, _ = bare(few)
        found["overhead"][name] = {"points": count, "seconds": seconds, "bare": 0.5 * (alone + again)}
    tell("exact")
    exact = grid("exact", 10 if quick else 20, 10, 2 if quick else 10)
    found["exact"] = {"points": Spec.of(exact).size, "seconds": {}, "digest": {}}
    engines: dict[str, Callable[[], Any]] = {f"cores: {cores()}": lambda: sweep(exact)}
    if cores() > 1:
        engines["Dask, workers: 2"] = lambda: on_cluster(exact)
    for name, engine in engines.items():
        seconds, dataset = timed(engine)
        found["exact"]["seconds"][name] = dataset.attrs.pop("seconds", seconds)
        found["exact"]["digest"][name] = digest(dataset)
    tell("mean field")
    spec = grid("mean_field", 100, 100, 10, 2 if quick else 10)
    seconds, dataset = timed(lambda: sweep(spec, yes=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    settled = bool(dataset["failure"].max() == 0)
    found["mean_field"] = {"points": dataset["mean"].size, "seconds": seconds, "memory": memory, "right": settled}
    return found


def on_cluster(spec: Mapping[str, Any]) -> Any:
    """Run a sweep on a Dask cluster of two worker processes; its attribute "seconds" excludes their start."""
    from distributed import Client, LocalCluster

    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.run(lambda: __import__("ctrnn_theory.sweeping.batch"))
        seconds, dataset = timed(lambda: sweep(spec, dask=client))
    return dataset.assign_attrs(seconds=seconds)


PROGRAM = """
import sys
from ctrnn_theory.sweeping.sweep import sweep
import json
sweep(json.loads(sys.argv[1]), None, sys.argv[2])
print("finished")
"""


def kills(count: int) -> Found:
    """Kill a sweep at random moments, and count stored points that were lost or repeated."""
    spec = grid("exact", 100, 3 * count, 2)
    read, rng, seen, lost, middle = Spec.of(spec), random.Random(0), b"", 0, 0
    with TemporaryDirectory() as place:
        folder = Path(place) / "run"
        command = [sys.executable, "-c", PROGRAM, json.dumps(spec), str(folder)]
        for kill in range(count + 1):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1.5 + rng.uniform(0.0, LONGEST) if kill < count else None)
                middle += process.poll() is None
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            batches, length, _ = store.read(Folder(folder, store.KIND), read) if folder.exists() else ([], 0, 0)
            now = (folder / store.POINTS).read_bytes()[:length] if length else b""
            lost += not now.startswith(seen)
            seen = now
    points = np.concatenate([batch.rows["point"] for batch in batches])
    repeated, missing = points.size - np.unique(points).size, read.size - np.unique(points).size
    found = {"kills": count, "in the middle": middle, "lost": lost, "repeated": repeated, "missing": missing}
    return found | {"right": not (lost or repeated or missing)}


def measure(quick: bool) -> Found:
    """Run all parts, and show on standard error which one runs."""
    console = Console(stderr=True, highlight=False)
    found: Found = {"machine": machine(), "quick": quick}
    for count in sorted({1, cores()}):
        name = f"cores: {count}"
        with console.status(name) as status:
            answer = run_apart(
                "sweep", quick, count, show=lambda text, name=name, status=status: status.update(f"{name}: {text}")
            )
        found[name] = answer.get("report", answer)
    digests = {value for part in found.values() if isinstance(part, dict) for value in _digests(part)}
    found["identical"] = {"right": len(digests) == 1}
    with console.status("kills"):
        found["kills"] = kills(QUICK_KILLS if quick else KILLS)
    return found


def _digests(part: Found) -> list[str]:
    return list(part.get("exact", {}).get("digest", {}).values())


def shown(found: Found) -> list[Table]:
    """Return tables of times, of overheads and of kills."""
    times = table("sweep", "points", "seconds", "µs a point", "beside")
    for name, part in found.items():
        if not name.startswith("cores") or "closure" not in part:
            continue
        closure, field = part["closure"], part["mean_field"]
        ratio = closure["predict"] * closure["points"] / closure["seconds"]
        times.add_row(f"closure, {name}", *_cells(closure), f"a bare loop ×{ratio:.3g}")
        times.add_row(f"mean field, {name}", *_cells(field), f"{field['memory'] / 1e6:.0f} MB")
        for what, each in part["overhead"].items():
            more = 100.0 * (each["seconds"] / each["bare"] - 1.0)
            times.add_row(f"closure one by one, {what}, 1 of {name}", *_cells(each), f"a bare loop {more:+.1f} %")
        for engine, seconds in part["exact"]["seconds"].items():
            times.add_row(f"exact, {engine}", *_cells({"points": part["exact"]["points"], "seconds": seconds}), "")
    ends = table("kills", "in the middle", "batches lost", "points repeated", "missing", "identical on all engines")
    numbers = (str(found["kills"][key]) for key in ("kills", "in the middle", "lost", "repeated", "missing"))
    ends.add_row(*numbers, "yes" if found["identical"]["right"] else "no")
    return [times, ends]


def _cells(part: Found) -> tuple[str, str, str]:
    return str(part["points"]), f"{part['seconds']:.3g}", f"{1e6 * part['seconds'] / part['points']:.3g}"


@click.command()
@click.option("--quick", is_flag=True, help="Measure roughly: smaller grids, fewer kills.")
@click.option("--json", "as_json", is_flag=True, help="Print one object with all numbers.")
def main(quick: bool, as_json: bool) -> None:
    """Measure, and print tables or JSON."""
    found = measure(quick)
    if as_json:
        print(json.dumps(found))
    else:
        console, about = Console(width=120, highlight=False), found["machine"]
        console.print(f"{about['processor']}, {about['cores']} cores, {about['system']}, Python {about['python']}")
        for name, part in found.items():
            if isinstance(part, dict) and "failed" in part:
                console.print(f"{name} failed: {part['failed']}", markup=False)
        for item in shown(found):
            console.print("", item, sep="\n")
    if wrong(found):
        sys.exit(1)


if __name__ == "__main__":
    main()
