"""Two neurons: the exact law beside a long simulation and the Fokker–Planck density: ``python -m benchmarks.plane``.

The simulation runs to a standard error of 1e-6 (or ``--target-se``), and its distance to the exact law is in standard
errors. The Fokker–Planck equation is solved on 200 x 200 cells, and its distance to the exact law is the error of the
diffusion approximation at γ = 0.1.
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct

W, B, GAMMA, SIGMA = [[0.5, -0.8], [0.6, 0.3]], [0.1, 0.2], 0.1, 0.5


def rows(target_se: float) -> Table:
    """Measure all activations with noise at both sites, and return the table."""
    table = Table("W = [[.5, -.8], [.6, .3]]", "noise", box=None, pad_edge=False)
    for title in ("E h₁, exact", "its error", "seconds", "simulation, in SE", "seconds", "variance, in SE"):
        table.add_column(title, justify="right")
    for title in ("Fokker–Planck", "grid error", "variance", "seconds"):
        table.add_column(title, justify="right")
    for activation in ("relu", "softplus", "tanh", "hardtanh"):
        net = ct.CTRNN(W, B, activation, GAMMA)
        for site in ("inside", "outside"):
            noise = ct.Noise(**{site: SIGMA})
            exact = ct.predict(net, noise, method="exact")
            run = ct.predict(net, noise, method="simulation", target_se=target_se, max_steps=100_000_000, rng=0)
            density = ct.predict(net, noise, method="fokker_planck", cells=200)
            assert run.standard_error is not None
            away = np.abs(run.mean - exact.mean) / np.hypot(run.standard_error, exact.details["error"][0])
            apart = np.abs(np.diag(run.covariance - exact.covariance)) / run.details["variance_standard_error"]
            wider = np.diag(density.covariance) / np.diag(exact.covariance) - 1.0
            table.add_row(
                activation,
                site,
                f"{exact.mean[0]:.9f}",
                f"{exact.details['error'][0]:.0e}",
                f"{exact.seconds:.1f}",
                f"{np.max(away):.2f}",
                f"{run.seconds:.0f}",
                f"{np.max(apart):.2f}",
                f"{np.max(np.abs(density.mean - exact.mean)):.1e}",
                f"{density.details['error'][0]:.0e}",
                f"{wider[np.argmax(np.abs(wider))]:+.1%}",
                f"{density.seconds:.2f}",
            )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target-se", type=float, default=1e-6)
    Console(width=160).print(rows(parser.parse_args().target_se))
