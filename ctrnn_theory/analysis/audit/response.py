"""How a network responds to each of the inputs of an audit under one noise, by one method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

import numpy as np

from ctrnn_theory.activations.gaussian.covariance import covariance_matrices
from ctrnn_theory.analysis.audit.given import Given
from ctrnn_theory.analysis.evolution.evolve import evolve
from ctrnn_theory.dynamics.settle import settle_inputs
from ctrnn_theory.dynamics.step import BOUND, Step
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.stationary.deterministic import WHOSE
from ctrnn_theory.stationary.gaussian_closure import solve_inputs
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.overflow import growth
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.model import Model
from ctrnn_theory.training.tasks.course import course
from ctrnn_theory.training.tasks.episode import Episode

PLAIN = "deterministic"  # the method for no noise
TOGETHER = "gaussian_closure"  # the method that takes all conditions at once


class Response(NamedTuple):
    """Moments in T steps of C conditions; NaN where the method has none."""

    mean: FloatArray
    """Mean of the state (T, C, N)."""
    rate: FloatArray
    """Mean of the rates (T, C, N)."""
    spread: FloatArray
    """Variance that the fluctuations of the state give to the pre-activation, (T, C, N)."""
    output: FloatArray
    """Mean of the output (T, C, P); P is 0 for a network without a readout."""
    variance: FloatArray
    """Total variance of the output (T, C)."""
    remarks: tuple[str, ...]
    """What limits each condition, (C,); empty if nothing does."""

    def loss(self, given: Given) -> tuple[float, float]:
        """Return the squared bias and the variance of the output about the targets, which add up to the loss."""
        if given.y is None:
            return np.nan, np.nan
        square = np.sum((self.output - given.y) ** 2, axis=-1)
        return float(np.mean(given.over_time(square))), float(np.mean(given.over_time(self.variance)))


class _Law(NamedTuple):
    """The same of one condition."""

    mean: FloatArray
    rate: FloatArray
    spread: FloatArray
    variance: FloatArray
    remark: str


def respond(net: CTRNN, noise: Noise, given: Given, method: str, progress: Callable[[], object]) -> Response:
    """Return the response by a method of :data:`ctrnn_theory.METHODS`; without noise it is the network's own.

    `progress` is called once for each condition.
    """
    laws = []
    for law in _each(net, noise, given, method):
        laws.append(law)
        progress()
    parts = [np.stack(part, axis=1) for part in list(zip(*laws, strict=True))[:4]]
    W_out = np.zeros((0, net.n)) if net.W_out is None else net.W_out
    b_out = np.zeros(len(W_out)) if net.b_out is None else net.b_out
    mean, rate, spread, variance = parts
    return Response(mean, rate, spread, rate @ W_out.T + b_out, variance, tuple(law.remark for law in laws))


def _each(net: CTRNN, noise: Noise, given: Given, method: str) -> Iterable[_Law]:
    """Return the laws of the conditions, one after the other."""
    if given.constant and noise.is_zero:
        return _settled(net, given)
    if not noise.is_zero and method == TOGETHER:
        if given.constant and not noise.has_gains:
            with suppress(ValueError):  # each condition says for itself what cannot be done
                return list(_at_rest(net, noise, given))
        elif not given.constant and net.uniform:
            return _together(net, noise, given)
    return (_alone(net, noise, given, c, method) for c in range(given.conditions))


def _at_rest(net: CTRNN, noise: Noise, given: Given) -> Iterator[_Law]:
    """Yield the stationary laws of the closure."""
    for law in solve_inputs(net, noise, given.u[0]):
        yield _nothing(net, 1, str(law)) if isinstance(law, Divergence) else _of(net, law)


def _settled(net: CTRNN, given: Given) -> Iterator[_Law]:
    """Yield the fixed points to which the network settles without noise."""
    for end in settle_inputs(net, given.u[0]):
        if isinstance(end, Divergence):
            yield _nothing(net, 1, str(end))
            continue
        h, none = end.state[None], np.zeros((1, net.n))
        rate = net.rate(end.fixed_point)[None] if net.form == "voltage" else h
        yield _Law(h, rate, none, none[:, 0], "" if end.converged and end.stable else end.remark(WHOSE))


def _alone(net: CTRNN, noise: Noise, given: Given, c: int, method: str) -> _Law:
    """Return the law of one condition, or the reason why there is none."""
    try:
        if given.constant:
            return _stationary(net, noise, given.u[0, c], method)
        return _path(net, given.u[:, c]) if noise.is_zero else _in_time(net, noise, given.u[:, c], method)
    except (NotApplicable, Divergence) as error:
        return _nothing(net, len(given.u), str(error))


def _nothing(net: CTRNN, steps: int, remark: str) -> _Law:
    none = np.full((steps, net.n), np.nan)
    return _Law(none, none, none, none[:, 0], remark)


def _stationary(net: CTRNN, noise: Noise, u: FloatArray, method: str) -> _Law:
    return _of(net, predict(net, noise, u if u.size else None, method))


def _of(net: CTRNN, law: StationaryLaw) -> _Law:
    remark = "" if law.converged else law.message or "the method did not converge"
    return _law(net, law.mean[None], law.covariance[None], law.rate[None], remark)


def _in_time(net: CTRNN, noise: Noise, u: FloatArray, method: str) -> _Law:
    law = evolve(net, noise, u if u.shape[1] else None, len(u), method)
    remark = "" if law.converged else law.message or "the method did not converge"
    return _law(net, law.mean[1:], law.covariance[1:], law.rate[1:], remark)


def _path(net: CTRNN, u: FloatArray) -> _Law:
    """Follow the network without noise."""
    states = [np.zeros(net.n)]
    for row in u:
        states.append(Step.of(net, row if row.size else None)(states[-1]))
    mean = np.array(states[1:])
    return _Law(mean, net.rate(mean), np.zeros_like(mean), np.zeros(len(mean)), "")


def _together(net: CTRNN, noise: Noise, given: Given) -> list[_Law]:
    """Follow the Gaussian closure of all conditions at once, which takes a fifth of the time."""
    model = Model.of(net, noise)
    episode = Episode(given.u, np.zeros((1, given.conditions, 0)), given.w)
    with growth(net, noise):
        steps = []
        for mean, V in islice(course(model, episode, np.ones(1)), 1, None):
            rate = mean[0] if net.form == "rate" else net.activation.smoothed(mean[0], _deviation(V[0]))
            steps.append(_law(net, mean[0], V[0], rate, ""))
    mean, rate, spread, variance = (np.stack(part) for part in list(zip(*steps, strict=True))[:4])
    lost = np.any(mean == BOUND, axis=(0, 2))
    passed = f"under noise the state of the closure passes {BOUND:g}"
    return [
        _nothing(net, len(mean), passed) if lost[c] else _Law(mean[:, c], rate[:, c], spread[:, c], variance[:, c], "")
        for c in range(given.conditions)
    ]


def _law(net: CTRNN, mean: FloatArray, V: FloatArray, rate: FloatArray, remark: str) -> _Law:
    """Return what is kept of states of mean (M, N) and covariance (M, N, N), which are large."""
    U, W_out = Wiring.of(net).U, np.zeros((0, net.n)) if net.W_out is None else net.W_out
    own = np.diagonal(V, axis1=1, axis2=2) if U is None else np.sum((U @ V) * U, axis=2)
    known = net.form == "voltage" and len(W_out) and np.all(np.isfinite(V)) and np.any(V)
    C = covariance_matrices(net.activation, mean, V) if known else V  # of the rates f(v), for a normal v
    return _Law(mean, rate, np.maximum(own, 0.0), np.sum((W_out @ C) * W_out, axis=(1, 2)), remark)


def _deviation(V: FloatArray) -> FloatArray:
    deviation: FloatArray = np.sqrt(np.maximum(np.diagonal(V, axis1=-2, axis2=-1), 0.0))
    return deviation
