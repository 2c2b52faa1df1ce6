"""Accuracy of the formulas of the theory against the exact law: ``python -m benchmarks.theory``.

The first table shows the power of σ with which the error of the small-noise bias falls, for orders 2, 4 and 6. The
second shows, for relu whose fixed point crosses the kink, the worst error of the bias by the composite formula, mean
field and small noise.
"""

from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct

NEURONS = {"softplus": (-1.0, 0.2, 0.2), "tanh": (0.8, 0.5, 0.1), "sigmoid": (-2.0, 0.6, 0.3)}
DISTANCES = np.linspace(-6.0, 6.0, 25)
SHOWN = 1e-6  # σ; smaller biases have no relative error


def small_noise_bias(net: ct.CTRNN, noise: ct.Noise, order: int) -> float:
    """Return the noise-induced bias of one neuron to an order in σ."""
    law = ct.predict(net, noise, method="small_noise", order=order)
    return float(law.mean[0] - law.details["fixed_point"][0])


def orders() -> Table:
    """Measure the orders of convergence of the expansion, and return the table."""
    table = Table("small noise", "site", "order 2", "order 4", "order 6", box=None, pad_edge=False)
    for name, (w, b, gamma) in NEURONS.items():
        net = ct.CTRNN.single(w, b, name, gamma)
        for site in ("inside", "outside"):
            slopes = []
            for order in (2, 4, 6):
                formula = partial(small_noise_bias, order=order)
                found = ct.testing.assert_bias_formula(formula, net, ct.Noise(**{site: 0.2}), order=order)
                slopes.append(f"σ^{found.order:.2f}")
            table.add_row(name, site, *slopes)
    return table


def bias(net: ct.CTRNN, noise: ct.Noise, method: str, h: float) -> float:
    """Return the noise-induced bias of one neuron by a method, NaN if the method does not apply."""
    options = {"tolerance": 1e-12} if method == "exact" else {}
    try:
        return float(ct.predict(net, noise, method=method, start=[h], **options).mean[0]) - h
    except ct.NotApplicable:
        return np.nan


def across_the_kink(w: float, gamma: float, site: str) -> list[str]:
    """Return the worst error of each formula over the distances, relative, and relative to the largest bias."""
    unit = 1.0 if site == "inside" else abs(w) * np.sqrt(gamma / 2)
    noise = ct.Noise(**{site: 1.0})
    rows = []
    for a in DISTANCES * unit:
        h = max(a, 0.0)
        net = ct.CTRNN.single(w, a - w * h, "relu", gamma)
        composite = ct.derive.kink_bias_value("relu", a, w, gamma, 1.0, site)
        rows.append([composite, *(bias(net, noise, method, h) for method in ("mean_field", "small_noise", "exact"))])
    values = np.array(rows)
    exact = values[:, 3:]
    error = np.abs(values[:, :3] - exact)
    relative = np.nanmax(np.where(np.abs(exact) > SHOWN, error / np.abs(exact), 0.0), axis=0)
    return [f"{r:.1e} / {m:.1e}" for r, m in zip(relative, np.nanmax(error, axis=0) / exact.max(), strict=True)]


def kinks() -> Table:
    """Measure the composite formula beside the other ones, and return the table."""
    table = Table("relu", "w", "γ", "composite", "mean field", "small noise", box=None, pad_edge=False)
    for site, weights in (("inside", (-1.0, 0.0, 0.5)), ("outside", (-1.0, 0.5))):
        for w in weights:
            for gamma in (0.05, 0.3):
                table.add_row(site, f"{w:g}", f"{gamma:g}", *across_the_kink(w, gamma, site))
    return table


if __name__ == "__main__":
    console = Console(width=120)
    console.print(orders(), "\nworst error of the bias: relative / of the largest bias", kinks())
