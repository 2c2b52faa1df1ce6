"""Accuracy of the methods where the theory is hardest: ``python -m benchmarks.hard_cases``.

The cases are a neuron that is nearly bistable, a neuron at its kink whose feedback nearly balances its leak, and
networks of four relu neurons of spectral radius 0.9. The table shows the largest bias, the standard error of the
simulation, and for each method the largest error of the bias relative to it. The reference is the exact method where it
applies, and the simulation otherwise. A star marks results that did not converge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct

NETWORKS = 5
PART = 1e-3  # standard error of the simulation, relative to the bias by the Gaussian closure


class Case(NamedTuple):
    """A network, and the strength of its noise at either site."""

    name: str
    net: ct.CTRNN
    sigma: float


def cases() -> list[Case]:
    """Return the cases, from one neuron to four."""
    found = [
        Case("tanh, w = 1.2", ct.CTRNN.single(1.2, 0.1, "tanh", 0.1), 0.5),
        Case("relu, w = 0.9", ct.CTRNN.single(0.9, 0.0, "relu", 0.05), 1.0),
    ]
    for seed in range(NETWORKS):
        rng = np.random.default_rng(seed)
        W = rng.normal(size=(4, 4))
        W *= 0.9 / np.max(np.abs(np.linalg.eigvals(W)))
        found.append(Case(f"4 relu, seed {seed}", ct.CTRNN(W, 0.5 * rng.normal(size=4), "relu", 0.1), 1.0))
    return found


def laws(net: ct.CTRNN, noise: ct.Noise) -> dict[str, ct.StationaryLaw]:
    """Return the law of each method that applies."""
    fixed_point = ct.predict(net, noise, method="deterministic").mean
    bias = np.max(np.abs(ct.predict(net, noise).mean - fixed_point))
    found = {}
    for method in ct.METHODS:
        options = {"target_se": PART * bias, "rng": 1, "max_steps": 200_000} if method == "simulation" else {}
        try:
            found[method] = ct.predict(net, noise, method=method, **options)
        except (ct.NotApplicable, ct.Divergence):
            continue
    return found


def main() -> None:
    """Measure and print the table."""
    methods = [method for method in ct.METHODS if method != "deterministic"]
    table = Table("case", "site", box=None, pad_edge=False)
    for title in ("bias", "SE", *(method.replace("_", " ") for method in methods)):
        table.add_column(title, justify="right")
    for case in cases():
        for site in ("inside", "outside"):
            found = laws(case.net, ct.Noise(**{site: case.sigma}))
            exact = found.get("exact")
            truth = exact if exact is not None and exact.converged else found["simulation"]
            bias = np.max(np.abs(truth.mean - found["deterministic"].mean))
            cells = [f"{bias:.4f}", f"{np.max(found['simulation'].standard_error) / bias:.3%}"]
            for method in methods:
                law = found.get(method)
                if law is None or law is truth:
                    cells.append("–" if law is None else "truth")
                else:
                    mark = "" if law.converged else "*"
                    cells.append(f"{np.max(np.abs(law.mean - truth.mean)) / bias:.3%}{mark}")
            table.add_row(case.name, site, *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
