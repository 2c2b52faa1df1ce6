"""Six cognitive tasks, each alone or all in one network, to which an input says which of them to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import choice, nonnegative, positive_integer
from ctrnn_theory.support.types import BoolArray, FloatArray
from ctrnn_theory.support.workers import Workers
from ctrnn_theory.training.rollout import Key
from ctrnn_theory.training.tasks.base import Episode, OpenLoop, Trials
from ctrnn_theory.training.tasks.latent import Latent

RULES = ("go", "anti_go", "delay_go", "context_1", "context_2", "match")
"""Names of the tasks, in the order of the inputs that stand for them."""
ALL = "all"
"""Setting for all six tasks in one network."""
FIXATION, STIMULUS, EVIDENCE, RULE = 0, slice(1, 3), slice(3, 5), 5
"""Places of the inputs; the rules are the last of them."""
LOAD, GAIN = 0.1, 0.2
"""Shares of a stimulus, and of the evidence, that memory takes up in a step."""
COHERENCES = np.array([-1.0, -0.5, 0.5, 1.0])
"""Means of the evidence."""
TRIALS, JITTER = 144, 0.1
"""Trials from which the latent system is sampled, and the standard deviation of the latent variables about them."""


@dataclass(frozen=True)
class Cognitive(OpenLoop):
    """One of six cognitive tasks, or all of them in one network with an input for each rule.

    A trial has a fixation period, a stimulus, a delay and a response. Inputs are the fixation cue, which is 1 until the
    response begins; a stimulus s on a ring, (cos θ, sin θ); the evidence e₁, e₂ of two modalities, which fluctuates
    about a mean; and, if there are all six tasks, one input for each rule, of which one is 1. The output is a point in
    the plane, which must be zero before the response, and then:

    ========== ============================================================================================
    go         s, which is shown until the end
    anti_go    -s, likewise
    delay_go   s, which has to be remembered over the delay
    context_1  (d, 0), with d the decision that the accumulated evidence e₁ leads to; e₂ has to be ignored
    context_2  the same with e₂
    match      (1, 0) if the stimulus that is shown in the response is the one before the delay, or (-1, 0) if it is
               the opposite
    ========== ============================================================================================

    They are one latent system with a memory m (2,) and a decision d, where c is the fixation cue and r_k the rules::

        m' = m + 0.1 c |s|² (s - m)                              a stimulus is loaded under fixation, and held
        d' = d + 0.2 (r_context_1 e₁ + r_context_2 e₂)(1 - d²)   evidence is added up, and saturates
        y  = (1 - c) [ (r_go - r_anti_go) s + r_delay_go m + (r_context_1 + r_context_2)(d, 0) + r_match (s·m, 0) ]

    Targets are its outputs y. The loss is the squared error, with one half of the weight on the steps before the
    response, and the other half on the second half of the response, since a network needs time to respond. A trial is a
    success if the mean output there differs from the target by less than half of the target's length. These tasks are
    those of Yang et al., Nature Neuroscience 22, 297-306, 2019, in a reduced form.

    Examples
    --------
    >>> task = Cognitive(only="delay_go", conditions=2)
    >>> episode = task.episode(np.random.default_rng(0))
    >>> episode.u.shape, episode.y.shape, Cognitive().inputs
    ((90, 2, 5), (90, 2, 2), 11)
    >>> before, after = episode.y[task.begins - 1], episode.y[task.begins]
    >>> np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1).round(3)      # 1 - 0.9²⁰
    (array([0., 0.]), array([0.878, 0.878]))
    """

    name = "cognitive"
    summary = "six tasks, or one of them: responses to stimuli on a ring, to evidence in context, from memory"
    outputs = 2

    only: str = ALL
    """The task that is done alone, without an input for its rule, or "all"."""
    fixation: int = 10
    """Steps before the stimulus."""
    stimulus: int = 20
    """Steps of the stimulus, or of the evidence."""
    delay: int = 20
    """Steps between the stimulus and the response."""
    response: int = 40
    """Steps of the response, of which the second half has a weight in the loss."""
    fluctuation: float = 0.3
    """Standard deviation of the evidence in a step."""
    conditions: int = 48
    """Number of trials that are drawn for each generation; the tasks take turns."""
    repeats: int = 4
    """Trials of each condition in a loss by simulation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("only", self.only, (ALL, *RULES))
        for name in ("fixation", "stimulus", "delay", "response"):
            object.__setattr__(self, name, positive_integer(name, getattr(self, name)))
        if self.response < 2:
            raise ValueError(f"response must be at least 2, since its second half is weighted; got {self.response}")
        object.__setattr__(self, "fluctuation", nonnegative("fluctuation", self.fluctuation))

    @property
    def inputs(self) -> int:  # type: ignore[override]
        """Number of inputs: five, and one for each rule if there are several."""
        return RULE + (len(RULES) if self.only == ALL else 0)

    @property
    def steps(self) -> int:
        """Steps of a trial."""
        return self.begins + self.response

    @property
    def begins(self) -> int:
        """Step at which the response begins."""
        return self.fixation + self.stimulus + self.delay

    def rule(self, u: FloatArray, *names: str) -> FloatArray:
        """Return the sum of the inputs for rules, (..., 1), for inputs (..., K); 1 or 0 if there is one task alone."""
        if self.only != ALL:
            return np.full((*u.shape[:-1], 1), float(self.only in names))
        total: FloatArray = u[..., [RULE + RULES.index(name) for name in names]].sum(axis=-1, keepdims=True)
        return total

    def change(self, x: FloatArray, u: FloatArray) -> FloatArray:
        """Return the change (..., 3) in a step of the latent variables (m, d), for inputs (..., K)."""
        m, d, s = x[..., :2], x[..., 2:], u[..., STIMULUS]
        load = LOAD * u[..., [FIXATION]] * np.sum(s**2, axis=-1, keepdims=True)
        evidence = np.concatenate([self.rule(u, "context_1"), self.rule(u, "context_2")], axis=-1) * u[..., EVIDENCE]
        return np.concatenate([load * (s - m), GAIN * evidence.sum(axis=-1, keepdims=True) * (1.0 - d**2)], axis=-1)

    def answer(self, x: FloatArray, u: FloatArray) -> FloatArray:
        """Return the output (..., 2) for latent variables (m, d), (..., 3), and inputs (..., K)."""
        m, d, s = x[..., :2], x[..., 2:], u[..., STIMULUS]
        along = self.rule(u, "context_1", "context_2") * d
        along = along + self.rule(u, "match") * np.sum(s * m, axis=-1, keepdims=True)
        plane = (self.rule(u, "go") - self.rule(u, "anti_go")) * s + self.rule(u, "delay_go") * m
        answer: FloatArray = (1.0 - u[..., [FIXATION]]) * (plane + along * np.array([1.0, 0.0]))
        return answer

    def drawn_inputs(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Return the inputs (T, C, K) of random trials, of which the tasks take turns."""
        chosen = np.arange(count) % len(RULES) if self.only == ALL else np.full(count, RULES.index(self.only))
        angle, side = rng.uniform(0.0, 2.0 * np.pi, count), rng.choice([-1.0, 1.0], count)
        evidence = rng.choice(COHERENCES, (count, 2))
        noise = self.fluctuation * rng.standard_normal((self.stimulus, count, 2))
        u, shown = np.zeros((self.steps, count, self.inputs)), slice(self.fixation, self.fixation + self.stimulus)
        at = {name: np.flatnonzero(chosen == k) for k, name in enumerate(RULES)}
        s = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        u[: self.begins, :, FIXATION] = 1.0
        for name in ("go", "anti_go"):
            u[self.fixation :, at[name], STIMULUS] = s[at[name]]
        for name in ("delay_go", "match"):
            u[shown, at[name], STIMULUS] = s[at[name]]
        u[self.begins :, at["match"], STIMULUS] = side[at["match"], None] * s[at["match"]]
        for name in ("context_1", "context_2"):
            u[shown, at[name], EVIDENCE] = (evidence + noise)[:, at[name]]
        if self.only == ALL:
            u[:, np.arange(count), RULE + chosen] = 1.0
        return u

    def course_of(self, u: FloatArray) -> FloatArray:
        """Return the latent variables (T, C, 3) at each step of trials with inputs (T, C, K), from zero on."""
        x = np.zeros((*u.shape[:2], 3))
        for t in range(len(u) - 1):
            x[t + 1] = x[t] + self.change(x[t], u[t])
        return x

    def episode(self, rng: np.random.Generator) -> Episode:
        u = self.drawn_inputs(rng, self.conditions)
        before, counted = np.arange(self.steps) < self.begins, self._counted
        w = 0.5 * before / before.sum() + 0.5 * counted / counted.sum()
        return Episode(u, self.answer(self.course_of(u), u), w)

    @property
    def _counted(self) -> BoolArray:
        """Which steps (T,) are in the second half of the response."""
        counted: BoolArray = np.arange(self.steps) >= self.begins + self.response // 2
        return counted

    def latent(self, rng: np.random.Generator, gamma: float) -> Latent:
        """Return the latent system at random points about its own trials, without variables that never change."""
        u = self.drawn_inputs(rng, TRIALS)
        x = (self.course_of(u) + JITTER * rng.standard_normal((*u.shape[:2], 3))).reshape(-1, 3)
        u = u.reshape(-1, self.inputs)
        change, used = self.change(x, u), self._used
        return Latent(self.equation, u, x[:, used], change[:, used], self.answer(x, u))

    @property
    def _used(self) -> list[int]:
        """Places of the latent variables that the task has."""
        memory, decision = (self.only in (ALL, *names) for names in (("delay_go", "match"), ("context_1", "context_2")))
        return [0, 1] * memory + [2] * decision

    @property
    def equation(self) -> str:
        """The latent system, as a user reads it: s is the stimulus, c the cue, e the evidence, r the rules."""
        memory, decision = f"m' = m + {LOAD} c |s|² (s - m)", f"d' = d + {GAIN} e (1 - d²)"
        answers = dict(zip(RULES, ("s", "-s", "m", "(d, 0)", "(d, 0)", "(s·m, 0)"), strict=True))
        if self.only != ALL:
            parts = [memory] * (0 in self._used) + [decision] * (2 in self._used)
            return ", ".join([*parts, f"y = (1 - c) {answers[self.only]}"])
        terms = " + ".join(f"r_{name} {answer}" for name, answer in answers.items())
        whole = decision.replace(" e ", " (r_context_1 e_1 + r_context_2 e_2) ")
        return f"{memory}, {whole}, y = (1 - c) [{terms}]"

    def trials(self, net: CTRNN, noise: Noise, repeats: int, key: Key, workers: Workers = None) -> Trials:
        found = super().trials(net, noise, repeats, key, workers)
        return replace(found, success=self.succeeded(found.outputs, found.error))

    def succeeded(self, z: Any, error: Any) -> BoolArray:
        """Return whether the response of each trial is right, from outputs and errors (R, C, T', P) at weighted steps.

        The mean error of the response must be less than half of the length of its mean target.
        """
        last = np.s_[:, :, -int(self._counted.sum()) :]
        e, y = error[last].mean(axis=2), (z - error)[last].mean(axis=2)
        right: BoolArray = np.linalg.norm(e, axis=-1) < 0.5 * np.linalg.norm(y, axis=-1)
        return right
