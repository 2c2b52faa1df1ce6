"""Variates of neighbouring lanes, blocks, steps, epochs and seeds know nothing of each other; raw words are random.

Each check has a negative control, which must fail it.
"""

import numpy as np
import pytest

from ctrnn_theory.integrators.normals import EPOCH, HALF, WARM_UP, next_words, seed, seed_words, standard_normals
from ctrnn_theory.support.jit import jit
from tests.integrators.scores import (
    CHANCE,
    birthdays_p,
    bits_p,
    bytes_p,
    correlations_p,
    gaps_p,
    lags_p,
    moments_p,
    power_sums,
    spectrum_p,
    streams_p,
    table_p,
)


@pytest.fixture(scope="module")
def steps():
    """One row a step: (8 blocks, 8192 steps, LANES), 4e6 variates."""
    return np.stack([standard_normals(seed_words(11), block, 8192)[:, 0] for block in range(8)])


@pytest.fixture(scope="module")
def rows():
    """64 rows a step: (1024 steps, 64 rows, LANES), 4e6 variates."""
    return standard_normals(seed_words(12), 5, 1024, 64)


@pytest.fixture(scope="module")
def borders():
    """Last row before an epoch and first row of it: (8 blocks, 400 epochs, 2, LANES)."""
    key = seed_words(13)
    return np.array(
        [
            [standard_normals(key, block, 2, first=EPOCH * epoch - 1)[:, 0] for epoch in range(1, 401)]
            for block in range(8)
        ]
    )


def follow(x, axis):
    """What each check of correlations must see: values that take 2 % of the one before them."""
    return x + 0.02 * np.roll(x, 1, axis)


# In time ---------------------------------------------------------------------------------------------------------

LAGS = range(1, 21)


def test_lags_of_steps(steps):
    assert np.all(lags_p(steps, LAGS) > CHANCE)
    assert lags_p(follow(steps, 1), LAGS)[0, 0, 0] < CHANCE


def test_lags_of_rows(rows):
    assert np.all(lags_p(rows, LAGS) > CHANCE)
    assert lags_p(follow(rows, 1), LAGS)[0, 0, 0] < CHANCE


def test_lag_of_an_epoch(steps):
    """Generators an epoch apart differ in a bit or two of their seed."""
    lags = [EPOCH - 1, EPOCH, EPOCH + 1, 2 * EPOCH]
    assert np.all(lags_p(steps, lags) > CHANCE)
    twice = steps.copy()
    twice[:, EPOCH : 2 * EPOCH] = twice[:, :EPOCH]  # an epoch seeded twice alike
    assert lags_p(twice, lags)[1, 0, 0] < CHANCE


def test_spectrum(steps):
    assert np.all(spectrum_p(steps) > CHANCE)
    assert spectrum_p(follow(steps, 1))[0] < CHANCE
    wave = 0.02 * np.sin(2 * np.pi / EPOCH * np.arange(steps.shape[1]))[:, None]
    assert spectrum_p(steps + wave)[1] < CHANCE


@pytest.mark.parametrize(("level", "longest"), [(1.0, 30), (2.5, 500)])
def test_gaps(steps, level, longest):
    """The waiting times are those of each lane in time, one lane after the other."""
    lanes = steps.swapaxes(1, 2)
    assert gaps_p(lanes, level, longest) > CHANCE
    sticky = np.where(np.arange(lanes.size) % 20 == 0, np.roll(lanes.ravel(), 1), lanes.ravel())  # 5 % repeat
    assert gaps_p(sticky, level, longest) < CHANCE


# Across borders of epochs ----------------------------------------------------------------------------------------


def test_borders_of_epochs(borders):
    before, after = borders[:, :, 0], borders[:, :, 1]
    pairs = {
        "last and first": (before, after),
        "first and first": (after[:, 1:], after[:, :-1]),
        "blocks": (after[1:], after[:-1]),
        "lanes": (after[..., 1:], after[..., :-1]),
    }
    for name, (x, y) in pairs.items():
        assert np.all(correlations_p(x, y) > CHANCE), name
        assert correlations_p(x, y + 0.02 * x)[0, 0] < CHANCE, name


def test_first_rows_are_normal(borders):
    """What a generator gives first, soon after its seed."""
    z = borders[:, :, 1]
    assert np.all(moments_p(power_sums(z), z.size) > CHANCE)
    assert moments_p(power_sums(z + 0.02), z.size)[0] < CHANCE


# Among streams ---------------------------------------------------------------------------------------------------


def lanes():
    return standard_normals(seed_words(14), 9, 51_200)[:, 0]


def blocks():
    """Same lane of neighbouring blocks."""
    return np.array([standard_normals(seed_words(15), block, 800).ravel() for block in range(32)]).T


def distant_blocks():
    """Blocks of which the numbers differ in one bit."""
    return np.array([standard_normals(seed_words(15), 2**k, 800).ravel() for k in range(27)]).T


def epochs():
    """Same step and lane of neighbouring epochs."""
    return standard_normals(seed_words(16), 2, 32 * EPOCH, 3).reshape(32, -1).T


def seeds():
    return np.array([standard_normals(seed_words(rng), 0, 800).ravel() for rng in range(32)]).T


@pytest.mark.parametrize("streams", [lanes, blocks, distant_blocks, epochs, seeds])
def test_streams_are_uncorrelated(streams):
    """All pairs of streams, 5e4 variates of each."""
    x = streams()
    assert np.all(streams_p(x) > CHANCE)
    x = x[:, :8].copy()
    x[:, 5] = np.where(np.arange(len(x)) % 20 == 0, x[:, 4], x[:, 5])  # one stream takes 5 % of another's
    assert streams_p(x).min() < CHANCE


def pair(x):
    return x[..., :HALF], x[..., HALF:]


def neighbours(x):
    return x[..., 1:], x[..., :-1]


def successors(x):
    return x[:, 1:], x[:, :-1]


@pytest.mark.parametrize("choose", [pair, neighbours, successors])
def test_joint_distribution(steps, choose):
    """The two values of a Box–Muller pair, of two generators and of two steps are independent in 16 by 16 bins."""
    x, y = choose(steps)
    assert table_p(x, y) > CHANCE
    assert table_p(x, y + 0.01 * x) < CHANCE
    assert np.all(correlations_p(x, y) > CHANCE)
    radius = np.sqrt(x**2 + y**2) ** 0.02  # the same directions, radii that are not Rayleigh's
    assert table_p(x * radius, y * radius) < CHANCE


# Raw words -------------------------------------------------------------------------------------------------------


@jit
def draw_words(key, block, epochs, each):
    """Words of a block, (epochs, each, HALF, 2)."""
    out, state = np.empty((epochs, each, HALF, 2), np.uint64), np.empty(4 * HALF, np.uint64)
    for epoch in range(epochs):
        seed(key, block, epoch, state)
        for n in range(each):
            for i in range(HALF):
                out[epoch, n, i, 0], out[epoch, n, i, 1], a, b, c, d = next_words(
                    state[i], state[HALF + i], state[2 * HALF + i], state[3 * HALF + i]
                )
                state[i], state[HALF + i], state[2 * HALF + i], state[3 * HALF + i] = a, b, c, d
    return out


WORDS = {  # 2^20 words each, or more
    "steps": lambda: draw_words(seed_words(17), 3, 64, EPOCH),
    "first": lambda: np.stack([draw_words(seed_words(17), block, 1024, 1) for block in range(16)]),
}


@pytest.mark.parametrize("kind", WORDS)
def test_words(kind):
    """Bits, bytes and birthdays of whole epochs, and of the first words after many seeds; and of neighbours' xor."""
    words = WORDS[kind]()
    fewer = words.ravel() & ~np.uint64(1 << 32 | 1)  # days of even number only
    neighbours_differ = (words[..., 1:, :] ^ words[..., :-1, :]).ravel()
    pairs_differ = words[..., 0].ravel() ^ words[..., 1].ravel()
    for sequence in (words.ravel(), neighbours_differ, pairs_differ):
        assert np.all(bits_p(sequence) > CHANCE)
        assert np.all(bytes_p(sequence) > CHANCE)
    assert np.all(birthdays_p(words.ravel()) > CHANCE)
    some = np.where(np.arange(words.size) % 50 == 0, 0, words.ravel()).astype(np.uint64)  # 2 % are zero
    assert np.all(bits_p(some) < CHANCE)
    assert np.all(bytes_p(some) < CHANCE)
    assert np.all(birthdays_p(fewer) < CHANCE)


def first_words(key, packed, rounds):
    """Two words after so many rounds from a packed word, by the function that is compiled."""
    a, b, c, d = np.full_like(packed, key[0]), np.full_like(packed, key[1]), packed.copy(), np.ones_like(packed)
    for _ in range(rounds // 2):
        _, _, a, b, c, d = next_words.py_func(a, b, c, d)
    return np.stack(next_words.py_func(a, b, c, d)[:2], axis=-1)


def test_avalanche():
    """A bit of block or epoch that changes changes every bit of the words with probability 1/2."""
    packed = np.random.default_rng(18).integers(0, 2**64, 2000, np.uint64)
    flipped = packed[:, None] ^ (np.uint64(1) << np.arange(64, dtype=np.uint64))

    def p(rounds):
        key = seed_words(18)
        return bits_p(first_words(key, packed, rounds)[:, None] ^ first_words(key, flipped, rounds))

    assert np.all(p(WARM_UP) > CHANCE)
    assert np.any(p(4) < CHANCE)
    state = first_words(seed_words(3), np.array([2**32 * 3 + 7 * HALF], np.uint64), WARM_UP)
    assert np.array_equal(state[0], draw_words(seed_words(3), 7, 4, 1)[3, 0, 0])  # and that is how blocks are seeded
