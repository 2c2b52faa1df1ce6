"""The course of an open-loop task by the Gaussian closure: moments of the states of many networks, step by step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.stationary.closure.choice import closure_of
from ctrnn_theory.stationary.closure.gaussian_step import closure_step
from ctrnn_theory.stationary.closure.moments import Moments
from ctrnn_theory.support.memory import shortage
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.tasks.episode import Episode

MATRICES = 10  # matrices (N, N) of a condition that a step of the closure holds at once


def course(model: Model, episode: Episode, levels: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Give mean (S, C, N) and covariance (S, C, N, N) of the state, step by step from zero, see `OpenLoop.course`."""
    weights, n = model.weights, model.weights.W.shape[-1]
    S, C = max(len(weights.W), len(levels)), episode.u.shape[1]
    if short := shortage(8.0 * MATRICES * S * C * n**2):
        raise ValueError(f"the covariances of {C} conditions and {n} neurons must fit into memory; {short}")
    mean, V = np.zeros((S, C, n)), np.zeros((S, C, n, n))
    yield mean, V
    for mean, V in _white(model, episode, levels) if model.plain else _of_any_kind(model, episode, levels):
        yield mean, V


def _bounded(mean: FloatArray, V: FloatArray) -> None:
    """Put states that have passed the bound, or whose standard deviation has, at the bound, where they stay."""
    variance = np.diagonal(V, axis1=-2, axis2=-1)
    lost = ~np.all((np.abs(mean) < BOUND) & (variance < BOUND**2), axis=-1)
    mean[lost], V[lost] = BOUND, 0.0


def _white(model: Model, episode: Episode, levels: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Give the moments of networks in rate form under white additive noise, all at once."""
    weights, n = model.weights, model.weights.W.shape[-1]
    shape = max(len(weights.W), len(levels)), episode.u.shape[1], n
    square = levels[:, None, None, None] ** 2
    inside, outside = (square * model.noise.covariance(site, n) for site in ("inside", "outside"))
    mean, V = np.zeros(shape), np.zeros((*shape, n))
    for t in range(episode.w.size):
        if t < len(episode.u):
            drive = _drive(model, episode, t)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, V = closure_step(model.f, weights.W[:, None], model.gamma, drive, inside, outside, mean, V)
        _bounded(mean, V)
        yield mean, V


def _of_any_kind(model: Model, episode: Episode, levels: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Give the moments of networks of any form under any noise, one network and level after the other."""
    weights, n, C = model.weights, model.weights.W.shape[-1], episode.u.shape[1]
    pairs = np.broadcast(np.arange(len(weights.W)), np.arange(len(levels)))
    which, all_conditions = [(s, levels[level]) for s, level in pairs], np.zeros(C, dtype=np.intp)
    maps, states = [], []
    for s, level in which:
        net = CTRNN(weights.W[s], weights.b[s], model.f, model.gamma, form=model.form)
        maps.append(closure_of(net, model.noise.scaled(float(level)))[all_conditions])
        states.append(maps[-1].begin(Moments.point(np.zeros((C, n)))))
    for t in range(episode.w.size):
        if t < len(episode.u):
            drive = _drive(model, episode, t)
            maps = [one.driven_by(drive[s]) for one, (s, _) in zip(maps, which, strict=True)]
        with np.errstate(over="ignore", invalid="ignore"):
            states = [one.step(state) for one, state in zip(maps, states, strict=True)]
        for state in states:
            _bounded(state.mean, state.covariance)
        yield (
            np.array([state.mean[:, :n] for state in states]),
            np.array([state.covariance[:, :n, :n] for state in states]),
        )


def _drive(model: Model, episode: Episode, t: int) -> FloatArray:
    """Return W_in u + b (S, C, N) of a step."""
    drive: FloatArray = model.weights.b[:, None] + episode.u[t] @ np.swapaxes(model.weights.W_in, 1, 2)
    return drive


def rate_moments(model: Model, mean: FloatArray, V: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance of the rates at Gaussian states: the states', or those of f(v) in voltage form."""
    if model.form == "rate":
        return mean, V
    s = np.sqrt(np.diagonal(V, axis1=-2, axis2=-1))
    return model.f.smoothed(mean, s), covariance_matrices(model.f, mean, V)
