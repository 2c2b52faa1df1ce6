"""Means and variances of networks of up to 64 neurons, from version 0.4.1: ``python -m tests.large_references``.

They are what that version computed, with matrices of eigenvalues and a Lyapunov solver where later versions use
expansions and products. The command writes the file anew, and is to be run by a version that is trusted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ctrnn_theory import predict
from ctrnn_theory.stationary import StationaryLaw
from tests.large_networks import REFERENCES, Case, network, noise

FILE = Path(__file__).with_suffix(".npz")


def solved(case: Case) -> StationaryLaw:
    """Return the law of a case."""
    net = network(case.kind, case.n, case.activation)
    return predict(net, noise(case.kind, case.n, case.site), method=case.method)


def moments(law: StationaryLaw) -> np.ndarray:
    """Return means and variances, (2, N)."""
    return np.array([law.mean, np.diag(law.covariance)])


def write() -> None:
    """Solve all cases, and write the file."""
    found = {}
    for case in REFERENCES:
        law = solved(case)
        assert law.converged, f"{case.name}: {law.message}"
        found[case.name] = moments(law)
        print(f"{case.name}: {law.seconds:.2f} s")
    np.savez_compressed(FILE, **found)


if __name__ == "__main__":
    write()
