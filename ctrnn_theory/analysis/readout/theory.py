"""A linear readout that is trained under one noise and tested under another: its loss, without a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.readout.moments import Given, States, states_under
from ctrnn_theory.analysis.readout.result import ReadoutTheory
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import nonnegative, real_array, shown
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

Noises: TypeAlias = Noise | Sequence[Noise] | Mapping[float, Noise]
"""One noise, several in a sequence, or several by their levels."""


@guarded
@limited
def readout_theory(
    moments: Given,
    targets: ArrayLike,
    noise_train: Noises,
    noise_test: Noises,
    *,
    intercept: bool = False,
    ridge: float = 0.0,
) -> ReadoutTheory:
    """Return the loss of a linear readout for each noise that it is trained under and each that it is tested under.

    The readout z = w·y + c sees hidden states y_t of mean m_t and covariance V_t, which depend on the noise. Training
    solves the expected squared error, as least squares would on infinitely many presentations, and the loss of
    these weights under another noise follows from its moments::

        w, c = argmin ⟨(w·m_t + c - target_t)²⟩ + wᵀ⟨V_t⟩ w + ridge |w|²          ⟨·⟩: mean over t, training noise
        loss = ⟨(w·m_t + c - target_t)²⟩ + wᵀ⟨V_t⟩ w                               test noise

    On states x_t that are given, additive noise of covariance Σ and factors 1 + r of covariance R outside leave m_t in
    place and add Σ + R ∘ ⟨x_t x_tᵀ⟩ to ⟨V_t⟩, which makes training a ridge: for :meth:`Noise.analog`, of the penalty
    2 D_AU |w|² for private and 2 D_AC (Σ w)² for common additive noise, 2 D_MU Σ w² ⟨x²⟩ for private and
    2 D_MC ⟨(w·x)²⟩ for common multiplicative noise, and 4 D_MU D_MC Σ w² ⟨x²⟩ for both of these together.

    Parameters
    ----------
    moments
        Means of the hidden states (T, N), at T times or inputs; or a pair of these and of their covariance, (N, N) or
        (T, N, N): the noise, which must act outside, is added to these states. Or a function of the noise that returns
        such a pair for the noisy states themselves, as :func:`ctrnn_theory.hidden_moments` makes it for a network.
    targets
        Wanted outputs, (T,) or (T, P).
    noise_train, noise_test
        Noise during training and test: one :class:`Noise`, a sequence, or a mapping from levels, which are numbers, to
        noise. The levels of a sequence are 0, 1, ...
    intercept
        Whether the readout has a constant c, which noise does not touch.
    ridge
        Further penalty on |w|² in training, which acts as private additive noise of 2 D_AU = ridge would. Where
        neither noise nor ridge decides on the weights, they are the shortest ones, the limit of a small ridge.

    Returns
    -------
    ReadoutTheory
        Loss (K, L) of K training noises under L test noises, its squared bias and variance, the preferred test level
        of each training noise, and the weights.

    Raises
    ------
    ValueError
        If an argument has another form, there is no noise, or noise acts inside on states that are given.

    Examples
    --------
    Two neurons that nearly agree. Weights of opposite signs are large without noise, and suffer under private noise:

    >>> x = np.array([[0.0, 0.1], [1.0, 1.0], [2.0, 1.9]])
    >>> noises = {D: Noise.analog(2, AU=D) for D in (0.0, 0.01, 0.1)}
    >>> found = readout_theory(x, [1.0, 0.0, -1.0], noises, noises)
    >>> found.loss.round(3)
    array([[ 0.   ,  4.   , 40.   ],
           [ 0.341,  0.378,  0.712],
           [ 0.408,  0.41 ,  0.426]])
    >>> found.norm.round(2)
    array([14.14,  1.36,  0.3 ])

    Common multiplicative noise scales the weights and does nothing else:

    >>> common = {D: Noise.analog(2, MC=D) for D in (0.0, 0.1)}
    >>> weights = readout_theory(x, [1.0, 0.0, -1.0], common, common).weights
    >>> (weights[1] / weights[0]).round(6)
    array([[0.833333, 0.833333]])
    """
    train_levels, train = _levelled("noise_train", noise_train)
    test_levels, test = _levelled("noise_test", noise_test)
    known: dict[int, States] = {}
    for noise in (*train, *test):  # the same noise is often in both
        if id(noise) not in known:
            known[id(noise)] = states_under(moments, noise)
    T = len(known[id(train[0])].mean)
    y = real_array("targets", targets)
    if y.ndim not in (1, 2) or len(y) != T or not y.size:
        raise ValueError(f"targets must have shape ({T},) or ({T}, any), as the moments; got {y.shape}")
    y, penalty = y.reshape(T, -1), nonnegative("ridge", ridge)
    solved = [_solved(known[id(noise)], y, bool(intercept), penalty) for noise in train]
    tested = [[_loss(*readout, known[id(noise)], y) for noise in test] for readout in solved]
    squared_bias, variance = np.moveaxis(np.array(tested), -1, 0)
    return ReadoutTheory(
        train_levels,
        test_levels,
        train,
        test,
        squared_bias,
        variance,
        np.array([w for w, _ in solved]),
        np.array([c for _, c in solved]),
        bool(intercept),
    )


def _levelled(name: str, given: Noises) -> tuple[FloatArray, tuple[Noise, ...]]:
    """Return levels and noises."""
    if isinstance(given, Noise):
        given = [given]
    try:
        pairs = list(given.items() if isinstance(given, Mapping) else enumerate(given))
    except TypeError:
        pairs = []
    noises = tuple(noise for _, noise in pairs)
    if not noises or not all(isinstance(noise, Noise) for noise in noises):
        raise ValueError(f"{name} must be a Noise, a sequence of them, or a mapping to them; got {shown(given)}")
    return real_array(f"levels of {name}", [level for level, _ in pairs]), noises


def _solved(states: States, y: FloatArray, intercept: bool, ridge: float) -> tuple[FloatArray, FloatArray]:
    """Return the weights (P, N) and the constants (P,) of least expected squared error.

    The rows of a root of covariance + ridge follow those of the means, which does not square the condition number.
    """
    T, n = states.mean.shape
    m, r = (states.mean.mean(axis=0), y.mean(axis=0)) if intercept else (np.zeros(n), np.zeros(y.shape[1]))
    values, vectors = np.linalg.eigh(states.covariance)
    root = np.sqrt(np.maximum(values, 0.0) + ridge)[:, None] * vectors.T
    rows = np.vstack([(states.mean - m) / np.sqrt(T), root])
    wanted = np.vstack([(y - r) / np.sqrt(T), np.zeros((n, y.shape[1]))])
    w = np.linalg.lstsq(rows, wanted, rcond=None)[0].T
    return w, r - w @ m


def _loss(w: FloatArray, c: FloatArray, states: States, y: FloatArray) -> tuple[float, float]:
    """Return squared bias and variance of a readout, of all outputs together."""
    missed = states.mean @ w.T + c - y
    return float(np.sum(missed**2) / len(y)), float(np.sum((w @ states.covariance) * w))
