"""Tables of at most 120 columns of the results of ``python -m benchmarks``."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.processes import Found
from benchmarks.simulation import BOUND, EVERY


def table(*titles: str) -> Table:
    """Return a table whose first column is text and whose others are numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, title in enumerate(titles):
        made.add_column(title, justify="right" if i else "left", no_wrap=True)
    return made


def comparison(works: list[Found]) -> Table:
    """Return the ns a neuron-step of each peer at one site, and its ratio to this package."""
    ours, *peers = sorted(works[0]["results"], key=lambda name: (not name.startswith("ours"), name == "ours_plain"))
    made = table(f"noise {works[0]['site']}", "N", "K", "ours", *peers)
    for work in works:
        results = work["results"]
        cells = [f"{results[ours]['ns']:.2f}" + ("" if results[ours]["right"] else " wrong")]
        for peer in peers:
            found = results[peer]
            cells.append(f"{found['ns']:.1f} ×{found['ratio']:.1f}" if found["right"] else "wrong")
        made.add_row(work["activation"], str(work["n"]), str(work["trajectories"]), *cells)
    return made


def peers(found: Found) -> Table:
    """Return versions, seconds of compiling before the first result, and the largest deviation of a mean."""
    made = table("peer", "compiling, s", "deviation", "version", "fastest way")
    for column in made.columns[3:]:
        column.justify, column.no_wrap = "left", False
    for name, peer in found["peers"].items():
        results = [work["results"][name] for work in found["works"] if name in work["results"]]
        made.add_row(
            name,
            f"{max(result['first_call'] for result in results):.2f}",
            f"{max(result['deviation'] for result in results):.1f}",
            ", ".join(f"{package} {version}" for package, version in peer["versions"].items()),
            "; ".join(dict.fromkeys(result["way"] for result in results)),
        )
    return made


def simulation(found: Found) -> list[Any]:
    """Return tables of the kernels and their peers, by site."""
    works = found["works"]
    sites = dict.fromkeys(work["site"] for work in works)
    return [
        "ns a neuron-step, and how many times ours. First and second moments of each of K trajectories, from every\n"
        f"{EVERY}th of {works[0]['steps']} steps; ours has the covariance matrix and the control variates besides.",
        *(comparison([work for work in works if work["site"] == site]) for site in sites),
        f"Deviation: the largest of the moments, in standard errors; beyond {BOUND:g} the result is wrong.",
        peers(found),
    ]


def fokker_planck(found: Found) -> list[Any]:
    """Return tables of the seconds on each grid, and to an error."""
    made = table("density", "cells", "seconds", "error: mean", "covariance", "prepared in, s")
    for row in found["rows"]:
        cells = [f"{row['cells']}²", f"{row['seconds']:.3f}", *(f"{error:.1e}" for error in row["error"])]
        mark = "" if row["right"] else " wrong"
        made.add_row(f"{row['problem']}: {row['solver']}, {row['way']}", *cells, f"{row['first_call']:.2f}{mark}")
    names = list(dict.fromkeys(row["solver"] for row in found["rows"]))
    equal = table("seconds to an error", "", *names)
    for row in found["to_error"]:
        ours, cells = row["solvers"].get("ours"), []
        for name in names:
            best = row["solvers"].get(name)
            ratio = f" ×{best['seconds'] / ours['seconds']:.2g}" if best and ours and name != "ours" else ""
            cells.append(f"{best['seconds']:.3f}{ratio}" if best else "–")
        equal.add_row(row["problem"], f"{row['target']:g}", *cells)
    return [made, equal]


def smoothing(rows: list[Found]) -> list[Any]:
    """Return tables of values a second and errors of each way, and of the package's slope and variance."""
    made = table("smoothing", "values a second", "ours is faster by", "error", "nodes")
    for row in rows:
        for way in row["ways"]:
            factor = "" if way["way"] == "ours" else f"×{way['ratio']:.3g}"
            error = f"{way['error']:.0e}" + ("" if way["right"] else " wrong")
            nodes = f"{way['order']}" + ("" if way["reached"] else ", not enough") if "order" in way else ""
            made.add_row(f"{row['activation']}: {way['way']}", f"{way['rate']:.1e}", factor, error, nodes)
    also = table("ours besides", *rows[0]["ours"])
    for row in rows:
        also.add_row(row["activation"], *(f"{rate:.1e}" for rate in row["ours"].values()))
    return [made, also]


def primitives(rows: dict[str, Found]) -> list[Any]:
    """Return a table of ns a value."""
    made = table("ns a value", "ours", "NumPy", "C library, one at a time")
    for name, row in rows.items():
        made.add_row(name, *(f"{row[key]:.2f}" if key in row else "–" for key in ("ours", "numpy", "one at a time")))
    return [made]


def scaling(found: dict[str, list[Found]]) -> list[Any]:
    """Return tables of ns a neuron-step by size."""
    tables = []
    for name, rows in found.items():
        made = table(f"tanh, by {name}", "N", "K", "ours", "NumPy")
        for row in rows:
            ours, numpy = row["results"]["ours"], row["results"]["numpy"]
            cells = f"{ours['ns']:.2f}", f"{numpy['ns']:.1f} ×{numpy['ratio']:.1f}" if numpy["right"] else "wrong"
            made.add_row("", str(row["n"]), str(row["trajectories"]), *cells)
        tables.append(made)
    return tables


def threads(rows: list[Found]) -> list[Any]:
    """Return a table of ns a neuron-step by the number of threads, and of the gain."""
    counts = list(rows[0]["ns"])
    made = table("ns by threads", "N", "K", *counts, *(f"gain of {count}" for count in counts[1:]))
    for row in rows:
        times = [f"{row['ns'][count]:.2f}" for count in counts]
        gains = [f"×{row['gain'][count]:.2f}" if row["right"] else "wrong" for count in counts[1:]]
        made.add_row(row["activation"], str(row["n"]), str(row["trajectories"]), *times, *gains)
    return [made]


def start(found: Found) -> list[Any]:
    """Return tables of the seconds of imports and of the first bias."""
    before = table("seconds in a new process", "")
    for name, seconds in found["before"].items():
        before.add_row(name, f"{seconds:.3f}")
    rows = found["bias"]
    bias = table("seconds of the first bias", *next(iter(rows.values()))["seconds"])
    for name, row in rows.items():
        bias.add_row(name, *(f"{seconds:.3f}" for seconds in row["seconds"].values()))
    return [before, bias]


def to_error(rows: list[Found]) -> list[Any]:
    """Return a table of the seconds to the standard error."""
    made = table(f"seconds to SE {rows[0]['target']:g}", "ours", "ours, plain", "NumPy, extrapolated", "neuron-steps")
    for row in rows:
        times = (row["ours"], row["ours, plain"], row["numpy"])
        made.add_row(row["activation"], *(f"{time:.2f}" for time in times), f"{row['neuron_steps']:.1e}")
    return [made]


SHOWN = (simulation, fokker_planck, smoothing, start, scaling, threads, primitives, to_error)
"""Functions that make the tables; each has the name of its part."""


def show(found: Found) -> None:
    """Print all tables."""
    console = Console(width=120, highlight=False)
    machine = found["machine"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}; float64"
    )
    if found["quick"]:
        console.print("Quick: times are rough, since arrays are short.")
    reports = [report for report in found.values() if isinstance(report, dict) and "missing" in report]
    for missing in (found["missing"], *(report["missing"] for report in reports)):
        for name, answer in missing.items():
            for outcome, reason in answer.items():
                console.print(f"{name} {outcome}: {reason}", markup=False)
    for part in SHOWN:
        if part.__name__ in found:
            for item in part(found[part.__name__]):
                console.print("", item, sep="\n")
