"""How well the mean of a recorded path is known: batch means, and the time over which the path forgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from ctrnn_theory.support.arguments import number_array, positive_integer
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

WINDOW = 12.0
"""Memories summed over; what is left out is of relative size exp(-12) where correlations decay as one exponential."""
LENGTH, LEAST, MOST, ENOUGH = 10.0, 20, 100, 50.0
"""Memories in a batch; fewest and most batches of all trajectories; memories a path should last."""


@guarded
@dataclass(frozen=True, eq=False)
class BatchMeans:
    """What :func:`batch_means` returns; arrays are (N,), or () for a path (T,)."""

    mean: FloatArray
    """Average over times and trajectories."""
    standard_error: FloatArray
    """Of the mean; NaN where there is a single batch."""
    autocorrelation_time: FloatArray
    """Integrated, in rows: 1 + 2 Σ ρ(t), t from 1 on. A mean of T rows is worth T / τ independent ones."""
    batches: int
    """Batches in each trajectory."""
    converged: bool
    """Whether the path is long enough for the standard error to be trusted."""
    message: str
    """What is wrong, if it is not."""


@guarded
def batch_means(h: ArrayLike, batches: int | None = None) -> BatchMeans:
    """Mean of a stationary path, and its standard error by batch means.

    Each trajectory is cut into batches that are much longer than its memory, whose means are nearly independent: their
    spread gives the standard error. It is too small by a part τ / (4 b) or so for batches of b rows.

    Parameters
    ----------
    h
        Recorded path of a stationary process (T, M, N), or one trajectory (T, N), or one neuron of it (T,).
    batches
        Batches in each trajectory. None for as many as leave 10 autocorrelation times of the slowest neuron to each
        (or 10 of 1 + 2 Σ ρ², where correlations cancel and that is longer),
        and make 100 in all; 20 in all at least, where there are so many rows.

    Returns
    -------
    BatchMeans
        `converged` is False for paths of fewer than 50 autocorrelation times, or where batches do not last 10 of them.

    Raises
    ------
    ValueError
        For an array of other dimensions, one without rows or that is not finite, or more batches than rows.

    Notes
    -----
    The autocorrelation time is summed up to a window that is chosen self-consistently (A. Sokal, Monte Carlo methods
    in statistical mechanics, 1997, section 3; N. Madras and A. Sokal, J. Stat. Phys. 50, 109, 1988): 12 times
    1 + 2 Σ ρ², which is 6 τ where correlations decay slowly as one exponential. Sokal compares with τ itself, which
    closes the window at once where correlations alternate or oscillate.

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
        message = "a single batch has no spread"
    elif rows // count < LENGTH * slowest:
        message = (
            f"batches of {rows // count} rows are shorter than {LENGTH:g} autocorrelation times of {slowest:.3g} rows"
        )
    return BatchMeans(mean, error, times.reshape(shape), count, not message, message)


def _neuron(path: NDArray[np.generic], i: int) -> FloatArray:
    """One neuron (T, M): a path that is mapped from disk need not fit into memory."""
    x = np.array(path[:, :, i], dtype=np.float64)
    if not np.all(np.isfinite(x)):
        raise ValueError(f"h must be finite; it holds {x[~np.isfinite(x)][0]}")
    return x


def _count(rows: int, trajectories: int, time: float) -> int:
    most, least = -(-MOST // trajectories), -(-LEAST // trajectories)
    return min(rows, max(least, min(most, int(rows / (LENGTH * time)))))


def _mean(x: FloatArray, batches: int) -> tuple[float, float]:
    """Mean of x (T, M) and its standard error; the first rows that fill no batch count for the mean alone."""
    length = len(x) // batches
    means = x[len(x) - batches * length :].reshape(batches, length, -1).mean(axis=1)
    if means.size < 2:
        return float(x.mean()), float("nan")
    share = batches * length / len(x)
    return float(x.mean()), float(means.std(ddof=1) * np.sqrt(share / means.size))


def autocorrelation_time(x: FloatArray) -> tuple[float, float]:
    """Integrated autocorrelation time and memory 1 + 2 Σ ρ², in rows, of x (T, M) about its mean.

    If no window is wide enough, the largest partial sums.
    """
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
