"""Recorded paths of the map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.arguments import positive_integer, real_array
from ctrnn_theory.integrators.ensemble import Ensemble
from ctrnn_theory.network import CTRNN, Noise

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Path:
    """What :func:`simulate` returns: T recorded times of M trajectories of N neurons."""

    time: FloatArray
    """Times (T,) in units of τ: γ for each step; the first is 0."""
    h: FloatArray
    """States (T, M, N); the first is where the trajectories start."""
    net: CTRNN
    """The network."""

    @property
    def output(self) -> FloatArray:
        """Output z = W_out h + b_out, (T, M, P).

        Raises
        ------
        ValueError
            If the network has no readout.
        """
        if self.net.W_out is None:
            raise ValueError("net must have W_out for an output; got None")
        z: FloatArray = self.h @ self.net.W_out.T
        return z if self.net.b_out is None else z + self.net.b_out


def simulate(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    steps: int = 1000,
    trajectories: int = 1,
    record_every: int = 1,
    start: ArrayLike | None = None,
    rng: object = 0,
    workers: int | Callable[..., Any] | None = None,
) -> Path:
    """Simulate trajectories of the map and record them.

    ``h' = (1-γ) h + γ (f(W h + W_in u + b + σ_in ξ) + σ_out η)``, ξ, η standard normal, independent between
    steps and between trajectories. A state that grows without bound is recorded as it is: beyond the range of
    numbers it is NaN.

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise; σ is per step.
    u
        Input: None, (K,) constant, or (steps, K), a row for each step.
    steps
        Euler–Maruyama steps to take.
    trajectories
        M. Their numbers do not depend on how many there are.
    record_every
        Steps between recorded states.
    start
        State (N,) where every trajectory starts, or (M, N), one for each; None for rest (zero).
    rng
        int, SeedSequence, Generator, or None for fresh entropy. The same int gives the same numbers.
    workers
        Threads, None for one a core; or a function like ``map``, of this process. The numbers do not depend on it.

    Returns
    -------
    Path
        T = steps // record_every + 1 recorded times, the start among them.

    Raises
    ------
    ValueError
        For counts that are not positive integers, or inputs whose shape does not fit.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> path = simulate(net, Noise(inside=0.5), steps=2000, trajectories=50, record_every=100, rng=0)
    >>> path.h.shape
    (21, 50, 1)
    >>> bool(abs(path.h[-10:].mean() - 0.377) < 0.02)
    True
    """
    steps, every = positive_integer("steps", steps), positive_integer("record_every", record_every)
    trajectories = positive_integer("trajectories", trajectories)
    drive, alike = drive_rows(net, u, steps), start is None or np.ndim(start) < 2
    ensemble = Ensemble(net, noise, drive, start if alike else None, trajectories, rng, workers)
    if start is not None and not alike:
        ensemble.place(real_array("start", start, (trajectories, net.n)))
    h = np.empty((steps // every + 1, trajectories, net.n))
    h[0] = ensemble.states[: h.shape[1]]
    ensemble.record(steps // every, every, h.shape[1], h[1:])
    time = np.arange(len(h), dtype=np.float64) * every * net.gamma
    return Path(time, h, net)


def drive_rows(net: CTRNN, u: ArrayLike | None, steps: int) -> FloatArray:
    """W_in u + b for an input u, None or (K,): shape (N,); (steps, K): shape (steps, N)."""
    if u is None or net.W_in is None:
        return net.drive(u)
    inputs = real_array("u", u)
    if inputs.ndim < 2:
        return net.drive(inputs)
    inputs = real_array("u", inputs, (steps, net.W_in.shape[1]))
    drive: FloatArray = inputs @ net.W_in.T + net.b
    return drive
