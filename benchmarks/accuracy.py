"""Accuracy of the methods on the reference cases: ``python -m benchmarks.accuracy``.

For each case of ``tests/reference_cases.py`` the table shows the error of the exact method, the deviation of the
simulation in standard errors at a target of 1e-5 with its time and its variance reduction, and the relative error of
the bias by the Gaussian closure and by mean field.
"""

from rich.console import Console
from rich.table import Table

import ctrnn_theory as ct
from tests.reference_cases import REFERENCE_CASES

TARGET = 1e-5


def main() -> None:
    """Measure and print the table."""
    table = Table(box=None, pad_edge=False)
    table.add_column("case")
    for title in ("exact - reference", "simulated, in SE", "seconds", "variance ÷", "closure", "mean field"):
        table.add_column(title, justify="right")
    for case in REFERENCE_CASES:
        net = ct.CTRNN.single(w=case.w, b=case.b, activation=case.activation, gamma=case.gamma)
        noise = ct.Noise(**{case.site: case.sigma})
        exact = ct.predict(net, noise, method="exact")
        simulated = ct.predict(net, noise, method="simulation", target_se=TARGET, rng=1)
        bias = exact.mean[0] - case.fixed_point
        relative = [
            (ct.predict(net, noise, method=name).mean[0] - case.fixed_point) / bias - 1.0
            for name in ("gaussian_closure", "mean_field")
        ]
        table.add_row(
            f"{case.activation} w={case.w:g} {case.site}",
            f"{exact.mean[0] - case.mean:+.1e}",
            f"{(simulated.mean[0] - exact.mean[0]) / simulated.standard_error[0]:+.2f}",
            f"{simulated.seconds:.2f}",
            f"{simulated.details['variance_reduction'][0]:.0f}",
            *(f"{error:+.2%}" for error in relative),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
