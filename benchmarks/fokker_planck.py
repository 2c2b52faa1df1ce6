"""The Fokker–Planck solver beside a peer, and beside the exact law as γ falls.

    python -m benchmarks.fokker_planck [--peer PYTHON]

PYTHON is the interpreter of an environment that holds fplanck 0.2.2, which needs NumPy below 2:
``python3 -m venv peer && peer/bin/pip install fplanck 'numpy<2'``, then ``--peer peer/bin/python``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import numpy as np

import ctrnn_theory as ct
from ctrnn_theory.fokker_planck.equation import equation
from ctrnn_theory.fokker_planck.generator import generator
from ctrnn_theory.fokker_planck.grid import Grid
from ctrnn_theory.fokker_planck.solution import null_vector

SIZE, DIFFUSION = 1.6, 0.02
"""Half width of the domain, and B/2: two tanh neurons with noise outside, γ σ² / 2."""

PEER = """
import json, sys, time
import numpy as np
from scipy import constants
import fplanck
n, size, D, runs = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), 3
def force(x, y):
    return np.array([np.tanh(0.3 * x - 0.6 * y + 0.2) - x, np.tanh(0.8 * x + 0.2 * y + 0.1) - y])
best = 1e9
for _ in range(runs):
    begin = time.perf_counter()
    sim = fplanck.fokker_planck(temperature=D / constants.k, drag=1.0, extent=[2 * size] * 2,
        resolution=2 * size / n, boundary=fplanck.boundary.reflecting, force=force)
    p = sim.steady_state()
    best = min(best, time.perf_counter() - begin)
mean = [float((p * sim.grid[i]).sum() / p.sum()) for i in range(2)]
print(json.dumps({"seconds": best, "mean": mean, "memory":
    int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) / 1e3}))
"""
OWN = """
import json, sys, time
from benchmarks.fokker_planck import own
n, extrapolated = int(sys.argv[1]), sys.argv[2] == "extrapolated"
own(32, extrapolated)
best = 1e9
for _ in range(3):
    begin = time.perf_counter()
    mean = own(n, extrapolated)
    best = min(best, time.perf_counter() - begin)
print(json.dumps({"seconds": best, "mean": mean, "memory":
    int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) / 1e3}))
"""


def drift(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two coupled tanh neurons."""
    return np.tanh(0.3 * x - 0.6 * y + 0.2) - x, np.tanh(0.8 * x + 0.2 * y + 0.1) - y


def own(n: int, extrapolated: bool) -> list[float]:
    """Mean on a grid of n x n cells; extrapolated with the help of two coarser ones, or as the finest has it."""
    box = [(-SIZE, SIZE)] * 2
    if extrapolated:
        return ct.fokker_planck.solve(drift, 2.0 * DIFFUSION, box, cells=n).mean.tolist()
    grid = Grid(np.full(2, -SIZE), np.full(2, SIZE), (n, n))
    centre = grid.size // 2 + n // 2
    mass, _ = null_vector(generator(equation(drift, 2.0 * DIFFUSION, 2), grid), centre)
    return (mass @ grid.points).tolist()


def beside(peer: str | None) -> None:
    """Time, memory and error of the mean, each in a process of its own."""
    reference = np.array(ct.fokker_planck.solve(drift, 2.0 * DIFFUSION, [(-SIZE, SIZE)] * 2, cells=512).mean)
    print(f"stationary law of two tanh neurons, constant diffusion; mean {reference}")
    print(f"{'':26}{'cells':>6}{'seconds':>10}{'error of the mean':>20}{'MB':>8}")
    for n in (64, 100, 200, 400):
        for name, command in (
            ("one grid", [sys.executable, "-c", OWN, str(n), "one"]),
            ("extrapolated", [sys.executable, "-c", OWN, str(n), "extrapolated"]),
            ("fplanck", [peer, "-c", PEER, str(n), str(SIZE), str(DIFFUSION)]),
        ):
            if command[0] is None:
                continue
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            error = np.max(np.abs(found["mean"] - reference))
            print(f"{name:26}{n:>5}²{found['seconds']:>10.3f}{error:>20.1e}{found['memory']:>8.0f}")


def against_exact() -> None:
    """Error of the diffusion approximation in mean and standard deviation, and its order in γ."""
    gammas = np.array([0.02, 0.05, 0.1, 0.2, 0.5])
    print(
        "\nerror of the diffusion approximation against the exact law: of the mean / σ, and of the variance, relative"
    )
    print(f"{'':22}" + "".join(f"{f'γ = {g:g}':>20}" for g in gammas) + f"{'orders':>14}")
    for activation, w, b in (("relu", 0.5, 0.1), ("softplus", -1.0, 0.2), ("tanh", 0.8, 0.5)):
        for site in ("inside", "outside"):
            noise = ct.Noise(**{site: 0.5})
            errors = []
            for gamma in gammas:
                net = ct.CTRNN.single(w, b, activation, gamma)
                exact = ct.predict(net, noise, method="exact")
                law = ct.predict(net, noise, method="fokker_planck")
                errors.append(
                    ((law.mean[0] - exact.mean[0]) / 0.5, law.covariance[0, 0] / exact.covariance[0, 0] - 1.0)
                )
            table = np.abs(np.array(errors))
            slopes = np.polyfit(np.log(gammas), np.log(table), 1)[0]
            cells = "".join(f"{f'{m:.1e} / {v:.1e}':>20}" for m, v in table)
            print(f"{activation + ' ' + site:22}{cells}{f'{slopes[0]:.2f} / {slopes[1]:.2f}':>14}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="interpreter of an environment with fplanck")
    beside(parser.parse_args().peer)
    against_exact()
