"""Tables of ratios in Markdown, of what ``python -m benchmarks --write`` keeps.

A ratio is the peer's seconds over those of this package.
"""

from __future__ import annotations

from benchmarks.kept import measured_on
from benchmarks.processes import Found

NOT_REACHED = "not reached", "–"
"""Cells of this package if none of its grids has so small an error."""


def line(*cells: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def ratio(value: float) -> str:
    """Return a ratio with two digits."""
    return f"{value:.2g}" if value < 100.0 else f"{float(f'{value:.2g}'):,.0f}"


def titles(*cells: str) -> list[str]:
    """Return the first two rows of a table."""
    return [line(*cells), line(*("---" if i == 0 else "---:" for i in range(len(cells))))]


def simulation(found: Found) -> list[str]:
    """Return a table for each site of the noise, with a column for each peer."""
    rows: list[str] = []
    for site in dict.fromkeys(work["site"] for work in found["works"]):
        works = [work for work in found["works"] if work["site"] == site]
        peers = [name for name in works[0]["results"] if not name.startswith("ours")]
        if not peers:
            continue
        rows += titles(f"simulation, noise {site}", "ours, ns a neuron-step", *peers)
        for work in works:
            results = work["results"]
            ours = results["ours" if site == "inside" else "ours_outside"]
            name = f"{work['activation']}, N = {work['n']}"
            rows.append(line(name, f"{ours['ns']:.1f}", *(ratio(results[peer]["ratio"]) for peer in peers)))
        rows.append("")
    return rows


def others(found: Found) -> list[str]:
    """Return one table with the results of the other parts."""
    rows = []
    for row in found.get("fokker_planck", {}).get("to_error", []):
        ours = row["solvers"].get("ours")
        for name, best in row["solvers"].items():
            if name != "ours":
                title = f"density {row['problem']}, to an error of {row['target']:g}"
                mine = (f"{ours['seconds']:.2g} s", ratio(best["seconds"] / ours["seconds"])) if ours else NOT_REACHED
                compiling = f", and {best['first_call']:.2g} s of compiling" if best["first_call"] > 1.0 else ""
                rows.append((title, mine[0], name, f"{best['seconds']:.2g} s{compiling}", mine[1]))
    for row in found.get("smoothing", []):
        ours, *ways = row["ways"]
        for way in ways:
            nodes = f", {way['order']} nodes" if "order" in way else ""
            name = f"{way['way']}{nodes} (error {way['error']:.0e})"
            mine = f"{ours['rate']:.1e} a second"
            rows.append((f"smoothed {row['activation']}", mine, name, f"{way['rate']:.1e}", ratio(way["ratio"])))
    for row in found.get("to_error", []):
        title, mine = f"{row['activation']} simulated to SE {row['target']:g}", f"{row['ours']:.2g} s"
        rows.append((title, mine, "NumPy, extrapolated", f"{row['numpy']:.2g} s", ratio(row["numpy"] / row["ours"])))
    return [*titles("work", "ours", "peer", "its figure", "ratio"), *(line(*row) for row in rows)] if rows else []


def threads(rows: list[Found]) -> list[str]:
    """Return a table of the gains over one thread."""
    if not rows:
        return []
    counts = list(rows[0]["gain"])[1:]
    found = titles("gain by threads", *counts)
    for row in rows:
        name = f"{row['activation']}, N = {row['n']}"
        found.append(line(name, *(f"{row['gain'][count]:.2f}" for count in counts)))
    return ["", *found]


def start(found: Found) -> list[str]:
    """Return a table of the seconds of imports, and of the first bias in a new process."""
    if not found:
        return []
    rows = [(name, f"{seconds:.2g}") for name, seconds in found["before"].items()]
    rows += [
        (f"{name}, {cache}", f"{seconds:.2g}")
        for cache, row in found["bias"].items()
        for name, seconds in row["seconds"].items()
        if name.endswith("bias")
    ]
    return ["", *titles("in a new process", "seconds"), *(line(*row) for row in rows)]


def versions(found: Found) -> dict[str, str]:
    """Return the versions of all packages that took part."""
    parts = [peer["versions"] for peer in found.get("simulation", {}).get("peers", {}).values()]
    parts += found.get("fokker_planck", {}).get("versions", {}).values()
    named: dict[str, str] = {}
    for part in parts:
        for package, version in part.items():
            if version not in named.setdefault(package, version):
                named[package] += f" and {version}"
    return named


def markdown(found: Found) -> str:
    """Return all tables as Markdown."""
    tables = simulation(found["simulation"]) if "simulation" in found else []
    tables += others(found) + threads(found.get("threads", [])) + start(found.get("start", {}))
    note = "Ratio: the peer's seconds over ours; above one, ours is faster."
    return "\n".join([note, "", *tables, "", f"Measured on {measured_on(found, **versions(found))}."])
