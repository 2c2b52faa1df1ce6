"""Variates: the bits are NumPy's sfc64, the transformation is Box–Muller's, the samples look normal."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ctrnn_theory.integrators.normals import (
    BITS,
    CONSTANTS,
    EPOCH,
    HALF,
    LANES,
    WARM_UP,
    fill,
    seed,
    seed_words,
    seek,
    standard_normals,
)
from ctrnn_theory.jit import jit


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


def generators(key, block, epoch):
    """States of a block's generators at the start of an epoch."""
    state = np.empty(4 * HALF, np.uint64)
    seed(key, block, epoch, state)
    return state


@pytest.mark.parametrize(("block", "epoch"), [(0, 0), (3, 0), (3, 1), (2**20, 2**24)])
@pytest.mark.parametrize("lane", [0, 1, HALF - 1])
def test_variates_are_box_muller_of_sfc64(lane, block, epoch):
    words = sfc64(generators(seed_words(7), block, epoch), lane, 2 * 3 * EPOCH)
    z = standard_normals(seed_words(7), block, EPOCH, 3, first=epoch * EPOCH).reshape(-1, LANES)
    first, second = box_muller(words[0::2], words[1::2])
    np.testing.assert_allclose(z[:, lane], first, atol=1e-9)
    np.testing.assert_allclose(z[:, HALF + lane], second, atol=1e-9)


@pytest.mark.parametrize(("block", "epoch"), [(3, 0), (3, 7), (2**26, 2**31)])
def test_seeding_is_that_of_a_warmed_up_sfc64(block, epoch):
    key = seed_words(7)
    generator = np.random.SFC64()
    full = generator.state
    full["state"]["state"] = np.array([key[0], key[1], (epoch << 32) + block * HALF + 5, 1], np.uint64)
    generator.state = full
    generator.random_raw(WARM_UP)
    assert np.array_equal(generator.state["state"]["state"], generators(key, block, epoch).reshape(4, HALF)[:, 5])


def test_generators_differ():
    """Of two keys, blocks from the first to the last, and epochs likewise: no word of a state comes twice."""
    places = [(k, b, e) for k in (0, 1) for b in (0, 1, 2, 2**26) for e in (0, 1, 2, 2**31)]
    words = np.array([generators(seed_words(k), b, e).reshape(4, HALF)[:3] for k, b, e in places]).ravel()
    assert len(np.unique(words)) == len(words)


def test_known_answers():
    """The numbers that a seed gives are a promise to users: they may not change unnoticed."""
    z = standard_normals(seed_words(0), 0, 2)[:, 0]
    np.testing.assert_allclose(z[0, :3], KNOWN_ROW_0, atol=1e-9)
    np.testing.assert_allclose(z[1, -2:], KNOWN_ROW_1, atol=1e-9)
    late = standard_normals(seed_words(0), 5, 1, 2, first=1000)[0]
    np.testing.assert_allclose(late[1, 30:33], KNOWN_LATE, atol=1e-9)


KNOWN_ROW_0 = [0.5270133450359241, 0.5548517845157677, 0.6454886334671747]
KNOWN_ROW_1 = [0.74903758297563, 1.654048847206979]
KNOWN_LATE = [0.2111571600058382, -0.23960442917506747, -0.3254442410746906]


@given(st.integers(0, 2**26), st.integers(0, 3 * EPOCH), st.integers(1, 300), st.integers(1, 3))
def test_any_step_is_reached_directly(block, first, steps, rows):
    """Variates are keyed by seed, block and step: those of a part of a run are those of the whole run."""
    key = seed_words(1)
    whole = standard_normals(key, block, first + steps, rows)
    assert np.array_equal(standard_normals(key, block, steps, rows, first), whole[first:])


def test_a_stream_goes_on_where_it_is_sought():
    key, state = seed_words(1), np.empty(4 * HALF, np.uint64)
    seek(key, 2, EPOCH + 3, 2, state)
    words = sfc64(generators(key, 2, 1), 0, 2 * (2 * 3))
    assert np.array_equal(sfc64(state, 0, 1), sfc64(generators(key, 2, 1), 0, len(words) + 1)[-1:])


@pytest.fixture(scope="module")
def sample():
    """Blocks of 40 000 rows: (8, 40 000, LANES), 2e7 variates."""
    return np.stack([standard_normals(seed_words(2026), block, 40_000)[:, 0] for block in range(8)])


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


def test_epochs_are_uncorrelated(sample):
    """Rows an epoch apart come from generators that differ in their epoch alone; and the two sides of its border."""
    assert np.all(np.abs(correlation_scores(sample[:, EPOCH:], sample[:, :-EPOCH])) < 5)
    before, after = sample[:, EPOCH - 1 : -1 : EPOCH], sample[:, EPOCH::EPOCH]
    assert np.all(np.abs(correlation_scores(before[:, : after.shape[1]], after)) < 5)


@jit
def count_beyond(state, out, c, k, rounds, levels):
    """How many variates lie beyond each level, on either side."""
    counts = np.zeros(levels.size, np.int64)
    for _ in range(rounds):
        fill(state, out, out.shape[0], np.int64(0), c, k)
        for level in range(levels.size):
            for row in range(out.shape[0]):
                for lane in range(LANES):
                    counts[level] += abs(out[row, 0, lane]) > levels[level]
    return counts


@pytest.mark.slow
def test_far_tails():
    """4e9 variates: 7.9 are expected beyond six standard deviations; and a tail cut at 5.5 is seen."""
    levels, rounds, out = np.array([4.0, 5.0, 6.0]), 4_000_000 // 16, np.empty((16, 1, LANES))
    counts = sum(
        count_beyond(generators(seed_words(6), block, 0), out, CONSTANTS, BITS, rounds, levels) for block in range(16)
    )
    expected = 16 * rounds * out.size * 2 * stats.norm.sf(levels)
    p = 2 * np.minimum(stats.poisson.cdf(counts, expected), stats.poisson.sf(counts - 1, expected))
    assert np.all(p > CHANCE)
    assert 2 * stats.poisson.cdf(0, expected[2]) < 1e-3  # none at all would be noticed


@pytest.mark.slow
def test_distribution_closely():
    z = np.concatenate([standard_normals(seed_words(8), block, 20_000).ravel() for block in range(8)])  # 1e7
    assert stats.kstest(z, "norm").pvalue > CHANCE
    assert stats.kstest(z + 0.002, "norm").pvalue < CHANCE  # negative control


@pytest.mark.parametrize("lag", [1, HALF // 2, HALF, LANES - 1])
def test_lanes_are_uncorrelated(sample, lag):
    """Neighbouring generators, and for HALF the two variates of a pair."""
    assert np.all(np.abs(correlation_scores(sample[:, :, lag:], sample[:, :, :-lag])) < 5)


def test_blocks_are_uncorrelated(sample):
    assert np.all(np.abs(correlation_scores(sample[1:], sample[:-1])) < 5)


def test_neighbouring_seeds_are_uncorrelated():
    z = [standard_normals(seed_words(seed), 0, 50_000) for seed in (0, 1)]
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
