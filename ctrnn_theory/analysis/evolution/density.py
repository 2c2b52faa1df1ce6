"""The density of a network's state in time, by the diffusion approximation, along an input that may vary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.fokker_planck.density import Density
from ctrnn_theory.fokker_planck.evolution import DensityPath, Gaussian, follow, step_tolerance
from ctrnn_theory.fokker_planck.of_network import network_equation
from ctrnn_theory.fokker_planck.solution import cell_counts
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.choice import closure_of
from ctrnn_theory.stationary.closure.moments import Moments, semidefinite
from ctrnn_theory.stationary.fokker_planck import MOST_WIDENINGS, WIDENED, WIDTHS, open_box, require_few, sources
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.arguments import positive_integer, real_array
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.types import FloatArray

CELLS = {2: 64, 3: 32}  # cells along each axis, by the number of neurons; one neuron has those of the equation itself
TAIL = 1e-9  # probability of a density at the start that may lie beyond the domain on either side
BORDER = 1e-6  # probability in the outermost cells up to which the domain is wide enough
AROUND = 2.0  # cells of the coarser grid that lie in the domain on either side of a start state that is a point


def evolve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    steps: int = 1000,
    record_every: int = 1,
    start: Any = None,
    *,
    cells: int | Sequence[int] | None = None,
    tolerance: float = 1e-4,
) -> DensityPath:
    """Return the density of the diffusion approximation in time, along an input that may vary from step to step.

    Continuous time takes the place of the steps, which moves the mean of a transient by O(γ). The estimated error does
    not contain this difference.

    Parameters
    ----------
    net, noise
        Network of one to three neurons, and its noise.
    u
        Input: None, constant (K,), or (steps, K) with a row for each step of the map, which lasts a time γ.
    steps, record_every
        Number of steps of the map, and number of steps between recorded times.
    start
        Start state (N,), known exactly, or zero for None; or a StationaryLaw, which stands for its density, or for a
        Gaussian if it has none.
    cells
        Number of cells along each axis: 512, 64 or 32 by default. With an input that varies from step to step two
        neurons take some 0.01 s a step on 64 cells, since the equations change.
    tolerance
        Largest error of a step in time, in total variation.

    Returns
    -------
    DensityPath
        Densities at steps // record_every + 1 times, of which the first is 0.

    Raises
    ------
    NotApplicable
        If there are more than three neurons or no noise, or a neuron does not move.
    Divergence
        If the state grows without bound.
    ValueError
        If an argument has another form, or the grid is too large for memory.

    Examples
    --------
    >>> path = evolve(CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1), Noise(inside=0.5), None, 50, 25)
    >>> print(path.time, path.mean[:, 0].round(3))
    [0.  2.5 5. ] [0.    0.304 0.362]
    """
    steps, every = positive_integer("steps", steps), positive_integer("record_every", record_every)
    require_few(net)
    if sources(noise, net.n):
        raise NotApplicable("the density in time is for white noise: coloured sources would be further dimensions")
    tolerance, counts = step_tolerance(tolerance), cell_counts(CELLS.get(net.n) if cells is None else cells, net.n)
    if noise.is_zero:
        raise NotApplicable("Fokker–Planck is for a network with noise; without noise the density is a point")
    step = float(net.gammas.min())
    times, inputs = _schedule(net, u, steps, every)
    low, high = _path_box(net, noise, inputs, times, start)
    if not isinstance(start, StationaryLaw):  # a point occupies three cells of the coarser grid
        state, margin = net.start_state(start), AROUND * (high - low) / (0.5 * np.array(counts) - 2.0 * AROUND)
        low, high = np.minimum(low, state - margin), np.maximum(high, state + margin)
    recorded = set(range(0, steps + 1, every))
    keep = [round(t / step) in recorded for t in times]
    for _ in range(MOST_WIDENINGS):
        known: dict[bytes, Any] = {}
        problems = []
        for row in inputs:
            key = b"" if row is None else row.tobytes()
            known.setdefault(key, network_equation(net, noise, row, (low, high)))
            problems.append(known[key])
        begin = _start(net, start)
        path = follow(problems, low, high, counts, begin, times, tolerance, lambda k: keep[k])
        if path.border.max() <= BORDER:
            break
        grow = WIDENED * (high - low)
        low, high = (
            np.where(path.border[:, 0] > BORDER, low - grow, low),
            np.where(path.border[:, 1] > BORDER, high + grow, high),
        )
    return path


def _schedule(net: CTRNN, u: ArrayLike | None, steps: int, every: int) -> tuple[FloatArray, list[FloatArray | None]]:
    """Return the times at which the input changes or the density is recorded, and the input between them."""
    marks = set(range(0, steps + 1, every)) | {steps}
    given = None if u is None else real_array("u", u)
    rows: FloatArray | None = None
    if given is not None and net.W_in is not None and given.ndim > 1:
        rows = real_array("u", given, (steps, net.W_in.shape[1]))
    else:
        net.drive(given)
    if rows is not None:
        marks |= set(np.flatnonzero(np.any(rows[1:] != rows[:-1], axis=1)) + 1)
    places = sorted(int(k) for k in marks)
    inputs = [given if rows is None else rows[k] for k in places[:-1]]
    return float(net.gammas.min()) * np.array(places, dtype=np.float64), inputs


def _path_box(
    net: CTRNN, noise: Noise, inputs: list[FloatArray | None], times: FloatArray, start: Any
) -> tuple[FloatArray, FloatArray]:
    """Return the corners of a box that holds the Gaussian closure along its path."""
    law = _start(net, start)
    state = (
        Moments(law.mean, law.covariance)
        if isinstance(law, Gaussian | Density)
        else Moments(law, np.zeros((net.n,) * 2))
    )
    closure, path, n, unit = closure_of(net, noise), [state], net.n, float(np.min(net.gamma))
    state = closure.begin(state[None])[0]
    for u, length in zip(inputs, np.diff(times), strict=True):
        closure = closure.driven_by(net.drive(u)[None])
        for _ in range(round(length / unit)):
            state = closure.step(state[None])[0]
            if not (np.all(np.abs(state.mean) < BOUND) and np.all(np.diag(state.covariance) < BOUND**2)):
                raise Divergence(f"W must keep the state bounded; under noise it passes {BOUND:g}")
            path.append(Moments(state.mean[:n], state.covariance[:n, :n]))
    mean, width = (
        np.array([at.mean for at in path]),
        np.array([WIDTHS * np.sqrt(np.diag(at.covariance)) for at in path]),
    )
    if not np.all(np.abs(mean) + width < BOUND):
        raise Divergence(f"W must keep the state bounded; under noise it passes {BOUND:g}")
    low, high = (mean - width).min(axis=0), (mean + width).max(axis=0)
    if isinstance(law, Density):  # its tails and wells may lie beyond what its moments suggest
        ends = np.array([_quantiles(law.marginal(i)) for i in range(net.n)])
        low, high = np.minimum(low, ends[:, 0]), np.maximum(high, ends[:, 1])
    return open_box(low, high)


def _quantiles(density: Density) -> tuple[float, float]:
    """Return the ends of the range beyond which a density of one dimension has the probability TAIL on either side."""
    x, below = density.axes[0], np.cumsum(density.weights) / density.mass
    first, last = int(np.searchsorted(below, TAIL)), min(int(np.searchsorted(below, 1.0 - TAIL)), x.size - 1)
    return float(x[first] - density.widths[0][first]), float(x[last] + density.widths[0][last])


def _start(net: CTRNN, start: Any) -> FloatArray | Density | Gaussian:
    """Return the point, the Gaussian or the density at time 0."""
    if not isinstance(start, StationaryLaw):
        return net.start_state(start)
    density = start.details.get("density")
    if isinstance(density, Density) and density.n == net.n:
        return density
    covariance = real_array("start.covariance", start.covariance, (net.n, net.n))
    return Gaussian(real_array("start.mean", start.mean, (net.n,)), semidefinite(covariance))
