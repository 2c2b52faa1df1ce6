"""Variates: the bits are NumPy's sfc64, the transformation is Box–Muller's, the samples look normal."""

import math

import numpy as np
import pytest
from scipy import stats

from ctrnn_theory.integrators.normals import HALF, LANES, WARM_UP, seed_block, seed_words, standard_normals


def sfc64(state, lane, rounds):
    """Raw words of one generator, by NumPy's own sfc64."""
    generator = np.random.SFC64()
    full = generator.state
    full["state"]["state"] = state.reshape(4, HALF)[:, lane].copy()
    generator.state = full
    return generator.random_raw(rounds)


def box_muller(first, second):
    """Two normals from two words, with NumPy's functions: 52 bits each, signs from the lowest bits."""
    u = 1.0 - (first >> np.uint64(12)) / 2.0**52
    theta = np.pi / 4 + np.pi / 2 * ((second >> np.uint64(12)) / 2.0**52 - 0.5)
    signs = [np.where(word & np.uint64(1), -1.0, 1.0) for word in (first, second)]
    radius = np.sqrt(-2.0 * np.log(u))
    # cos and sin of theta change places: w runs from 0 at pi/4 on to either side
    return signs[0] * radius * np.sin(theta), signs[1] * radius * np.cos(theta)


@pytest.mark.parametrize("lane", [0, 1, HALF - 1])
def test_variates_are_box_muller_of_sfc64(lane):
    state = seed_block(seed_words(7), block=3)
    words = sfc64(state, lane, 2000)
    z = standard_normals(state, 1000)
    first, second = box_muller(words[0::2], words[1::2])
    np.testing.assert_allclose(z[:, lane], first, atol=1e-9)
    np.testing.assert_allclose(z[:, HALF + lane], second, atol=1e-9)


def test_seeding_is_that_of_a_warmed_up_sfc64():
    words = seed_words(7)
    generator = np.random.SFC64()
    full = generator.state
    full["state"]["state"] = np.array([words[0], words[1], 3 * HALF + 5, 1], np.uint64)
    generator.state = full
    generator.random_raw(WARM_UP)
    assert np.array_equal(generator.state["state"]["state"], seed_block(words, 3).reshape(4, HALF)[:, 5])


def test_known_answers():
    """The numbers that a seed gives are a promise to users: they may not change unnoticed."""
    z = standard_normals(seed_block(seed_words(0), block=0), 2)
    np.testing.assert_allclose(z[0, :3], KNOWN_ROW_0, atol=1e-9)
    np.testing.assert_allclose(z[1, -2:], KNOWN_ROW_1, atol=1e-9)


KNOWN_ROW_0 = [0.5270133450359241, 0.5548517845157677, 0.6454886334671747]
KNOWN_ROW_1 = [0.74903758297563, 1.654048847206979]


def test_pieces_give_the_same_numbers():
    whole = standard_normals(seed_block(seed_words(1), 0), 10)
    state = seed_block(seed_words(1), 0)
    pieces = [standard_normals(state, rows) for rows in (1, 7, 2)]
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.fixture(scope="module")
def sample():
    """Blocks of 40 000 rows: (8, 40 000, LANES), 2e7 variates."""
    return np.stack([standard_normals(seed_block(seed_words(2026), block), 40_000) for block in range(8)])


def moment_scores(z):
    """Deviation of the moments of order 1 to 8 in units of their exact standard error."""
    scores = []
    power = np.ones_like(z)
    for k in range(1, 9):
        power = power * z
        exact = 0.0 if k % 2 else math.prod(range(k - 1, 0, -2))
        scores.append((power.mean() - exact) / math.sqrt((math.prod(range(2 * k - 1, 0, -2)) - exact**2) / z.size))
    return np.array(scores)


def tail_scores(z):
    """Two-sided Poisson p-values of the counts beyond 4, 5 and, on each side, 3 standard deviations."""
    counts = [
        (np.count_nonzero(np.abs(z) > 4), 2 * stats.norm.sf(4)),
        (np.count_nonzero(np.abs(z) > 5), 2 * stats.norm.sf(5)),
        (np.count_nonzero(z > 3), stats.norm.sf(3)),
        (np.count_nonzero(z < -3), stats.norm.sf(3)),
    ]
    means = [(count, z.size * p) for count, p in counts]
    return np.array([2 * min(stats.poisson.cdf(n, mean), stats.poisson.sf(n - 1, mean)) for n, mean in means])


def correlation_scores(x, y):
    """Correlation of x and y, and of their squares, in standard errors."""
    root = math.sqrt(x.size)
    return np.array([np.mean(x * y) * root, np.mean((x**2 - 1) * (y**2 - 1)) / 2 * root])


CHANCE = 5.7e-7  # two-sided, of five standard errors


def test_moments(sample):
    assert np.all(np.abs(moment_scores(sample)) < 5)


def test_tails(sample):
    assert np.all(tail_scores(sample) > CHANCE)


def test_distribution(sample):
    assert stats.kstest(sample[:, :2000].ravel(), "norm").pvalue > CHANCE


def test_checks_can_fail(sample):
    """Negative controls: a scale off by 0.1 %, clipped tails, a shift, one lane that follows another."""
    assert np.any(np.abs(moment_scores(1.001 * sample)) > 5)
    assert np.any(tail_scores(np.clip(sample, -3.9, 3.9)) < CHANCE)
    assert stats.kstest(sample[:, :2000].ravel() + 0.01, "norm").pvalue < CHANCE
    x, y = sample[:, :, 0], sample[:, :, 1]
    assert abs(correlation_scores(x, y + 0.01 * x)[0]) > 5


@pytest.mark.parametrize("lag", [1, 2, 3, 10])
def test_rows_are_uncorrelated(sample, lag):
    assert np.all(np.abs(correlation_scores(sample[:, lag:], sample[:, :-lag])) < 5)


@pytest.mark.parametrize("lag", [1, HALF // 2, HALF, LANES - 1])
def test_lanes_are_uncorrelated(sample, lag):
    """Neighbouring generators, and for HALF the two variates of a pair."""
    assert np.all(np.abs(correlation_scores(sample[:, :, lag:], sample[:, :, :-lag])) < 5)


def test_blocks_are_uncorrelated(sample):
    assert np.all(np.abs(correlation_scores(sample[1:], sample[:-1])) < 5)


def test_neighbouring_seeds_are_uncorrelated():
    z = [standard_normals(seed_block(seed_words(seed), 0), 50_000) for seed in (0, 1)]
    assert np.all(np.abs(correlation_scores(*z)) < 5)


def test_seed_words_follow_spec_7():
    assert np.array_equal(seed_words(5), seed_words(np.int64(5)))
    assert np.array_equal(seed_words(5), seed_words(np.random.SeedSequence(5)))
    assert not np.array_equal(seed_words(5), seed_words(6))
    assert not np.array_equal(seed_words(None), seed_words(None))
    generator = np.random.default_rng(5)
    first = seed_words(generator)
    assert not np.array_equal(first, seed_words(generator))
    assert np.array_equal(first, seed_words(np.random.default_rng(5)))
    assert np.array_equal(first, seed_words(np.random.PCG64(5)))


@pytest.mark.parametrize("rng", [-1, 1.5, "a", True, [1]])
def test_seed_words_refuse(rng):
    with pytest.raises(ValueError, match=r"^rng must be an int of at least 0"):
        seed_words(rng)
