"""The standard error of the mean of a recorded path, by batch means, and its autocorrelation time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.support.arguments import number_array, positive_integer
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Result, counted, neuron_table
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

WINDOW = 12.0
"""Width of the window of the sums, in units of 1 + 2 Σ ρ²; the remainder is exp(-12) of them for one exponential."""
LENGTH = 10.0
"""Autocorrelation times in a batch, so that the means of batches are nearly independent."""
LEAST, MOST = 20, 100
"""Fewest and most batches of all trajectories: 20 leave an error of 16 % in the standard error, and 100 one of 7 %."""
ENOUGH = 50.0
"""Autocorrelation times that a path should last for its standard error to be trusted."""


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class BatchMeans(Result):
    """Result of :func:`batch_means`; arrays are (N,), or () for a path (T,)."""

    mean: FloatArray
    """Average over times and trajectories."""
    standard_error: FloatArray
    """Standard error of the mean; NaN if there is a single batch."""
    autocorrelation_time: FloatArray
    """Autocorrelation time τ = 1 + 2 Σ ρ(t), t from 1 on, in rows: T rows are worth T / τ independent ones."""
    batches: int
    """Number of batches in each trajectory."""
    converged: bool
    """Whether the path is long enough for the standard error to be trusted."""
    message: str
    """Why it is not, or an empty text."""

    def _headline(self) -> str:
        end = "" if self.converged else ", not converged"
        return f"{counted(self.batches, 'batch', 'batches')} in each trajectory{end}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        columns = {
            "mean": np.atleast_1d(self.mean),
            "standard error": np.atleast_1d(self.standard_error),
            "autocorrelation time": np.atleast_1d(self.autocorrelation_time),
        }
        yield neuron_table(columns, few)
        if self.message:
            yield self.message

    def _arrays(self) -> Arrays:
        dims = ("neuron",)[: self.mean.ndim]
        names = ("mean", "standard_error", "autocorrelation_time")
        return Arrays({name: (dims, getattr(self, name)) for name in names}, {})


@guarded
def batch_means(h: ArrayLike, batches: int | None = None) -> BatchMeans:
    """Compute the mean of a stationary path, and its standard error by batch means.

    Each trajectory is cut into batches that are much longer than its autocorrelation time τ. Their means are nearly
    independent, and the standard deviation of these gives the standard error. It is too small by a relative error of
    about τ / (4 b) for batches of b rows.

    Parameters
    ----------
    h
        Recorded path of a stationary process (T, M, N), or one trajectory (T, N), or one neuron of it (T,).
    batches
        Number of batches in each trajectory. None chooses it such that each batch lasts 10 autocorrelation times of the
        slowest neuron (or 10 times 1 + 2 Σ ρ² if correlations cancel and that is longer) and that there are at most 100
        in all, but at least 20 if there are so many rows.

    Returns
    -------
    BatchMeans
        `converged` is False for a path of fewer than 50 autocorrelation times, or if batches do not last 10 of them.

    Raises
    ------
    ValueError
        If `h` has other dimensions, has no rows or is not finite, or if there are more batches than rows.

    Notes
    -----
    Autocorrelations are summed up to a window that is chosen self-consistently (A. Sokal, Monte Carlo methods
    in statistical mechanics, 1997, section 3; N. Madras and A. Sokal, J. Stat. Phys. 50, 109, 1988): 12 times
    1 + 2 Σ ρ², which is 6 τ if correlations decay slowly as one exponential. Sokal compares with τ itself, which
    closes the window at once if correlations alternate or oscillate.

    Examples
    --------
    >>> found = batch_means(np.random.default_rng(0).normal(size=(1000, 4, 2)))
    >>> found.batches, found.converged
    (25, True)
    >>> bool(np.all(np.abs(found.standard_error * np.sqrt(4000) - 1.0) < 0.3))
    True
    """
    path = number_array("h", h)
    if path.ndim not in (1, 2, 3) or path.size == 0:
        raise ValueError(f"h must be numbers (T, M, N), (T, N) or (T,); got {path.dtype} {path.shape}")
    shape = path.shape[2:] if path.ndim == 3 else path.shape[1:]
    rows = len(path)
    path = path.reshape(rows, path.shape[1] if path.ndim == 3 else 1, -1)
    if batches is not None and positive_integer("batches", batches) > rows:
        raise ValueError(f"batches must be at most the {rows} rows of h; got {batches}")
    trajectories, n = path.shape[1:]
    times, memories = np.array([autocorrelation_time(_neuron(path, i)) for i in range(n)]).T
    slowest = float(max(times.max(), memories.max()))
    count = _count(rows, trajectories, slowest) if batches is None else batches
    mean, error = (
        np.array(part).reshape(shape) for part in zip(*(_mean(_neuron(path, i), count) for i in range(n)), strict=True)
    )
    message = ""
    if rows < ENOUGH * slowest:
        message = f"{rows} rows are fewer than {ENOUGH:g} autocorrelation times of {slowest:.3g} rows"
    elif count * trajectories < 2:
        message = "a single batch has no standard deviation"
    elif rows // count < LENGTH * slowest:
        message = (
            f"batches of {rows // count} rows are shorter than {LENGTH:g} autocorrelation times of {slowest:.3g} rows"
        )
    return BatchMeans(mean, error, times.reshape(shape), count, not message, message)


def _neuron(path: NDArray[np.generic], i: int) -> FloatArray:
    """Return the path of one neuron (T, M), since a path that is mapped from disk need not fit into memory."""
    x = np.array(path[:, :, i], dtype=np.float64)
    if not np.all(np.isfinite(x)):
        raise ValueError(f"h must be finite; it holds {x[~np.isfinite(x)][0]}")
    return x


def _count(rows: int, trajectories: int, time: float) -> int:
    most, least = -(-MOST // trajectories), -(-LEAST // trajectories)
    return min(rows, max(least, min(most, int(rows / (LENGTH * time)))))


def _mean(x: FloatArray, batches: int) -> tuple[float, float]:
    """Return the mean of x (T, M) and its standard error; first rows that fill no batch count for the mean alone."""
    length = len(x) // batches
    means = x[len(x) - batches * length :].reshape(batches, length, -1).mean(axis=1)
    if means.size < 2:
        return float(x.mean()), float("nan")
    share = batches * length / len(x)
    return float(x.mean()), float(means.std(ddof=1) * np.sqrt(share / means.size))


def autocorrelation_time(x: FloatArray) -> tuple[float, float]:
    """Return the autocorrelation time 1 + 2 Σ ρ of x (T, M) about its mean, and 1 + 2 Σ ρ², both in rows.

    If no window is wide enough, these are the largest partial sums.
    """
    from scipy import fft  # here, since it takes long to import

    rows = len(x)
    centre, size = x.mean(), fft.next_fast_len(2 * rows, real=True)
    power = np.zeros(size // 2 + 1)
    for column in x.T:
        power += np.abs(fft.rfft(column - centre, size)) ** 2
    covariance = fft.irfft(power, size)[:rows] / (x.shape[1] * np.arange(rows, 0, -1.0))
    if not covariance[0] > (1e-13 * centre) ** 2:  # a constant, up to rounding
        return 1.0, 1.0
    correlation = covariance / covariance[0]
    sums, memories = (2.0 * np.cumsum(terms) - 1.0 for terms in (correlation, correlation**2))
    enough = np.arange(rows) >= WINDOW * memories
    if not enough.any():
        return float(sums.max()), float(memories.max())
    end = np.argmax(enough)
    return max(float(sums[end]), 1.0 / rows), float(memories[end])
