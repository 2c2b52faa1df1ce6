"""Moments of what is remembered in time, by the Gaussian closure of the latent variables, and an estimate of its error.

The closure is that of :mod:`ctrnn_theory.training.tasks.latent_course`. Its error comes from a law that is not normal.
To estimate it, the law of the latent variables at some time is split into narrower ones, which are followed to the end:
2 R + 1 nodes of a rule for normal laws, of fifth degree along each axis, with weights 1 - R/3 and 1/6. A
mixture makes less of the error, until its parts are as wide as the law was. The largest difference of the squared error
until any time, from several times of the split, counts as a sixth of the error: in bistable networks of 24 to 256
neurons the error is up to five times the difference. Basins of attraction that no node meets are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ctrnn_theory.analysis.memory.course import Course
from ctrnn_theory.analysis.memory.problem import Problem
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.tasks.episode import Episode
from ctrnn_theory.training.tasks.latent_course import SMALL, LatentMoments, latent_course
from ctrnn_theory.training.tasks.latent_network import LatentNetwork

CHECKED = 4
"""Most conditions for which the error is estimated."""
SPLITS = (2, 8, 32, 128)
"""Parts of the time after which the law is split."""
SAFETY = 6.0
"""What counts as the error, over the largest difference that a split makes."""


def closure_course(net: CTRNN, noise: Noise, problem: Problem, levels: FloatArray) -> Course:
    """Return the moments at levels above 0."""
    run = _Run(net, noise, problem, levels)
    recorded = [run.state, *run.steps(problem.steps, 0, run.state)][problem.every :: problem.every]
    mean, covariance = run.read(recorded)
    left_out = np.array([state.left_out for state in recorded]).reshape(len(recorded), len(levels), -1).max(axis=2).T
    spread = np.trace(covariance, axis1=-2, axis2=-1).mean(axis=2)
    error = np.maximum(left_out, SMALL) * spread + _split_error(net, noise, problem, levels)
    return Course(mean, covariance, error)


class _Run:
    """The closure of a problem at L levels, from any time and state on."""

    def __init__(self, net: CTRNN, noise: Noise, problem: Problem, levels: FloatArray) -> None:
        self.problem, self.levels, self.model = problem, levels, Model.of(net, noise)
        outputs = problem.weights if net.W_out is not None else problem.weights[:0]
        self.latent = LatentNetwork(self.model.f, float(net.gammas[0]), problem.factors, outputs)
        self.first = problem.rank if len(outputs) else 0
        """Place of the first value that is read."""
        begin = np.tile(problem.start @ self.latent.decoders, (len(levels), 1))
        Q = begin.shape[1]
        self.state = LatentMoments(begin, np.zeros((len(begin), Q, Q)), np.zeros(len(begin)))
        """The start state."""

    def steps(self, count: int, first: int, state: LatentMoments, nodes: int = 1) -> Iterator[LatentMoments]:
        """Give the states after each of some steps; each condition is there `nodes` times."""
        problem = self.problem
        shape = (len(problem.inputs), problem.conditions, problem.inputs.shape[2])
        u = np.repeat(np.broadcast_to(problem.inputs, shape), nodes, axis=1)
        u = u if len(u) == 1 else u[first : first + count]
        episode = Episode(u, np.zeros((1, u.shape[1], 0)), np.full(count, 1.0 / count))
        course = latent_course(self.latent, self.model, episode, self.levels, start=state)
        next(course)
        yield from course

    def read(self, states: list[LatentMoments], nodes: int = 1) -> tuple[FloatArray, FloatArray]:
        """Return mean (L, T, C, P) and covariance (L, T, C, P, P) of what is read; or with C times `nodes` in a row."""
        at = slice(self.first, None)
        shape = (len(states), len(self.levels), self.problem.conditions * nodes)
        mean = np.array([state.mean[:, at] for state in states]).reshape(*shape, -1) + self.problem.offset
        covariance = np.array([state.covariance[:, at, at] for state in states])
        covariance = covariance.reshape(*mean.shape, mean.shape[-1])
        return np.swapaxes(mean, 0, 1), np.swapaxes(covariance, 0, 1)

    def squared_error(self, states: list[LatentMoments], target: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the squared error (L, T), the mean over conditions, of mixtures with some weights (nodes,)."""
        mean, covariance = self.read(states, len(weights))
        away = np.sum((mean - np.repeat(target, len(weights), axis=1)) ** 2, axis=-1)
        of_nodes = away + np.trace(covariance, axis1=-2, axis2=-1)
        found: FloatArray = (of_nodes.reshape(*of_nodes.shape[:2], -1, len(weights)) @ weights).mean(axis=2)
        return found


def _split_error(net: CTRNN, noise: Noise, problem: Problem, levels: FloatArray) -> FloatArray:
    """Return the estimated error (L, T) of the squared error; it does not fall in time."""
    few = np.unique(np.linspace(0, problem.conditions - 1, CHECKED).astype(np.intp))
    problem = problem.chosen(few)
    run, every = _Run(net, noise, problem, levels), problem.every
    states = [run.state, *run.steps(problem.steps, 0, run.state)]
    error = np.zeros((len(levels), problem.steps))
    for split in sorted({problem.steps // part for part in SPLITS} - {0}):
        nodes, weights = _split(states[split], problem.rank)
        after = list(run.steps(problem.steps - split, split, nodes, len(weights)))
        at = np.minimum(np.arange(split, problem.steps) // every, len(problem.target) - 1)
        mixed = run.squared_error(after, problem.target[at], weights)
        single = run.squared_error(states[split + 1 :], problem.target[at], np.ones(1))
        error[:, split:] = np.maximum(error[:, split:], SAFETY * np.abs(mixed - single))
    return np.maximum.accumulate(error, axis=1)[:, every - 1 :: every]


def _split(state: LatentMoments, rank: int) -> tuple[LatentMoments, FloatArray]:
    """Return states with known latent variables that together have the moments of one, node by node, and weights."""
    axes = np.sqrt(3.0) * np.eye(rank)
    nodes, weights = np.concatenate([0.0 * axes[:1], axes, -axes]), np.full(2 * rank + 1, 1.0 / 6.0)
    weights[0] = 1.0 - rank / 3.0
    values, vectors = np.linalg.eigh(state.covariance[:, :rank, :rank])
    size = np.sqrt(np.maximum(values, 0.0))
    inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0.0)
    factor = state.covariance[:, :, :rank] @ (vectors * inverse[:, None, :])  # of what latent variables explain
    mean = state.mean[:, None] + nodes @ np.swapaxes(factor, 1, 2)
    left = state.covariance - factor @ np.swapaxes(factor, 1, 2)
    count = len(weights)
    parts = (np.repeat(left, count, axis=0), np.repeat(state.left_out, count))
    return LatentMoments(mean.reshape(-1, mean.shape[2]), *parts), weights
