"""What ``python -m benchmarks`` found, as tables of at most 120 columns."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.simulation import BOUND, EVERY

Found = dict[str, Any]


def table(*titles: str) -> Table:
    """Make one whose first column is text and whose others are numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, title in enumerate(titles):
        made.add_column(title, justify="right" if i else "left", no_wrap=True)
    return made


def comparison(works: list[Found]) -> Table:
    """ns a neuron-step of each peer at one site, and how many times ours."""
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
    """Versions, what each costs before its first result, and the largest deviation of a mean."""
    made = table("peer", "import, s", "compiling, s", "deviation", "version", "fastest way")
    for column in made.columns[4:]:
        column.justify, column.no_wrap = "left", False
    for name, peer in found["peers"].items():
        results = [work["results"][name] for work in found["works"] if name in work["results"]]
        made.add_row(
            name,
            f"{peer['import']:.2f}",
            f"{max(result['first_call'] for result in results):.2f}",
            f"{max(result['deviation'] for result in results):.1f}",
            ", ".join(f"{package} {version}" for package, version in peer["versions"].items()),
            "; ".join(dict.fromkeys(result["way"] for result in results)),
        )
    return made


def primitives(rows: dict[str, Found]) -> Table:
    """ns a value."""
    made = table("ns a value", "ours", "NumPy", "C library, one at a time")
    for name, row in rows.items():
        made.add_row(name, *(f"{row[key]:.2f}" if key in row else "–" for key in ("ours", "numpy", "one at a time")))
    return made


def threads(rows: list[Found]) -> Table:
    """ns a neuron-step by the number of threads."""
    counts = list(rows[0]["ns"])
    made = table("tanh, ns by threads", *counts, "gain")
    for row in rows:
        times = [row["ns"][count] for count in counts]
        made.add_row(f"N = {row['n']}", *(f"{time:.2f}" for time in times), f"×{times[0] / times[-1]:.2f}")
    return made


def start(rows: dict[str, Found]) -> Table:
    """Seconds of the first call."""
    made = table("seconds of the start", *next(iter(rows.values())))
    for name, row in rows.items():
        made.add_row(name, *(f"{seconds:.3f}" for seconds in row.values()))
    return made


def to_error(rows: list[Found]) -> Table:
    """Seconds to the standard error."""
    made = table(f"seconds to SE {rows[0]['target']:g}", "ours", "ours, plain", "NumPy, extrapolated", "neuron-steps")
    for row in rows:
        times = (row["ours"], row["ours, plain"], row["numpy"])
        made.add_row(row["activation"], *(f"{time:.2f}" for time in times), f"{row['neuron_steps']:.1e}")
    return made


def show(found: Found) -> None:
    """Print it all."""
    console = Console(width=120, highlight=False)
    machine = found["machine"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}\n"
        "One core, float64. ns a neuron-step, and how many times ours. The first and second moments of each of K\n"
        f"trajectories, from every {EVERY}th of {found['works'][0]['steps']} steps; ours has the covariance matrix and"
        " the control variate besides."
    )
    if found["quick"]:
        console.print("Quick: rough times, of short arrays.")
    for name, answer in found["missing"].items():
        for outcome, reason in answer.items():
            console.print(f"{name} {outcome}: {reason}", markup=False)
    for site in dict.fromkeys(work["site"] for work in found["works"]):
        console.print("", comparison([work for work in found["works"] if work["site"] == site]), sep="\n")
    console.print(
        f"\nDeviation: the largest of the moments, in standard errors; beyond {BOUND:g} the result is wrong.",
        peers(found),
        sep="\n",
    )
    for name, make in {"primitives": primitives, "threads": threads, "start": start, "to_error": to_error}.items():
        if name in found:
            console.print("", make(found[name]), sep="\n")
