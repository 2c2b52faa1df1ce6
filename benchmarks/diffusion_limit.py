"""The diffusion approximation against the exact law as γ falls: ``python -m benchmarks.diffusion_limit``."""

import numpy as np
from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct

GAMMAS = (0.02, 0.05, 0.1, 0.2, 0.5)
NEURONS = (("relu", 0.5, 0.1), ("softplus", -1.0, 0.2), ("tanh", 0.8, 0.5))
SIGMA = 0.5


def errors(activation: str, w: float, b: float, site: str) -> np.ndarray:
    """Return the errors (gammas, 2) of the mean, in units of σ, and of the variance, relative."""
    found = []
    for gamma in GAMMAS:
        net, noise = ct.CTRNN.single(w, b, activation, gamma), ct.Noise(**{site: SIGMA})
        exact = ct.predict(net, noise, method="exact")
        law = ct.predict(net, noise, method="fokker_planck")
        found.append(((law.mean[0] - exact.mean[0]) / SIGMA, law.covariance[0, 0] / exact.covariance[0, 0] - 1.0))
    return np.abs(found)


def main() -> None:
    """Measure and print the table, with the orders in γ."""
    table = Table("mean / variance", box=None, pad_edge=False)
    for title in (*(f"γ = {gamma:g}" for gamma in GAMMAS), "orders"):
        table.add_column(title, justify="right")
    for neuron in NEURONS:
        for site in ("inside", "outside"):
            off = errors(*neuron, site)
            orders = np.polyfit(np.log(GAMMAS), np.log(off), 1)[0]
            cells = [f"{mean:.1e} / {variance:.1e}" for mean, variance in off]
            table.add_row(f"{neuron[0]} {site}", *cells, f"{orders[0]:.2f} / {orders[1]:.2f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
