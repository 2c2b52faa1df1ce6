"""Variates: the bits are NumPy's sfc64, keyed by seed, block and step, and samples are distributed normally."""

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
from ctrnn_theory.support.jit import jit
from tests.integrators.scores import CHANCE, bin_counts, chi_square_p, count_p, moments_p, power_sums

BLOCKS, EPOCHS = 2**27, 2**32  # what the word of a generator's number and epoch has room for
places = st.tuples(st.integers(0, BLOCKS - 1), st.integers(0, EPOCH * (EPOCHS - 2)))


def sfc64(words):
    """NumPy's own sfc64 in a given state."""
    generator = np.random.SFC64()
    full = generator.state
    full["state"]["state"] = np.array(words, np.uint64)
    generator.state = full
    return generator


def generator_of(key, block, epoch, number):
    """NumPy's sfc64 as it should be at the start of an epoch; the word is packed in Python's whole numbers."""
    generator = sfc64([*key, epoch * 2**32 + block * HALF + number, 1])
    generator.random_raw(WARM_UP)
    return generator


def box_muller(first, second):
    """Two normals from two words, with NumPy's functions: 52 bits each, signs from the lowest bits."""
    u = 1.0 - (first >> np.uint64(12)) / 2.0**52
    theta = np.pi / 2 * ((second >> np.uint64(12)) / 2.0**52)
    signs = [np.where(word & np.uint64(1), -1.0, 1.0) for word in (first, second)]
    radius = np.sqrt(-2.0 * np.log(u))
    return signs[0] * radius * np.sin(theta), signs[1] * radius * np.cos(theta)


def reference(rng, block, step, rows):
    """Variates of one step, (rows, LANES), by NumPy alone."""
    key = np.random.SeedSequence(rng).generate_state(2, np.uint64)
    out = np.empty((rows, LANES))
    for number in range(HALF):
        words = generator_of(key, block, step // EPOCH, number).random_raw(2 * rows * (step % EPOCH + 1))[-2 * rows :]
        out[:, number], out[:, HALF + number] = box_muller(words[0::2], words[1::2])
    return out


def states(key, block, epoch):
    """States of a block's generators at the start of an epoch, (4, HALF)."""
    state = np.empty(4 * HALF, np.uint64)
    seed(key, block, epoch, state)
    return state.reshape(4, HALF)


# Bits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 1, EPOCH - 1, EPOCH, 1000, 10**9, EPOCH * EPOCHS - 1])
@pytest.mark.parametrize(("rng", "block", "rows"), [(7, 0, 1), (7, 3, 3), (2**70, 2**26, 2), (0, BLOCKS - 1, 5)])
def test_variates_are_box_muller_of_sfc64(rng, block, step, rows):
    z = standard_normals(seed_words(rng), block, 1, rows, step)[0]
    np.testing.assert_allclose(z, reference(rng, block, step, rows), rtol=0, atol=1e-9)


def test_variates_are_box_muller_throughout():
    """2e5 pairs cover the whole range of the polynomials."""
    key, rows = seed_words(3), 800
    z = standard_normals(key, 11, EPOCH, rows).reshape(-1, LANES)
    words = generator_of(key, 11, 0, 5).random_raw(2 * EPOCH * rows)
    np.testing.assert_allclose(z[:, [5, HALF + 5]].T, box_muller(words[0::2], words[1::2]), rtol=0, atol=1e-9)


KNOWN = [  # seed, block, step, row of three, first lane, three variates
    (0, 0, 0, 0, 0, [0.52701334502, 0.554851784502, 0.645488633531]),
    (0, 0, 1, 2, 61, [2.008507691807, -1.083651397812, 1.608785994286]),
    (0, 5, 255, 1, 31, [-0.63560717687, 1.844138737439, 0.678542513119]),
    (0, 5, 256, 1, 31, [-0.032085898353, -0.217469196904, -2.142910880184]),
    (1, 0, 1000, 0, 30, [2.429803614755, -1.140338758047, 0.039223629882]),
    (2026, 1048576, 1000000000, 2, 0, [1.212866480067, 0.286351802577, 1.498512320539]),
    (1180591620717411303424, 134217727, 1099511627775, 2, 32, [-1.86974853741, -0.741340233888, -1.060850407343]),
]


@pytest.mark.parametrize(("rng", "block", "step", "row", "lane", "values"), KNOWN)
def test_known_answers(rng, block, step, row, lane, values):
    """The numbers that a seed gives are a promise to users: they may not change unnoticed."""
    z = standard_normals(seed_words(rng), block, 1, 3, step)[0, row, lane : lane + 3]
    np.testing.assert_allclose(z, values, rtol=0, atol=1e-9)


# Extreme words: u = 2^-52 and 1, either end of the angle, all signs.
@pytest.mark.parametrize("first", [0, 1, 2**64 - 1, 2**64 - 2, 2**63, 2**12])
@pytest.mark.parametrize("second", [0, 1, 2**64 - 1, 2**63, 2**63 - 1])
def test_extreme_words(first, second):
    """A state that gives chosen words: d = first - a - b; a' = b ^ b >> 11, b' = 9 c, second = a' + b' + d + 1."""
    b, d, inverse = 0, first, pow(9, -1, 2**64)
    c = (second - d - 1) * inverse % 2**64
    assert list(sfc64([0, b, c, d]).random_raw(2)) == [first, second]
    state, out = np.repeat(np.array([0, b, c, d], np.uint64), HALF), np.empty((1, 1, LANES))
    fill(state, out, 1, np.int64(0), CONSTANTS, BITS)
    expected = np.repeat(box_muller(np.uint64(first), np.uint64(second)), HALF)
    np.testing.assert_allclose(out[0, 0], expected, rtol=0, atol=1e-9)
    assert np.all(np.abs(out) < 8.5)


# Keys ------------------------------------------------------------------------------------------------------------


@given(places, st.lists(st.integers(0, 300), min_size=2, max_size=4), st.integers(1, 3))
def test_cuts_of_a_run_change_nothing(place, pieces, rows):
    (block, first), key = place, seed_words(1)
    whole = standard_normals(key, block, sum(pieces), rows, first)
    starts = first + np.cumsum([0, *pieces[:-1]])
    parts = [standard_normals(key, block, n, rows, int(start)) for n, start in zip(pieces, starts, strict=True)]
    assert np.array_equal(np.concatenate(parts), whole)


@given(places, places, st.integers(1, 3))
def test_the_order_of_blocks_changes_nothing(place, other, rows):
    """A block's state is the same whatever stood in its memory; and is not that of another place."""
    key, fresh, used = seed_words(1), np.zeros(4 * HALF, np.uint64), np.zeros(4 * HALF, np.uint64)
    seek(key, *place, rows, fresh)
    seek(key, *other, rows, used)
    assert place == other or not np.any((fresh == used)[: 3 * HALF])  # they share the counter
    seek(key, *place, rows, used)
    assert np.array_equal(fresh, used)


@given(places, st.integers(1, 3))
def test_a_stream_goes_on_where_it_is_sought(place, rows):
    (block, step), key, state = place, seed_words(1), np.empty(4 * HALF, np.uint64)
    seek(key, block, step, rows, state)
    generator = generator_of(key, block, step // EPOCH, 9)
    generator.random_raw(2 * rows * (step % EPOCH))
    assert np.array_equal(sfc64(state.reshape(4, HALF)[:, 9]).random_raw(4), generator.random_raw(4))


LARGE_BLOCKS = [*range(24), *(2**k + i for k in range(5, 27) for i in (0, 1)), BLOCKS - 1]
LARGE_EPOCHS = [*range(24), *(2**k + i for k in range(5, 32) for i in (0, 1)), EPOCHS - 1]


def words_of_states(key, epochs):
    return np.array([states(key, block, epoch)[:3] for block in LARGE_BLOCKS for epoch in epochs]).ravel()


def test_generators_differ():
    """Two seeds, 69 blocks and 79 epochs, up to the largest: no word of a million comes twice."""
    words = np.concatenate([words_of_states(seed_words(rng), LARGE_EPOCHS) for rng in (0, 1)])
    assert len(np.unique(words)) == len(words) > 10**6
    alike = words_of_states(seed_words(0), [0, 1, 1])  # negative control: an epoch seeded twice alike
    assert len(np.unique(alike)) < len(alike)


@pytest.mark.parametrize("block", [0, 1, 2**26, BLOCKS - 1])
@pytest.mark.parametrize("epoch", [0, 1, 2**31, EPOCHS - 1])
def test_the_packed_word_has_room(block, epoch):
    """Number and epoch of a generator share one word: at its edges too none runs into the other."""
    key = seed_words(7)
    for number in (0, HALF - 1):
        expected = generator_of(key, block, epoch, number).state["state"]["state"]
        assert np.array_equal(states(key, block, epoch)[:, number], expected)


@pytest.mark.parametrize("block", [-1, BLOCKS])
def test_blocks_without_a_word_are_refused(block):
    with pytest.raises(ValueError, match=r"^block must be in \[0, 2\*\*27\)"):
        standard_normals(seed_words(0), block, 1)


@pytest.mark.parametrize(("first", "steps"), [(-1, 1), (EPOCH * EPOCHS, 1), (EPOCH * EPOCHS - 1, 2)])
def test_steps_without_a_word_are_refused(first, steps):
    with pytest.raises(ValueError, match=r"^steps must lie"):
        standard_normals(seed_words(0), 0, steps, first=first)


def test_seed_words_follow_spec_7():
    assert np.array_equal(seed_words(5), seed_words(np.int64(5)))
    assert np.array_equal(seed_words(5), seed_words(np.random.SeedSequence(5)))
    assert not np.array_equal(seed_words(None), seed_words(None))
    assert len(np.unique([seed_words(i) for i in range(1000)])) == 2000
    generator = np.random.default_rng(5)
    first = seed_words(generator)
    assert not np.array_equal(first, seed_words(generator))
    assert np.array_equal(first, seed_words(np.random.default_rng(5)))
    assert np.array_equal(first, seed_words(np.random.PCG64(5)))


@pytest.mark.parametrize("rng", [-1, 1.5, "a", True, [1]])
def test_seed_words_refuse(rng):
    with pytest.raises(ValueError, match=r"^rng must be an int of at least 0"):
        seed_words(rng)


# Distribution ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample():
    """Blocks of 40 000 steps: (8, 40 000, LANES), 2e7 variates."""
    return np.stack([standard_normals(seed_words(2026), block, 40_000)[:, 0] for block in range(8)])


@jit
def count_beyond(key, block, epochs, out, c, k, levels, limit):
    """How many variates of so many epochs lie beyond each level, on either side; sizes are cut at a limit."""
    counts, state = np.zeros(levels.size, np.int64), np.empty(4 * HALF, np.uint64)
    for epoch in range(epochs):
        seed(key, block, epoch, state)
        fill(state, out, EPOCH, np.int64(0), c, k)
        for level in range(levels.size):
            for row in range(EPOCH):
                for lane in range(LANES):
                    counts[level] += min(abs(out[row, 0, lane]), limit) > levels[level]
    return counts


def tails_p(rng, size, levels, limit=np.inf):
    """Return p-values of the counts beyond the levels in `size` variates, or somewhat more, from 16 blocks."""
    epochs, levels, out = int(size / (16 * EPOCH * LANES)) + 1, np.array(levels), np.empty((EPOCH, 1, LANES))
    parts = [count_beyond(seed_words(rng), block, epochs, out, CONSTANTS, BITS, levels, limit) for block in range(16)]
    return count_p(sum(parts), 16 * epochs * out.size * 2 * stats.norm.sf(levels))


def test_moments(sample):
    sums = sum(power_sums(part) for part in sample)
    assert np.all(moments_p(sums, sample.size) > CHANCE)
    assert moments_p(sums * 1.001 ** np.arange(1, 9), sample.size)[1] < CHANCE  # negative control: a scale


def test_bins(sample):
    assert chi_square_p(bin_counts(sample, 1000), sample.size / 1000) > CHANCE
    part = sample[:2] + 0.01  # negative control
    assert chi_square_p(bin_counts(part, 1000), part.size / 1000) < CHANCE


def test_sides(sample):
    """Counts beyond three and four standard deviations on either side."""
    tails = stats.norm.sf([3, 4])

    def p(z):
        return count_p(
            np.array([[np.count_nonzero(s * z > level) for level in (3, 4)] for s in (1, -1)]), z.size * tails
        )

    assert np.all(p(sample) > CHANCE)
    assert np.all(p(sample + 0.02)[:, 0] < CHANCE)  # negative control


def test_tails():
    """There should be 6334 of 1e8 variates beyond four standard deviations, 57 beyond five."""
    assert np.all(tails_p(6, 1e8, [4.0, 5.0]) > CHANCE)
    assert np.all(tails_p(6, 1e8, [4.0, 5.0], limit=3.9) < CHANCE)  # negative control


@pytest.mark.slow
def test_far_tails():
    """There should be 20 of 1e10 variates beyond six standard deviations, so that none at all would be seen."""
    levels = [4.0, 5.0, 5.5, 6.0]
    assert np.all(tails_p(61, 1e10, levels) > CHANCE)
    assert np.array_equal(tails_p(61, 1e10, levels, limit=5.5) > CHANCE, [True, True, False, False])


@pytest.mark.slow
def test_moments_and_bins_closely():
    """4e8 variates; the controls are nearer than those above."""
    sums, counts, size = np.zeros(8), np.zeros((2, 1000)), 0
    for block in range(20):
        z = standard_normals(seed_words(9), block, 312_500)
        size += z.size
        sums += power_sums(z)
        counts += [bin_counts(z, 1000), bin_counts(z + 0.002, 1000)]
    assert np.all(moments_p(sums, size) > CHANCE)
    assert chi_square_p(counts[0], size / 1000) > CHANCE
    assert moments_p(sums * 1.0003 ** np.arange(1, 9), size)[1] < CHANCE
    assert chi_square_p(counts[1], size / 1000) < CHANCE


@pytest.mark.slow
def test_kolmogorov_smirnov():
    z = np.concatenate([standard_normals(seed_words(8), block, 20_000).ravel() for block in range(8)])  # 1e7
    assert stats.kstest(z, "norm").pvalue > CHANCE
    assert stats.kstest(z + 0.003, "norm").pvalue < CHANCE  # negative control
