"""Steps under every kind of noise and of every kind of network: ``python -m benchmarks.kinds``.

The table shows nanoseconds of processor time for each neuron and step on one thread, with first and second moments from
every 5th step, and with both control variates besides; in brackets, how many times as long as under white additive
noise. The last columns are the factors by which the control variates lower the variance of the mean and of the
variances at the same steps, the least of all neurons.
"""

from __future__ import annotations

from time import process_time

import numpy as np
from rich.console import Console
from rich.table import Table

from ctrnn_theory import CTRNN, Noise, predict
from ctrnn_theory.integrators.ensemble import Ensemble

EVERY, STEPS, REPEATS = 5, 1000, 5
SIZES = {1: 4096, 16: 1024, 128: 128}
"""Trajectories of networks of each size."""
WHITE = "white additive"
NOISES = {
    WHITE: Noise(inside=0.5),
    "gain inside": Noise(inside=0.5, gain_inside=0.3),
    "gain outside": Noise(inside=0.5, gain_outside=0.3),
    "common gain": Noise(inside=0.5, common_gain_outside=0.3),
    "dropout": Noise.dropout(0.8, inside=0.5),
    "coloured inside": Noise(inside=0.5, rho_inside=0.5),
    "coloured outside": Noise(inside=0.5, outside=0.5, rho_outside=0.5),
}


def network(n: int, **kind: object) -> CTRNN:
    """Return a random network, or a negative feedback of one neuron."""
    rng = np.random.default_rng(n)
    W = 0.5 * rng.standard_normal((n, n)) / np.sqrt(n) if n > 1 else np.array([[-0.7]])
    return CTRNN(W, 0.3 + np.zeros(n), **{"activation": "tanh", "gamma": 0.1, **kind})  # type: ignore[arg-type]


def works(n: int) -> dict[str, tuple[CTRNN, Noise]]:
    """Return a network and its noise of each kind."""
    found = {name: (network(n), noise) for name, noise in NOISES.items()}
    found["voltage"] = network(n, form="voltage"), NOISES[WHITE]
    if n > 1:
        unlike = network(n, activation=["tanh", "softplus"] * (n // 2), gamma=np.linspace(0.1, 0.2, n))
        found["unlike neurons"] = unlike, NOISES[WHITE]
    return found


def nanoseconds(net: CTRNN, noise: Noise, trajectories: int, controlled: bool) -> float:
    """Return processor time for each neuron and step, the least of some calls."""
    ensemble = Ensemble(net, noise, net.b, None, trajectories, rng=1, workers=1)
    if controlled:
        seen = ensemble.measure(50, EVERY, np.zeros(net.n))
        ensemble.tabulate(seen.low, seen.high, variance=True)
    ensemble.measure(10, EVERY, np.zeros(net.n), controlled)
    seconds = []
    for _ in range(REPEATS):
        begin = process_time()
        ensemble.measure(STEPS // EVERY, EVERY, np.zeros(net.n), controlled)
        seconds.append(process_time() - begin)
    return 1e9 * min(seconds) / (net.n * ensemble.h.shape[1] * STEPS)


def reductions(net: CTRNN, noise: Noise) -> list[float]:
    """Return the factors by which the control variates lower the variance of the mean and of the variances."""
    details = predict(net, noise, method="simulation", rng=1, workers=1, steps=2000).details
    variances = details["variance_standard_error"] / np.diag(details["covariance_standard_error"])
    return [float(np.min(details["variance_reduction"])), float(np.min(variances**2))]


def main() -> None:
    """Print the table."""
    table = Table(
        "N", "kind", "moments, ns", "control variates, ns", "variance, mean", "of variances", box=None, pad_edge=False
    )
    for n, trajectories in SIZES.items():
        first: list[float] = []
        for name, (net, noise) in works(n).items():
            times = [nanoseconds(net, noise, trajectories, controlled) for controlled in (False, True)]
            first = first or times
            cells = [f"{time:.1f} ({time / white:.1f})" for time, white in zip(times, first, strict=True)]
            table.add_row(str(n), name, *cells, *(f"÷{factor:.0f}" for factor in reductions(net, noise)))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
