"""Standard normal variates for the compiled loops: sfc64 and Box–Muller, in a form that LLVM vectorises.

A *block* is `LANES` trajectories. Each of its `LANES // 2` generators is an sfc64 (C. Doty-Humphrey, PractRand), which
needs only 64-bit additions, shifts and exclusive ors, and a quarter of the time of a counter-based Philox. It gives one
Box–Muller pair for each row; a step takes some rows, one for each neuron and site.

Variates are keyed by (seed, block, step): every `EPOCH` steps the generators are seeded anew from (seed, block, epoch),
so that any step is reached by drawing less than an epoch. The numbers depend neither on the number of threads, nor on
the order of the blocks, nor on how a run is cut into calls.

Box–Muller is computed without branches: a polynomial gives the logarithm of the mantissa, the angle is within a quarter
turn, and the two signs come from bits that the 52-bit fractions leave over. The error is below 1e-9, and |variate| is
below 8.5.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from ctrnn_theory.support.arguments import check_rng
from ctrnn_theory.support.jit import jit
from ctrnn_theory.support.types import FloatArray

LANES = 64
"""Number of trajectories in a block, a compile-time constant, so that loops over lanes have a known length."""
HALF = LANES // 2
"""Number of generators in a block."""
EPOCH = 256
"""Number of steps after which the generators of a block are seeded again."""
WARM_UP = 16
"""Number of rounds of sfc64 before the first variate; NumPy's SFC64 takes 12."""
BLOCKS, EPOCHS = 2**32 // HALF, 2**32
"""Largest numbers of blocks and of epochs: the number and the epoch of a generator have 32 bits each."""

Words = NDArray[np.uint64]
U = np.uint64

# Constants are read from arrays before the loop, since LLVM broadcasts a literal again at each use.
# BITS holds the exponent of 1.0, that of 2^52, the mask of the mantissa, the bits of sqrt(1/2), and first minus fourth.
BITS = np.array(
    [
        0x3FF0000000000000,
        0x4330000000000000,
        0x000FFFFFFFFFFFFF,
        0x3FE6A09E667F3BCD,
        0x3FF0000000000000 - 0x3FE6A09E667F3BCD,
    ],
    np.uint64,
)
LOG = np.array(  # log(1 + r) / r on [sqrt(1/2) - 1, sqrt(2) - 1], minimax, error 2e-11
    [
        0.9999999999874651,
        -0.5000000003595171,
        0.3333333424920659,
        -0.24999992728449305,
        0.19999888139973632,
        -0.16667024572009081,
        0.1429081173942899,
        -0.12495435324992145,
        0.11006038270379548,
        -0.09945996186719662,
        0.1004720511888933,
        -0.09804420067786203,
        0.05235888516923783,
    ]
)
COS = np.array(  # cos(pi/2 w) in powers of w^2, |w| <= 1/2
    [0.9999999999524894, -1.2337005406331623, 0.2536692036551135, -0.02086006950026408, 0.0009036280663802505]
)
SIN = np.array(  # sin(pi/2 w) / w, likewise
    [1.5707963267881, -0.6459640961467954, 0.07969258272563062, -0.004681266256726245, 0.00015820630355647733]
)
EXPONENT_OFFSET = 2.0**52 + 1023.0
CONSTANTS = np.concatenate([LOG, COS, SIN, [2.0, EXPONENT_OFFSET, np.log(2.0), 1.0, 1.5]])

inline = jit(
    fastmath={"contract", "nsz", "arcp"}, forceinline=True
)  # no reassoc: it would fold the additions of 2^52 away


@inline
def to_float(x):  # type: ignore[no-untyped-def]
    """Return the float64 whose bits are `x`."""
    return np.uint64(x).view(np.float64)


@inline
def to_bits(x):  # type: ignore[no-untyped-def]
    """Return the bits of a float64."""
    return np.float64(x).view(np.uint64)


@inline
def next_words(a, b, c, d):  # type: ignore[no-untyped-def]
    """Return two draws of sfc64, and its state after them."""
    first = a + b + d
    d += U(1)
    a = b ^ (b >> U(11))
    b = c + (c << U(3))
    c = ((c << U(24)) | (c >> U(40))) + first
    second = a + b + d
    d += U(1)
    a = b ^ (b >> U(11))
    b = c + (c << U(3))
    c = ((c << U(24)) | (c >> U(40))) + second
    return first, second, a, b, c, d


@inline
def polynomial5(y, c0, c1, c2, c3, c4):  # type: ignore[no-untyped-def]
    """Return the sum of c_k y^k, computed with a short chain of dependencies."""
    return (c0 + y * c1) + (y * y) * ((c2 + y * c3) + (y * y) * c4)


@inline
def seed(key, block, epoch, state):  # type: ignore[no-untyped-def]
    """Seed a block's generators (4 HALF,) for an epoch: two key words, number of the generator and epoch, counter.

    The states of two generators differ and have the same counter. As sfc64 permutes its states, they never meet; that
    one is a later part of the other is as likely as a collision of 192-bit numbers.
    """
    for i in range(HALF):
        a, b, c, d = key[0], key[1], (U(epoch) << U(32)) | U(block * HALF + i), U(1)
        for _ in range(WARM_UP // 2):
            _, _, a, b, c, d = next_words(a, b, c, d)
        state[i], state[HALF + i], state[2 * HALF + i], state[3 * HALF + i] = a, b, c, d


@inline
def fill(state, out, rows, at, c, k):  # type: ignore[no-untyped-def]
    """Set out[:rows, at] (LANES,) to R cos θ and R sin θ with R = sqrt(-2 ln u), θ = π/4 + π w/2, and random signs."""
    k0, k1, k2, k3, k4 = k[0], k[1], k[2], k[3], k[4]
    l0, l1, l2, l3, l4, l5, l6 = c[0], c[1], c[2], c[3], c[4], c[5], c[6]
    l7, l8, l9, l10, l11, l12 = c[7], c[8], c[9], c[10], c[11], c[12]
    c0, c1, c2, c3, c4 = c[13], c[14], c[15], c[16], c[17]
    s0, s1, s2, s3, s4 = c[18], c[19], c[20], c[21], c[22]
    two, offset, ln2, one, three_halves = c[23], c[24], c[25], c[26], c[27]
    for row in range(rows):
        for i in range(HALF):
            first, second, sa, sb, sc, sd = next_words(
                state[i], state[HALF + i], state[2 * HALF + i], state[3 * HALF + i]
            )
            state[i], state[HALF + i], state[2 * HALF + i], state[3 * HALF + i] = sa, sb, sc, sd
            # u = 2 - v in (0, 1], v in [1, 2) from 52 bits; u = 2^e (1 + r), so ln u = e ln 2 + log1p(r)
            u = to_bits(two - to_float((first >> U(12)) | k0)) + k4
            e = to_float((u >> U(52)) | k1) - offset
            r = to_float((u & k2) + k3) - one
            r2 = r * r
            r4 = r2 * r2
            low = ((l0 + l1 * r) + (l2 + l3 * r) * r2) + ((l4 + l5 * r) + (l6 + l7 * r) * r2) * r4
            high = ((l8 + l9 * r) + (l10 + l11 * r) * r2) + l12 * r4
            radius = np.sqrt(-(e * ln2 + r * (low + high * (r4 * r4))))
            w = to_float((second >> U(12)) | k0) - three_halves  # in [-1/2, 1/2)
            cosine = polynomial5(w * w, c0, c1, c2, c3, c4)
            sine = w * polynomial5(w * w, s0, s1, s2, s3, s4)
            # sqrt(2) cos(π/4 + φ) = cos φ - sin φ supplies the 2 of -2 ln u; signs from the lowest bits
            out[row, at, i] = to_float(to_bits(radius * (cosine + sine)) ^ (first << U(63)))
            out[row, at, HALF + i] = to_float(to_bits(radius * (cosine - sine)) ^ (second << U(63)))


@jit(cache=True)
def seek(key, block, step, rows, state):  # type: ignore[no-untyped-def]
    """Set a block's generators to their state before a step, if each step takes so many rows."""
    seed(key, block, step // EPOCH, state)
    for _ in range(step % EPOCH * rows):
        for i in range(HALF):
            _, _, a, b, c, d = next_words(state[i], state[HALF + i], state[2 * HALF + i], state[3 * HALF + i])
            state[i], state[HALF + i], state[2 * HALF + i], state[3 * HALF + i] = a, b, c, d


@jit(cache=True)
def draw(key, block, first, out, c, k):  # type: ignore[no-untyped-def]
    """Set out (steps, rows, 1, LANES) to the variates of a block, from step `first` on."""
    steps, rows = out.shape[0], out.shape[1]
    state = np.empty(4 * HALF, np.uint64)
    seek(key, block, first, rows, state)
    for step in range(first, first + steps):
        if step % EPOCH == 0:
            seed(key, block, step // EPOCH, state)
        fill(state, out[step - first], rows, np.int64(0), c, k)


def seed_words(rng: object = None) -> Words:
    """Return two 64-bit words that key every stream of a run, from what SciPy's SPEC 7 allows as `rng`.

    Parameters
    ----------
    rng
        An int or a SeedSequence (the same one gives the same words), a Generator or BitGenerator (which is advanced),
        or None for fresh entropy.

    Raises
    ------
    ValueError
        If `rng` is anything else.
    """
    check_rng(rng)
    if isinstance(rng, np.random.BitGenerator):
        rng = np.random.Generator(rng)
    if isinstance(rng, np.random.Generator):
        return rng.integers(0, 2**64, size=2, dtype=np.uint64)
    if not isinstance(rng, np.random.SeedSequence):
        rng = np.random.SeedSequence(cast("int | None", rng))
    return cast(Words, rng.generate_state(2, np.uint64))


def standard_normals(key: Words, block: int, steps: int, rows: int = 1, first: int = 0) -> FloatArray:
    """Return the variates (steps, rows, LANES) that the kernels use for a block in `steps` steps from `first` on.

    Parameters
    ----------
    key
        Two words, see :func:`seed_words`.
    block
        Number of the block, counted from 0.
    steps, first
        Number of steps, and the first of them.
    rows
        Number of rows of variates that a step takes.

    Raises
    ------
    ValueError
        If the block or the steps are beyond the 2^27 blocks and 2^40 steps that have generators of their own.

    Examples
    --------
    >>> z = standard_normals(seed_words(0), block=0, steps=1000)
    >>> z.shape
    (1000, 1, 64)
    >>> bool(abs(z.mean()) < 0.02)
    True
    >>> bool(np.all(z[900:] == standard_normals(seed_words(0), block=0, steps=100, first=900)))
    True
    """
    if not 0 <= block < BLOCKS:
        raise ValueError(f"block must be in [0, 2**27); got {block}")
    if not 0 <= first <= first + steps <= EPOCH * EPOCHS:
        raise ValueError(f"steps must lie in [0, 2**40); got {steps} from {first} on")
    out = np.empty((steps, rows, 1, LANES))
    draw(key, block, first, out, CONSTANTS, BITS)
    return out[:, :, 0]
