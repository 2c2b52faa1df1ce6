"""Smoothed values a second, on one core: ``python -m benchmarks.smoothing``."""

from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct


def rate(call: object, *arguments: object) -> str:
    """Values a second of a vectorised call, the best of three."""
    seconds = []
    for _ in range(4):  # the first one builds what is built once
        begin = perf_counter()
        call(*arguments)  # type: ignore[operator]
        seconds.append(perf_counter() - begin)
    return f"{np.size(arguments[0]) / min(seconds[1:]):.1e}"


def main() -> None:
    """Measure and print the table."""
    rng = np.random.default_rng(0)
    a, s = rng.uniform(-5.0, 5.0, 100_000), 10.0 ** rng.uniform(-2.0, 1.0, 100_000)
    table = Table("values a second", "F", "F'", "variance", box=None, pad_edge=False)
    for name in ("relu", "erf", "gelu", "softplus", "tanh"):
        f = ct.activation(name)
        table.add_row(
            name, rate(f.smoothed, a, s), rate(f.smoothed, a, s, 1), rate(f.smoothed_variance, a[:10_000], s[:10_000])
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
