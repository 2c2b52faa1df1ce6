"""Operating points: how far the neurons of a network are from the nonlinearities of the activation."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.nearest_nonlinearity import nearest_nonlinearity
from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.kinds import noise_kinds
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.arguments import check_rng, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.results import WORST, Arrays, Drawn, counted, plain
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import BoolArray, FloatArray
from ctrnn_theory.training.settings import find_task
from ctrnn_theory.training.tasks import Model, OpenLoop, Task


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class OperatingPoints(Drawn, picture="operating_points"):
    """Mean pre-activations of N neurons in C conditions, and the nonlinearity of the activation nearest to each."""

    network: CTRNN
    """The network."""
    noise: Noise
    """Its noise."""
    preactivation: FloatArray
    """Mean pre-activation, (C, N); NaN where the method found no law."""
    std: FloatArray
    """Standard deviation of what f is applied to, √diag(Σ_in + W V Wᵀ) in rate form, (C, N); 0 without noise."""
    nonlinearity: FloatArray
    """Nonlinearity k that is nearest to the mean, (C, N)."""
    converged: bool
    """Whether a law was found in every condition."""
    message: str = ""
    """Reason, if it was not; otherwise empty."""

    @property
    def distance(self) -> FloatArray:
        """Signed distance (a - k)/std, (C, N); where std is 0 it is infinite, or 0 if a = k; NaN where a is NaN."""
        gap, noisy = self.preactivation - self.nonlinearity, self.std > 0.0
        still = np.where((gap == 0.0) | np.isnan(gap), gap, np.copysign(np.inf, gap))
        return np.divide(gap, self.std, out=still, where=noisy)

    @property
    def fraction(self) -> float:
        """Share of neurons and conditions within one standard deviation of a nonlinearity, where a law was found."""
        known = self.distance[~np.isnan(self.distance)]
        return float(np.mean(np.abs(known) <= 1.0)) if known.size else math.nan

    @property
    def share(self) -> FloatArray:
        """Share of the conditions in which each neuron is within one standard deviation of a nonlinearity, (N,)."""
        reached = self._reached()
        return (
            np.mean(np.abs(self.distance[reached]) <= 1.0, axis=0) if reached.any() else np.full(self.network.n, np.nan)
        )

    @property
    def nearest(self) -> list[int]:
        """Neurons by the median size of their distance, the nearest first; empty where no law was found."""
        reached = self._reached()
        middle = np.median(np.abs(self.distance[reached]), axis=0) if reached.any() else np.empty(0)
        return [int(i) for i in np.argsort(middle, kind="stable")]

    def _reached(self) -> BoolArray:
        """Return which of the conditions (C,) have a law."""
        return ~np.isnan(self.distance[:, 0])

    def _headline(self) -> str:
        conditions = counted(len(self.preactivation), "condition")
        return f"{self.network.title}; noise {self.noise.title}; {conditions}"

    def _parts(self, few: int) -> Iterator[str | Table]:
        reached = self._reached()
        if reached.any():
            a, std, distance = (part[reached] for part in (self.preactivation, self.std, self.distance))
            yield f"within one standard deviation of a nonlinearity: {self.fraction:.0%} of {a.size}"
            many = self.network.n > few
            if many:
                close = int(np.sum(self.share > 0.5))
                yield f"neurons that are so in more than half of the conditions: {close} of {self.network.n}"
            ends = dict.fromkeys((*self.nearest[:WORST], *self.nearest[-WORST:]))
            shown = ends if many else range(self.network.n)
            rows = [
                [
                    str(i),
                    f"{a[:, i].mean():.4g}",
                    f"{std[:, i].mean():.4g}",
                    f"{np.median(distance[:, i]):+.3g}",
                    f"{self.share[i]:.0%}",
                ]
                for i in shown
            ]
            if many:
                yield "the nearest and the farthest:"
            yield Table(("neuron", "mean pre-activation", "its std", "median distance", "within one std"), rows)
        if self.message:
            yield self.message

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python objects that JSON can hold; infinity and NaN become None."""
        return super().to_dict() | {name: plain(getattr(self, name)) for name in ("distance", "fraction", "share")}

    def _arrays(self) -> Arrays:
        names = ("preactivation", "std", "nonlinearity", "distance")
        return Arrays({name: (("condition", "neuron"), getattr(self, name)) for name in names}, {})


@guarded
@limited
def operating_points(
    net: CTRNN,
    noise: Noise,
    where: Task | str | ArrayLike | None = None,
    rng: Any = 0,
    *,
    progress: Progress | None = None,
) -> OperatingPoints:
    """Return the distance of each neuron's mean pre-activation to the nearest nonlinearity of the activation.

    The distance is in units of the standard deviation of the pre-activation. With noise inside, a = W h + W_in u + b
    has the mean W m + W_in u + b and the covariance Σ_in + W V Wᵀ, where m and V are mean and covariance of the state
    by the Gaussian closure; in voltage form these are m and Σ_in + V. Multiplicative noise inside of variance g² adds
    g² E a². For a task they are those before the last step of a trial; for given inputs, those of the
    stationary law. The nonlinearities are those of :attr:`ctrnn_theory.Activation.nonlinearities`, or 0 for an
    activation without any.

    In a network that was trained with noise inside, the state fluctuates with f'(a)² σ², so that training draws neurons
    to where f is flat; noise outside has no such effect (Eckstein and Srinivasan, arXiv:2601.04539).

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise.
    where
        Open-loop task, or the name of one; or inputs (C, K), one condition each; or None for a network without inputs.
    rng
        Seed of a task that draws its inputs.
    progress
        Called with (done, total, text) as each of given inputs begins: how many are done, of how many, and no text.

    Raises
    ------
    NotApplicable
        For coloured noise inside, or for a network or noise that the closure of a task does not take.
    ValueError
        If the task is closed-loop, since its inputs depend on what the network does, or shapes do not fit.
    Divergence
        If the state grows without bound.

    Examples
    --------
    >>> net = CTRNN([[0.0]], 0.2, "relu", W_in=[[1.0]])
    >>> points = operating_points(net, Noise(inside=0.5), [[-0.7], [0.0]])
    >>> points.distance
    array([[-1. ],
           [ 0.4]])
    >>> points.fraction
    1.0
    """
    check_model(net, noise)
    if "coloured_inside" in noise_kinds(noise):
        raise NotApplicable(
            "operating_points does not take coloured noise inside: its covariance with the state, which is part of the"
            " variance of the pre-activation, is not in the law of the Gaussian closure"
        )
    check_rng(rng)
    report = reporter(progress)
    if isinstance(where, Task | str):
        task = find_task(where)
        if not isinstance(task, OpenLoop):
            raise ValueError(
                f"where must be an open-loop task, or inputs; got {task.name}, whose inputs depend on the network"
            )
        task.layout(net.n).vector(net)  # raises if it does not fit
        episode = task.drawn(seed_words(rng))
        (mean, V), _ = deque(task.course(Model.of(net, noise), episode), maxlen=2)
        if np.any(mean == BOUND):
            raise Divergence(f"W must keep the state bounded; under noise it passes {BOUND:g} in a trial")
        inputs, m, message = episode.u[-1], mean[0], ""
        recurrent = np.array([_recurrent(net, covariance) for covariance in V[0]])
    else:
        inputs = real_array("where", np.zeros((1, 0)) if where is None else where, (None, None))
        m, recurrent = np.full((2, len(inputs), net.n), np.nan)
        reasons = []
        for c, u in enumerate(inputs):
            report(c, len(inputs), "")
            law = predict(net, noise, u if u.size else None, "gaussian_closure")
            if law.converged:
                m[c], recurrent[c] = law.mean, _recurrent(net, law.covariance)
            else:
                reasons.append(law.message)
        report(len(inputs), len(inputs), "")
        left_out = f"{len(reasons)} of {len(inputs)} conditions left out: {'; '.join(dict.fromkeys(reasons))}"
        message = left_out if reasons else ""
    a = np.array([net.preactivation(mean, u if u.size else None) for mean, u in zip(m, inputs, strict=True)])
    multiplied = np.diag(noise.gain_covariance("inside", net.n)) * (a**2 + recurrent)
    variance = noise.std("inside", net.n) ** 2 + multiplied + recurrent
    nearest = nearest_nonlinearity(net.activation, a)
    return OperatingPoints(net, noise, a, np.sqrt(np.maximum(variance, 0.0)), nearest, not message, message)


def _recurrent(net: CTRNN, covariance: FloatArray) -> FloatArray:
    """Return the variance (N,) of the pre-activation from the covariance (N, N) of the state."""
    U = Wiring.of(net).U
    variance: FloatArray = np.diag(covariance) if U is None else np.sum((U @ covariance) * U, axis=1)
    return variance
