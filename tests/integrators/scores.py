"""Checks of samples that should be independent standard normals, or random words: each gives two-sided p-values."""

from __future__ import annotations

import math

import numpy as np
from scipy import special, stats

CHANCE = 2 * stats.norm.sf(5)
"""A check fails below this: 5.7e-7, the chance of five standard errors."""

FEATURES = 4


def score_p(scores):
    """Return p-values of means, given in units of their standard error."""
    return 2 * stats.norm.sf(np.abs(scores))


def count_p(counts, expected):
    """Return p-values of Poisson counts."""
    return np.minimum(1.0, 2 * np.minimum(stats.poisson.cdf(counts, expected), stats.poisson.sf(counts - 1, expected)))


def chi_square_p(counts, expected):
    """Return p-values of Pearson's statistic; a fit that is too good is unlikely as well."""
    statistic, freedom = np.sum((counts - expected) ** 2 / expected, axis=-1), counts.shape[-1] - 1
    return 2 * np.minimum(stats.chi2.sf(statistic, freedom), stats.chi2.cdf(statistic, freedom))


def power_sums(z):
    """Return the sums of z, z^2, ..., z^8."""
    z = z.ravel()
    z2 = z * z
    z3, z4 = z2 * z, z2 * z2
    pairs = ((z, z), (z2, z), (z2, z2), (z3, z2), (z3, z3), (z4, z3), (z4, z4))
    return np.array([z.sum(), *(np.vdot(x, y) for x, y in pairs)])


def moments_p(sums, size):
    """Return p-values of the moments of order 1 to 8, from their exact standard errors."""
    exact = np.array([0.0 if k % 2 else math.prod(range(k - 1, 0, -2)) for k in range(1, 17)])
    errors = np.sqrt((exact[1::2] - exact[:8] ** 2) / size)
    return score_p((sums / size - exact[:8]) / errors)


def bin_numbers(z, bins):
    """Return the bin of equal probability in which each value lies."""
    return np.minimum((special.ndtr(z.ravel()) * bins).astype(np.int64), bins - 1)


def bin_counts(z, bins):
    """Return the number of values in each bin."""
    return np.bincount(bin_numbers(z, bins), minlength=bins)


def table_p(x, y, bins=16):
    """Return the p-value of the joint distribution of x and y, in bins of equal probability."""
    cells = bin_numbers(x, bins) * bins + bin_numbers(y, bins)
    return chi_square_p(np.bincount(cells, minlength=bins**2), x.size / bins**2)


def features(z):
    """Return z, z^2, z^3 and |z|, shifted and scaled to mean 0 and variance 1: (4, ...)."""
    mean = math.sqrt(2 / math.pi)
    return np.stack([z, (z**2 - 1) / math.sqrt(2), z**3 / math.sqrt(15), (np.abs(z) - mean) / math.sqrt(1 - mean**2)])


def correlations_p(x, y):
    """Return p-values of the correlations of every feature of x with every feature of y."""
    return score_p(features(x).reshape(FEATURES, -1) @ features(y).reshape(FEATURES, -1).T / math.sqrt(x.size))


def lags_p(x, lags):
    """Return p-values of the correlations of features along the middle axis of x (parts, n, lanes)."""
    f = features(x.reshape(len(x), -1)).swapaxes(0, 1)
    scores = []
    for lag in lags:
        shift = lag * x.shape[2]
        earlier, later = f[..., :-shift], f[..., shift:]
        scores.append((earlier @ later.swapaxes(1, 2)).sum(axis=0) / math.sqrt(len(x) * earlier.shape[2]))
    return score_p(np.array(scores))


def streams_p(x):
    """Return p-values of the correlations of features of any two streams in x (n, streams)."""
    f = features(x).transpose(1, 0, 2).reshape(len(x), -1)
    scores = (f.T @ f).reshape(FEATURES, x.shape[1], FEATURES, x.shape[1]) / math.sqrt(len(x))
    first, second = np.triu_indices(x.shape[1], 1)
    return score_p(scores[:, first, :, second])


def gaps_p(x, level, longest):
    """Return the p-value of the waiting times between values beyond a level, which are geometric.

    Waiting times of `longest` and more are counted together.
    """
    p = 2 * stats.norm.sf(level)
    gaps = np.minimum(np.diff(np.flatnonzero(np.abs(x.ravel()) > level)), longest)
    odds = np.append(stats.geom.pmf(np.arange(1, longest), p), stats.geom.sf(longest - 1, p))
    return chi_square_p(np.bincount(gaps, minlength=longest + 1)[1:], odds * len(gaps))


def spectrum_p(x):
    """Return two p-values of the periodogram along the middle axis of x (parts, n, lanes): of all and of the largest.

    Ordinates of white noise are independent exponentials, so that their sums over parts and lanes are gamma variables.
    """
    power = np.sum(np.abs(np.fft.rfft(x, axis=1)[:, 1:-1]) ** 2, axis=(0, 2)) / x.shape[1]
    tails = stats.gamma.sf(power, len(x) * x.shape[2])
    return np.array([stats.kstest(tails, "uniform").pvalue, min(1.0, len(tails) * tails.min())])


def bits_p(words):
    """Return p-values (64, ...) of the frequency of each bit of the words (n, ...)."""
    ones = np.array([np.count_nonzero((words >> np.uint64(bit)) & np.uint64(1), axis=0) for bit in range(64)])
    return score_p((2 * ones - len(words)) / math.sqrt(len(words)))


def bytes_p(words):
    """Return p-values (8,) of the frequencies of the values of each byte of the words (n,)."""
    columns = np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8).T
    return chi_square_p(np.array([np.bincount(column, minlength=256) for column in columns]), len(words) / 256)


def birthdays_p(words):
    """Return two p-values of equal spacings among birthdays, from the upper and from the lower halves of the words.

    A year has 2^32 days and 4096 birthdays (G. Marsaglia); the count is Poisson with the mean m^3 / (4 n) = 4 a year.
    """
    halves = np.ascontiguousarray(words).view(np.uint32).reshape(-1, 2).T.astype(np.int64)
    spacings = np.sort(np.diff(np.sort(halves.reshape(2, -1, 4096))))
    return count_p(np.count_nonzero(np.diff(spacings) == 0, axis=(1, 2)), 4.0 * len(words) / 4096)
