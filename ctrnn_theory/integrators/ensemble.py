"""An ensemble of trajectories, which advances block by block, and averages over it that need no record."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.integrators import normals
from ctrnn_theory.integrators.averages import Averages as Averages
from ctrnn_theory.integrators.averages import standard_error as standard_error
from ctrnn_theory.integrators.normals import LANES
from ctrnn_theory.integrators.smoothed_table import SmoothedTable, tabulate
from ctrnn_theory.integrators.smoothed_table import TooFine as TooFine
from ctrnn_theory.integrators.white import WhiteSteps
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
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


class Steps(Protocol):
    """A kernel with what it is given, which takes the steps of an ensemble."""

    size: int
    """Number M of components of the state: N neurons, and the sources of coloured noise."""
    rows: int
    """Rows of variates that a step takes."""
    std: FloatArray
    """Standard deviation (N,) of the additive noise inside that is new in a step."""
    gain: FloatArray
    """Standard deviation (N,) of the multiplicative noise inside."""
    separate: bool
    """Whether the noise inside that is new in a step is independent between neurons."""
    dynamics: Any
    """The arguments of the kernel that decide a step; its `key` keys the variates."""

    def sources(self, blocks: int) -> FloatArray:
        """Return the first states (M - N, lanes) of the sources."""

    def sums(self, centre: FloatArray, residual: bool, table: SmoothedTable, blocks: int) -> Any:
        """Return sums that are zero; for a measurement if there is a centre (M,), and for control variates too."""

    def run(self, mirrored: bool, table: SmoothedTable, *arguments: Any) -> None:
        """Call the kernel, see :func:`ctrnn_theory.integrators.kernels.run`."""

    def averages(self, sums: Any, samples: int, copies: int) -> Averages:
        """Return the averages that sums stand for, over the copies of each trajectory."""


def steps_of(net: CTRNN, noise: Noise, drive: FloatArray, key: normals.Words, partner: Noise | None = None) -> Steps:
    """Return the steps of a network under its noise, by the kernel that is the fastest for them and for a partner."""
    both = (noise,) if partner is None else (noise, partner)
    if net.form == "rate" and net.uniform and all(each.is_white and not each.has_gains for each in both):
        return WhiteSteps(net, noise, drive, key)
    from ctrnn_theory.integrators.general import GeneralSteps  # here, since it takes long to compile

    return GeneralSteps(net, noise, drive, key, partner)


class Ensemble:
    """Trajectories of one network under one noise, in blocks of `LANES` that advance together.

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise.
    drive
        W_in u + b, (N,), or (steps, N) if it varies in time.
    start
        Start state (N,) of every trajectory; None for zero. Sources of coloured noise begin in their stationary law.
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
    partner
        The noise of another ensemble of the same seed, with which this one shares its variates as far as both have
        noise of the same kinds; white additive noise alone does so without being asked.
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
        partner: Noise | None = None,
    ) -> None:
        self.copies = 2 if antithetic else 1
        blocks = self.copies * -(-positive_integer("trajectories", trajectories) // (self.copies * LANES))
        self.workers, self.threads = workers, threads(workers)
        self.activation = net.activation
        self.noise, self.drive = noise, np.array(np.atleast_2d(drive))
        self.taken = steps_of(net, noise, drive, normals.seed_words(rng), partner)
        self.start = net.start_state(start)
        self.g = np.empty((self.taken.size, blocks * LANES))
        """States (M, K): those of the neurons, and then the sources of coloured noise."""
        self.h = self.g[: net.n]
        """States of the neurons (N, K)."""
        self.streams = np.empty((blocks, 4 * normals.HALF), np.uint64)
        self.width = max(1, min(WIDE // (LANES * self.taken.size), -(-blocks // self.threads)))
        """Number of blocks in a group."""
        self.pace = Pace(net.n, self.width * LANES)
        self.restart()

    def restart(self) -> None:
        """Begin at step 0, from the start state, as if no step had been taken and nothing been tabulated."""
        self.h[:] = self.start[:, None]
        self._begin_sources()
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

    @property
    def sources(self) -> FloatArray:
        """States of the sources of coloured noise (K, M - N), a copy."""
        return np.array(self.g[len(self.h) :].T, order="C")

    @property
    def dynamics(self) -> Any:
        """What decides a step, as the kernel takes it."""
        return self.taken.dynamics

    def use(self, key: normals.Words) -> None:
        """Use the variates of other key words, before any step is taken."""
        self.taken.dynamics = self.taken.dynamics._replace(key=key)
        self._begin_sources()

    def _begin_sources(self) -> None:
        x = self.taken.sources(self.distinct)
        self.g[len(self.h) :] = np.hstack([x, -x][: self.copies])

    def place(self, states: FloatArray, sources: FloatArray | None = None) -> None:
        """Set the first trajectories to `states` (m, N) and `sources` (m, M - N), and the others to the same in turn.

        For None, sources stay as they are.
        """
        turn = np.arange(self.h.shape[1]) % len(states)
        self.h[:] = states[turn].T
        if sources is not None:
            self.g[len(self.h) :] = sources[turn].T

    def seek(self, step: int) -> None:
        """Continue with the variates of a step, as if `step` steps had been taken; all states stay as they are."""
        rows = self.taken.rows
        for block, stream in enumerate(self.streams):
            normals.seek(self.dynamics.key, block % self.distinct, step, rows, stream)
        self.steps = step

    def tabulate(self, low: FloatArray, high: FloatArray, variance: bool = False) -> None:
        """Tabulate F for the residuals, and v if `variance`, for arguments somewhat beyond [low, high], (N,) each.

        F and v are mean and variance of the activation over the noise inside that is new in a step.

        Raises
        ------
        TooFine
            If that takes too many panels.
        """
        std, gain = self.taken.std, self.taken.gain
        margin = WIDEN * (high - low) + std
        self.table = tabulate(self.activation, std, low - margin, high + margin, variance, gain)

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
            Point about which moments are taken: (M,), or (N,) for zero in the sources.
        residual
            Whether to average what control variates need too; to second order if the table has v.

        Raises
        ------
        Unbounded
            If a state is beyond `BOUND` at the end.
        TooFine
            If the wider table takes too many panels.
        """
        about = np.append(centre, np.zeros(self.taken.size - len(centre)))
        saved = self.g.copy(), self.streams.copy()
        while True:
            sums = self._sums(about, residual)
            self._run(samples, every, sums, NO_RECORD)
            self._check()
            low, high = sums.low.min(axis=0), sums.high.max(axis=0)
            if not residual or self.table.covers(low, high):
                self.steps += samples * every
                return self.taken.averages(sums, samples, self.copies)
            self.g[:], self.streams[:] = saved
            self.tabulate(low, high, self.table.has_variance)

    def _sums(self, centre: FloatArray, residual: bool) -> Any:
        return self.taken.sums(centre, residual, self.table, len(self.streams))

    def _check(self) -> None:
        if not np.all(np.abs(self.h) < BOUND):  # also for NaN
            raise Unbounded(f"a state has passed {BOUND:g} within {self.steps} steps")

    def _run(self, times: int, every: int, sums: Any, out: FloatArray) -> None:
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

    def _call(self, done: int, times: int, every: int, sums: Any, out: FloatArray) -> None:
        """Call the kernel for groups of blocks, on threads."""
        table, distinct, first = self.table, self.distinct, self.steps + done

        def group(begin: tuple[int, int]) -> None:
            copy, block = begin
            at, shift, blocks = copy * distinct + block, copy * distinct, min(self.width, distinct - block)
            self.taken.run(copy > 0, table, self.g, self.streams, at, blocks, shift, first, times, every, sums, out)

        groups = [(copy, block) for copy in range(self.copies) for block in range(0, distinct, self.width)]
        self.pace.lasted(times * every, longest(group, groups, self.workers))
