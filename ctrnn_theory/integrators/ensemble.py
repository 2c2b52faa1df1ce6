"""An ensemble of trajectories, which advances block by block, and averages over it that need no record."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.integrators import kernels, normals
from ctrnn_theory.integrators.averages import Averages as Averages
from ctrnn_theory.integrators.averages import standard_error as standard_error
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.integrators.smoothed_table import TooFine as TooFine
from ctrnn_theory.integrators.smoothed_table import tabulate
from ctrnn_theory.integrators.sums import Sums
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise, Site
from ctrnn_theory.support.arguments import positive_integer
from ctrnn_theory.support.pace import Pace
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import Workers, longest, threads

BOUND = 1e12
"""Absolute value of a state beyond which it is taken to grow without bound."""
WIDEN = 0.5
"""Part of its width by which a table reaches beyond what was seen, on either side, so that few are made again."""
WIDE = 512
"""Neurons times trajectories of a group: enough to share what a loop costs to begin, few enough for the cache."""
NO_RECORD = np.zeros((0, 0, 0))
"""What a kernel that is to record nothing is given."""


class Unbounded(ArithmeticError):
    """A trajectory has grown beyond `BOUND`."""


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
    """Trajectories of one network under one noise, in blocks of `LANES` that advance together.

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise.
    drive
        W_in u + b, (N,), or (steps, N) if it varies in time.
    start
        Start state (N,) of every trajectory; None for zero.
    trajectories
        Least number of trajectories; their number K is the next multiple of `LANES`.
    rng
        Seed, see :func:`~ctrnn_theory.integrators.normals.seed_words`.
    workers
        Number of threads, None for one for each core; or a function like ``map`` that makes its calls in this process,
        such as that of a thread pool. The numbers do not depend on it.
    antithetic
        Whether trajectories come in pairs that start alike and have noise of opposite sign: the second half of the
        blocks mirrors the first. K is then a multiple of 2 `LANES`, and averages are over the pairs.
    """

    def __init__(
        self,
        net: CTRNN,
        noise: Noise,
        drive: FloatArray,
        start: ArrayLike | None = None,
        trajectories: int = LANES,
        rng: object = None,
        workers: Workers = None,
        antithetic: bool = False,
    ) -> None:
        self.copies = 2 if antithetic else 1
        blocks = self.copies * -(-positive_integer("trajectories", trajectories) // (self.copies * LANES))
        self.workers, self.threads = workers, threads(workers)
        self.activation = net.activation
        self.noise = noise
        self.dynamics = kernels.Dynamics(
            np.array(net.W),
            np.array(np.atleast_2d(drive)),
            net.gamma,
            *_site(noise, "inside", net.n),
            *_site(noise, "outside", net.n),
            normals.seed_words(rng),
            normals.CONSTANTS,
            normals.BITS,
        )
        self.mirror = self.dynamics._replace(
            **{name: -getattr(self.dynamics, name) for name in ("sigma_in", "factor_in", "sigma_out", "factor_out")}
        )
        self.start = net.start_state(start)
        self.h = np.empty((net.n, blocks * LANES))
        """States (N, K)."""
        self.streams = np.empty((blocks, 4 * normals.HALF), np.uint64)
        self.width = max(1, min(WIDE // (LANES * net.n), -(-blocks // self.threads)))
        """Number of blocks in a group."""
        self.pace = Pace(net.n, self.width * LANES)
        self.restart()

    def restart(self) -> None:
        """Begin at step 0, from the start state, as if no step had been taken and nothing been tabulated."""
        self.h[:] = self.start[:, None]
        self.steps = 0
        """Number of steps taken."""
        nothing = np.zeros(len(self.h))
        self.table = tabulate(self.activation, nothing, nothing, nothing)
        """Smoothed activation for the residuals; it is f itself until `tabulate` is called."""

    @property
    def distinct(self) -> int:
        """Number of blocks that have variates of their own."""
        return len(self.streams) // self.copies

    @property
    def states(self) -> FloatArray:
        """States of the trajectories (K, N), a copy."""
        return np.array(self.h.T, order="C")

    def place(self, states: FloatArray) -> None:
        """Set the first M trajectories to `states` (M, N), and the others to the same states in turn."""
        self.h[:] = states[np.arange(self.h.shape[1]) % len(states)].T

    def seek(self, step: int) -> None:
        """Continue with the variates of a step, as if `step` steps had been taken."""
        rows = sum(part.shape[-1] for part in self.dynamics[3:7])
        for block, stream in enumerate(self.streams):
            normals.seek(self.dynamics.key, block % self.distinct, step, rows, stream)
        self.steps = step

    def tabulate(self, low: FloatArray, high: FloatArray, variance: bool = False) -> None:
        """Tabulate F(a; σ_in) for the residuals, and v if `variance`, for a somewhat beyond [low, high], (N,) each.

        Raises
        ------
        TooFine
            If that takes too many panels.
        """
        std = self.noise.std("inside", len(self.h))
        margin = WIDEN * (high - low) + std
        self.table = tabulate(self.activation, std, low - margin, high + margin, variance)

    def advance(self, steps: int) -> None:
        """Take so many steps.

        Raises
        ------
        Unbounded
            If a state is beyond `BOUND` at their end.
        """
        self._run(1, steps, self._sums(np.zeros(0), False), NO_RECORD)
        self.steps += steps
        self._check()

    def record(self, times: int, every: int, trajectories: int, out: FloatArray | None = None) -> FloatArray:
        """Take times × every steps, and return the states of the first trajectories after each `every` steps.

        The states (times, trajectories, N) are written to `out` if it is given. They are not checked, and may be
        infinite.
        """
        out = np.empty((times, trajectories, len(self.h))) if out is None else out
        self._run(times, every, self._sums(np.zeros(0), False), out)
        self.steps += times * every
        return out

    def measure(self, samples: int, every: int, centre: FloatArray, residual: bool = True) -> Averages:
        """Take samples × every steps and average over the states after each `every` steps.

        If the table of F proves too narrow, it is widened, and the steps are taken again with the same variates.

        Parameters
        ----------
        samples, every
            Number of samples, and number of steps between them.
        centre
            Point (N,) about which moments are taken.
        residual
            Whether to average what control variates need too; to second order if the table has v.

        Raises
        ------
        Unbounded
            If a state is beyond `BOUND` at the end.
        TooFine
            If the wider table takes too many panels.
        """
        saved = self.h.copy(), self.streams.copy()
        while True:
            sums = self._sums(np.array(centre), residual)
            self._run(samples, every, sums, NO_RECORD)
            self._check()
            low, high = sums.low.min(axis=0), sums.high.max(axis=0)
            if not residual or self.table.covers(low, high):
                self.steps += samples * every
                return self._averages(sums, samples)
            self.h[:], self.streams[:] = saved
            self.tabulate(low, high, self.table.has_variance)

    def _sums(self, centre: FloatArray, residual: bool) -> Sums:
        (n, trajectories), blocks = self.h.shape, len(self.streams)
        measured = trajectories if centre.size else 0
        controlled, ahead = (trajectories, blocks * self.table.has_variance) if residual else (0, 0)
        return Sums(
            centre,
            np.zeros((n, measured)),
            np.zeros((n, measured)),
            np.zeros((blocks if centre.size else 0, n, n)),
            np.zeros((n, controlled)),
            np.full((blocks, n), np.inf),
            np.full((blocks, n), -np.inf),
            np.zeros((ahead, n, n)),
        )

    def _averages(self, sums: Sums, samples: int) -> Averages:
        def each(values: FloatArray) -> FloatArray:
            """Average over the members of each pair."""
            average: FloatArray = values.reshape(self.copies, -1, *values.shape[1:]).mean(axis=0)
            return average

        cross, ahead = (each(np.tril(a) + np.tril(a, -1).transpose(0, 2, 1)) for a in (sums.cross, sums.ahead))
        if ahead.size:
            ahead = ahead / (samples * LANES) + self.dynamics.gamma**2 * self.noise.covariance("outside", len(self.h))
        return Averages(
            samples=samples,
            centre=sums.centre,
            first=each(sums.first.T / samples),
            second=each(sums.second.T / samples),
            cross=cross / (samples * LANES),
            residual=each(sums.residual.T / samples),
            ahead=ahead,
            low=sums.low.min(axis=0),
            high=sums.high.max(axis=0),
        )

    def _check(self) -> None:
        if not np.all(np.abs(self.h) < BOUND):  # also for NaN
            raise Unbounded(f"a state has passed {BOUND:g} within {self.steps} steps")

    def _run(self, times: int, every: int, sums: Sums, out: FloatArray) -> None:
        """Take times × every steps in short calls of the kernel, and observe the states after each `every` steps.

        A call takes whole times of `every` steps, or a part of one, after which nothing is observed.
        """
        done, end, nothing = 0, times * every, self._sums(np.zeros(0), False)
        while done < end:
            time, before = divmod(done, every)
            steps = min(self.pace.steps, end - done)
            if steps < every - before:
                self._call(done, 1, steps, nothing, NO_RECORD)
            elif before:
                steps = every - before
                self._call(done, 1, steps, sums, out[time : time + 1])
            else:
                whole = steps // every
                steps = whole * every
                self._call(done, whole, every, sums, out[time : time + whole])
            done += steps

    def _call(self, done: int, times: int, every: int, sums: Sums, out: FloatArray) -> None:
        """Call the kernel for groups of blocks, on threads."""
        f, panels, distinct, first = self.activation.block, self.table.panels, self.distinct, self.steps + done

        def group(begin: tuple[int, int]) -> None:
            copy, block = begin
            dynamics, blocks = (self.mirror if copy else self.dynamics), min(self.width, distinct - block)
            at, shift = copy * distinct + block, copy * distinct
            kernels.run(f, dynamics, panels, self.h, self.streams, at, blocks, shift, first, times, every, sums, out)

        groups = [(copy, block) for copy in range(self.copies) for block in range(0, distinct, self.width)]
        self.pace.lasted(times * every, longest(group, groups, self.workers))
