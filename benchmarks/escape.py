"""Escape times from a well by all methods: ``python -m benchmarks.escape``.

One tanh neuron with w = 1.5 and γ = 0.1 has noise at either site, which leaves its two wells more and more rarely. The
table shows the mean escape time in steps by the spectrum of the step, by simulation if escapes are frequent enough, by
the diffusion approximation and by its weak-noise formula, with the ratio to the first in brackets.
"""

import numpy as np
from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct
from ctrnn_theory.escape.escape_times import escape_times

LEVELS = {"inside": (0.75, 0.621, 0.525, 0.47, 0.431), "outside": (1.2, 0.747, 0.55, 0.455, 0.398)}
AFFORDABLE = 5e5  # steps; the simulation then takes a few seconds


def row(site: str, sigma: float) -> list[str]:
    """Return the escape times for one noise as text."""
    net, noise = ct.CTRNN.single(1.5, 0.0, "tanh", 0.1), ct.Noise(**{site: sigma})
    exact = escape_times(net, noise)
    time = float(np.mean(exact.time))
    cells = [site, f"{sigma:g}", f"{2.0 / time:.1e}", f"{exact.separation:.3g}", f"{time:.4g}"]
    if time < AFFORDABLE:
        found = escape_times(net, noise, method="simulation", relative_error=0.02)
        error = float(np.linalg.norm(found.standard_error)) / 2.0
        cells.append(f"{np.mean(found.time):.4g} ± {error:.2g} ({np.mean(found.time) / time:.3f})")
    else:
        cells.append("")
    for method in ("fokker_planck", "kramers"):
        other = float(np.mean(escape_times(net, noise, method=method).time))
        cells.append(f"{other:.4g} ({other / time:.3f})")
    return cells


if __name__ == "__main__":
    table = Table(
        "site", "σ", "gap", "separation", "exact", "simulation", "fokker_planck", "kramers", box=None, pad_edge=False
    )
    for site, levels in LEVELS.items():
        for sigma in levels:
            table.add_row(*row(site, sigma))
    Console(width=140).print(table)
