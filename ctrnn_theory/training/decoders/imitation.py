"""Decoders for a task whose outputs decide what is sensed next: they imitate an expert along paths of their own."""

from __future__ import annotations

import numpy as np

from ctrnn_theory.activations import Activation
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.decoders.encoders import Encoders
from ctrnn_theory.training.decoders.moments import moments
from ctrnn_theory.training.decoders.solve import RIDGE, Decoders, solved
from ctrnn_theory.training.tasks.agents import computed, moved
from ctrnn_theory.training.tasks.mean_path import Guided

SHARES = (1.0, 0.2, 0.1, 0.0, 0.0, 0.0)
"""Share of the expert in the outputs that move the agents, in each round. The last rounds find the places where agents
of the decoders so far are caught, which noise would shake them out of."""
AGENTS = 128
"""Number of agents in a round; half of them follow the mean dynamics, and half the noisy ones."""
EVERY = 10
"""Steps after which the covariance of the states is computed; in between it hardly changes."""


class _Sums:
    """Sums over the points that agents have visited, from which decoders are solved."""

    def __init__(self, neurons: int, outputs: int) -> None:
        self.points = self.rounds = 0
        self.h, self.r = np.zeros(neurons), np.zeros(outputs)
        self.hh, self.hr = np.zeros((neurons, neurons)), np.zeros((neurons, outputs))
        self.covariances = np.zeros((neurons, neurons))

    def add(self, h: FloatArray, r: FloatArray) -> None:
        """Add mean states (M, N) and what the outputs ought to be (M, P)."""
        self.points += len(h)
        self.h += h.sum(axis=0)
        self.r += r.sum(axis=0)
        self.hh += h.T @ h
        self.hr += h.T @ r

    def decoders(self, covariance: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return W_out (P, N), b_out (P,) and the covariance of the output, given that of the states of a round."""
        self.rounds += 1
        self.covariances += covariance
        C, h, r = self.covariances / self.rounds, self.h / self.points, self.r / self.points
        G = self.hh / self.points + C
        ridge = RIDGE * np.trace(G) / len(G)
        W_out = np.ascontiguousarray(solved(G - np.outer(h, h), ridge, self.hr / self.points - np.outer(h, r)).T)
        return W_out, r - W_out @ h, W_out @ C @ W_out.T


def imitate(
    f: Activation, encoders: Encoders, task: Guided, noise: Noise, gamma: float, rng: np.random.Generator
) -> Decoders:
    """Solve the decoders of a network without memory that steers an agent as an expert would, under noise.

    Which states of the world an agent visits depends on its network. In each of six rounds agents therefore move by a
    mixture of the expert's outputs and those of the network so far, the expert's share falling from one to zero, and
    decoders are solved anew for the states of all rounds (DAgger: Ross, Gordon and Bagnell, arXiv:1011.0686). The mean
    of the network's state along a path is known, m' = (1-γ) m + γ E f(W_in u + b + σ ξ), and so is the covariance C
    about it; decoders minimise the mean over the states visited of::

        |W_out m + b_out - v|² + tr W_out C W_outᵀ

    with v the expert's output. Since m lags behind what is sensed, decoders learn to look ahead. Half of the agents
    move by the mean output. To the output of the others noise is added, of covariance W_out C W_outᵀ and with the
    memory of the leak, so that decoders learn to come back from where noise takes an agent.

    Parameters
    ----------
    f
        Activation.
    encoders
        Weights that drive the neurons; those of latent variables are not used.
    task
        Closed-loop task with an expert.
    noise
        Noise of the network, of any kind that :func:`~ctrnn_theory.training.decoders.moments.moments` takes.
    gamma
        Step over time constant.
    rng
        Source of the start states and of the noise of agents.

    Raises
    ------
    NotApplicable
        If nothing is known of what the leak leaves of the noise.

    Examples
    --------
    >>> from ctrnn_theory.activations import activation
    >>> from ctrnn_theory.training.decoders.encoders import draw_encoders
    >>> from ctrnn_theory.training.tasks.maze import Maze
    >>> rng, task = np.random.default_rng(0), Maze(steps=20)
    >>> encoders = draw_encoders(task.latent(rng, 0.2), 32, 1.5, 2.0, rng)
    >>> imitate(activation("relu"), encoders, task, Noise(inside=1.0), 0.2, rng).W_out.shape
    (2, 32)
    """
    n, P, (sense, _, constants) = len(encoders.b), task.outputs, task.world
    mean = NoisyActivation(f, noise.std("inside", n), np.sqrt(np.diag(noise.gain_covariance("inside", n))))
    sums, W_out, b_out, C = _Sums(n, P), np.zeros((P, n)), np.zeros(P), np.zeros((P, P))
    for share in SHARES:
        states, h, some = task.begun(rng, AGENTS), np.zeros((AGENTS, n)), []
        wobble, fresh = np.zeros((P, AGENTS // 2)), np.sqrt(gamma * (2.0 - gamma)) * _root(C)
        for t in range(task.steps):
            a = computed(sense, states, task.inputs, constants).T @ encoders.W_in.T + encoders.b
            if t % EVERY == 0:
                some.append(a)
            h += gamma * (mean.value(a) - h)
            target = task.expert(states)
            sums.add(h, target.T)
            wobble = (1.0 - gamma) * wobble + fresh @ rng.standard_normal(wobble.shape)
            z = W_out @ h.T + b_out[:, None]
            z[:, AGENTS // 2 :] += wobble
            states = moved(task.world, t, states, share * target + (1.0 - share) * z)
        W_out, b_out, C = sums.decoders(moments(f, np.concatenate(some), noise, gamma).covariance)
    return Decoders(np.zeros((n, 0)), W_out, b_out)


def _root(C: FloatArray) -> FloatArray:
    """Return a factor of a small covariance matrix, which may be singular."""
    values, vectors = np.linalg.eigh(C)
    root: FloatArray = vectors * np.sqrt(np.maximum(values, 0.0))
    return root
