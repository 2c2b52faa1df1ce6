"""An ensemble of trajectories of the map, stepped block by block, and its streaming averages."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.arguments import positive_integer
from ctrnn_theory.integrators import kernels, normals
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.integrators.table import tabulate
from ctrnn_theory.network import CTRNN, Noise, Site

FloatArray = NDArray[np.float64]
BOUND = 1e12
"""A state beyond this is taken to grow for ever."""
WIDEN = 0.5
"""By how much of its width a table reaches beyond what was seen, on either side."""


NO_SUMS = kernels.Sums(np.zeros(0), *np.zeros((6, 0, LANES)))
NO_RECORD = np.zeros((0, 0, 0))


class Unbounded(ArithmeticError):
    """A trajectory has left every bound."""


@dataclass(frozen=True, eq=False)
class Averages:
    """Time averages over each of K trajectories, of N neurons."""

    samples: int
    """Times averaged over."""
    centre: FloatArray
    """Point c that moments are taken about, (N,)."""
    first: FloatArray
    """Average of h - c, (K, N)."""
    second: FloatArray
    """Average of (h - c)², (K, N)."""
    residual: FloatArray
    """Average of F(W h + drive; σ_in) - h, (K, N): its stationary mean is zero."""
    cross: FloatArray
    """Average of (h - c)(h - c)ᵀ over all trajectories, (N, N)."""
    low: FloatArray
    """Smallest pre-activation without its noise, W h + drive, (N,)."""
    high: FloatArray
    """Largest one, (N,)."""

    def __add__(self, other: Averages) -> Averages:
        """Averages over both runs, of the same trajectories about the same centre."""
        total = self.samples + other.samples
        share = other.samples / total

        def mix(name: str) -> FloatArray:
            mine: FloatArray = getattr(self, name)
            return mine + share * (getattr(other, name) - mine)

        return Averages(
            samples=total,
            centre=self.centre,
            first=mix("first"),
            second=mix("second"),
            residual=mix("residual"),
            cross=mix("cross"),
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
        )

    def means(self, M: FloatArray | None = None) -> FloatArray:
        """Average of h over each trajectory, or of h + M (F - h) for a matrix M (N, N); shape (K, N)."""
        plain: FloatArray = self.centre + self.first
        return plain if M is None else plain + self.residual @ M.T

    def squares(self, mean: FloatArray) -> FloatArray:
        """Average of (h - mean)² over each trajectory, (K, N)."""
        shift = mean - self.centre
        squares: FloatArray = self.second - 2.0 * shift * self.first + shift**2
        return squares

    def covariance(self, mean: FloatArray) -> FloatArray:
        """Average of (h - mean)(h - mean)ᵀ over all, (N, N): positive semi-definite whatever the mean."""
        shift, first = mean - self.centre, self.first.mean(axis=0)
        covariance: FloatArray = self.cross - np.outer(shift, first) - np.outer(first, shift) + np.outer(shift, shift)
        return covariance


def standard_error(values: FloatArray) -> FloatArray:
    """Return the standard error (N,) of the mean over K independent trajectories, values (K, N)."""
    error: FloatArray = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return error


class _Site(NamedTuple):
    sigma: FloatArray
    factor: FloatArray


def _site(noise: Noise, site: Site, n: int) -> _Site:
    factor = np.array(noise.factor(site, n), order="C")
    nothing = _Site(np.zeros(0), np.zeros((n, 0)))
    if not factor.any():
        return nothing
    if np.ndim(getattr(noise, site)) < 2:
        return nothing._replace(sigma=np.array(np.diag(factor)))
    return nothing._replace(factor=factor)


class Ensemble:
    """Trajectories of one network under one noise, in blocks of `LANES` that advance side by side.

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise.
    drive
        W_in u + b, (N,), or (steps, N) where it varies in time.
    start
        State (N,) of every trajectory, or None for rest.
    trajectories
        At least this many: K, the next multiple of `LANES`.
    rng
        Seed, see :func:`~ctrnn_theory.integrators.normals.seed_words`.
    workers
        Threads, None for one a core; or a function like ``map`` that works on them in this process, such as a thread
        pool's. The numbers do not depend on it.
    """

    def __init__(
        self,
        net: CTRNN,
        noise: Noise,
        drive: FloatArray,
        start: ArrayLike | None = None,
        trajectories: int = LANES,
        rng: object = None,
        workers: int | Callable[..., Any] | None = None,
    ) -> None:
        blocks = -(-positive_integer("trajectories", trajectories) // LANES)
        self.map = workers if callable(workers) else None
        self.workers = _cores() if workers is None or callable(workers) else positive_integer("workers", workers)
        self.activation = net.activation
        self.std_in = noise.std("inside", net.n)
        self.model = kernels.Model(
            np.array(net.W),
            np.array(np.atleast_2d(drive)),
            net.gamma,
            *_site(noise, "inside", net.n),
            *_site(noise, "outside", net.n),
            normals.CONSTANTS,
            normals.BITS,
        )
        words = normals.seed_words(rng)
        self.state = np.stack([normals.seed_block(words, block) for block in range(blocks)])
        self.work = np.zeros((blocks, 3, net.n, LANES))
        self.h = self.work[:, 0]
        """States (blocks, N, LANES)."""
        self.h[:] = net.start_state(start)[:, None]
        self.steps = 0
        """Steps taken."""
        self.table = tabulate(net.activation, np.zeros(net.n), np.zeros(net.n), np.zeros(net.n))
        """Smoothed activation for the residuals; until `tabulate` is called, f itself."""

    @property
    def states(self) -> FloatArray:
        """Where the trajectories are, (K, N)."""
        return np.ascontiguousarray(self.h.transpose(0, 2, 1)).reshape(-1, self.h.shape[1])

    def place(self, states: FloatArray) -> None:
        """Put the first M trajectories at states (M, N), and those beyond at the same ones again."""
        blocks, n, lanes = self.h.shape
        everyone = states[np.arange(blocks * lanes) % len(states)]
        self.h[:] = everyone.reshape(blocks, lanes, n).transpose(0, 2, 1)

    def tabulate(self, low: FloatArray, high: FloatArray) -> None:
        """Prepare F(a; σ_in) for residuals, for a in [low, high], (N,) each, and somewhat beyond."""
        margin = WIDEN * (high - low) + self.std_in
        self.table = tabulate(self.activation, self.std_in, low - margin, high + margin)

    def advance(self, steps: int) -> None:
        """Take steps.

        Raises
        ------
        Unbounded
            If a state has passed `BOUND` at their end.
        """
        self.record(1, steps, 0)
        self._check()

    def record(self, times: int, every: int, trajectories: int) -> FloatArray:
        """Take times × every steps, and return the states of the first trajectories after each `every`.

        Shape (times, trajectories, N). States are not checked: they may be infinite.
        """
        widths = [min(LANES, max(0, trajectories - block * LANES)) for block in range(len(self.h))]
        parts = [np.empty((times, self.h.shape[1], width)) for width in widths]
        self._run(times, every, [NO_SUMS] * len(parts), parts)
        self.steps += times * every
        return np.ascontiguousarray(np.concatenate(parts, axis=2).transpose(0, 2, 1))

    def measure(self, samples: int, every: int, centre: FloatArray) -> Averages:
        """Take samples × every steps and average over the states after each `every`.

        Where the table of F proves too narrow, it is widened and the steps are taken again with the same
        variates.

        Raises
        ------
        Unbounded
            If a state has passed `BOUND` at their end.
        """
        saved = self.h.copy(), self.state.copy()
        while True:
            averages = self._measure(samples, every, centre)
            self._check()
            if self.table.covers(averages.low, averages.high):
                self.steps += samples * every
                return averages
            self.h[:], self.state[:] = saved
            self.tabulate(averages.low, averages.high)

    def _measure(self, samples: int, every: int, centre: FloatArray) -> Averages:
        n = self.h.shape[1]
        shape = (len(self.h), n, LANES)
        first, second, residual = np.zeros((3, *shape))
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        cross = np.zeros((len(self.h), n, n))
        centre = np.array(centre)
        sums = [kernels.Sums(centre, *arrays) for arrays in zip(first, second, residual, low, high, cross, strict=True)]
        self._run(samples, every, sums, [NO_RECORD] * len(sums))
        by_trajectory = [a.transpose(0, 2, 1).reshape(-1, n) / samples for a in (first, second, residual)]
        lower = np.tril(cross.sum(axis=0), -1) / (samples * len(by_trajectory[0]))
        return Averages(
            samples,
            centre,
            first=by_trajectory[0],
            second=by_trajectory[1],
            residual=by_trajectory[2],
            cross=lower + lower.T + np.diag(by_trajectory[1].mean(axis=0)),
            low=low.min(axis=(0, 2)),
            high=high.max(axis=(0, 2)),
        )

    def _check(self) -> None:
        if not np.all(np.abs(self.h) < BOUND):  # also for NaN
            raise Unbounded(f"a state has passed {BOUND:g} within {self.steps} steps")

    def _run(self, times: int, every: int, sums: list[kernels.Sums], out: list[FloatArray]) -> None:
        """Run the kernel over the blocks, on threads."""
        f, panels = self.activation.block, self.table.panels

        def block(i: int) -> None:
            kernels.run(f, self.model, panels, self.work[i], self.state[i], self.steps, times, every, sums[i], out[i])

        blocks = range(len(sums))
        threads = min(self.workers, len(blocks))
        if self.map is not None or threads == 1:
            list((self.map or map)(block, blocks))
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(block, blocks))


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS or Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1
