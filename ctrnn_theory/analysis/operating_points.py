"""Where on the activation the neurons of a network work."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.step import BOUND
from ctrnn_theory.integrators.normals import seed_words
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.stationary.registry import predict
from ctrnn_theory.support.arguments import check_rng, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.tables import table
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.settings import find_task
from ctrnn_theory.training.tasks import Model, OpenLoop, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@guarded
@dataclass(frozen=True, eq=False)
class OperatingPoints:
    """Pre-activations of N neurons in C conditions, beside the nearest nonlinearity of the activation."""

    net: CTRNN
    """The network."""
    noise: Noise
    """Its noise."""
    preactivation: FloatArray
    """Mean pre-activation, (C, N); NaN where no law was reached."""
    std: FloatArray
    """Its standard deviation, √diag(Σ_in + W V Wᵀ), (C, N); 0 where neither noise nor a noisy neuron comes in."""
    nonlinearity: FloatArray
    """The nonlinearity k nearest to the mean, (C, N)."""
    converged: bool
    """Whether the law of each condition was reached."""
    message: str = ""
    """Why not; empty if they were."""

    @property
    def distance(self) -> FloatArray:
        """Signed distance (a - k)/std, (C, N); infinite where std is 0, or 0 if a is at k; NaN where a is."""
        gap, noisy = self.preactivation - self.nonlinearity, self.std > 0.0
        still = np.where((gap == 0.0) | np.isnan(gap), gap, np.copysign(np.inf, gap))
        return np.divide(gap, self.std, out=still, where=noisy)

    @property
    def fraction(self) -> float:
        """Share of neurons and conditions within one standard deviation of a nonlinearity, among those reached."""
        known = self.distance[~np.isnan(self.distance)]
        return float(np.mean(np.abs(known) <= 1.0)) if known.size else math.nan

    def table(self) -> str:
        """Lay the neurons out as text, a row each: the median over conditions, and the share of those within one."""
        known = ~np.isnan(self.distance[:, 0])
        if not known.any():
            return self.message
        a, std, distance = (part[known] for part in (self.preactivation, self.std, self.distance))
        middle, within = np.median(distance, axis=0), np.mean(np.abs(distance) <= 1.0, axis=0)
        rows = [
            [str(i), f"{a[:, i].mean():.4g}", f"{std[:, i].mean():.4g}", f"{x:+.3g}", f"{y:.0%}"]
            for i, (x, y) in enumerate(zip(middle, within, strict=True))
        ]
        titles = ("neuron", "mean pre-activation", "its std", "median distance", "within one std")
        last = f"within one std of a nonlinearity: {self.fraction:.0%} of {std.size}"
        return "\n".join([table(titles, rows), "", last, *([self.message] if self.message else [])])

    def to_dict(self) -> dict[str, Any]:
        """Everything but the network as plain Python objects that JSON can hold; infinity and NaN become None."""

        def plain(values: FloatArray) -> list[list[float | None]]:
            return [[x if math.isfinite(x) else None for x in row] for row in values.tolist()]

        return {
            "noise": {site: np.asarray(getattr(self.noise, site)).tolist() for site in SITES},
            "preactivation": plain(self.preactivation),
            "std": plain(self.std),
            "nonlinearity": plain(self.nonlinearity),
            "distance": plain(self.distance),
            "fraction": self.fraction if math.isfinite(self.fraction) else None,
            "converged": self.converged,
            "message": self.message,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a histogram, see :func:`ctrnn_theory.plotting.operating_points`."""
        from ctrnn_theory import plotting

        return plotting.operating_points(self, ax)


@guarded
@limited
def operating_points(
    net: CTRNN, noise: Noise, where: Task | str | ArrayLike | None = None, rng: Any = 0
) -> OperatingPoints:
    """Distance of each neuron's mean pre-activation to the nearest nonlinearity, in units of its own fluctuation.

    The pre-activation a = W h + W_in u + b, with noise inside, has the mean W m + W_in u + b and the covariance
    Σ_in + W V Wᵀ, where m and V are those of the state by the Gaussian closure: in time, before the last step of a
    trial, for a task; the stationary law for given inputs. Nonlinearities are those of
    :attr:`ctrnn_theory.Activation.nonlinearities`, or 0 for an activation without any.

    Training with noise inside leaves fluctuations of f'(a)² σ² in the state, and so draws neurons to where f is flat;
    noise outside does not care (Eckstein and Srinivasan, arXiv:2601.04539).

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise.
    where
        An open-loop task, or the name of one; or inputs (C, K); or None for a network without inputs.
    rng
        Seed of a task that draws its inputs.

    Raises
    ------
    ValueError
        For a closed-loop task, whose inputs depend on what the network does, or shapes that do not fit.
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
    check_rng(rng)
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
        inputs, m, covariance, message = episode.u[-1], mean[0], V[0], ""
    else:
        inputs = real_array("where", np.zeros((1, 0)) if where is None else where, (None, None))
        laws = [predict(net, noise, u if u.size else None, "gaussian_closure") for u in inputs]
        m, covariance = np.array([law.mean for law in laws]), np.array([law.covariance for law in laws])
        missing = [not law.converged for law in laws]
        m[missing] = covariance[missing] = np.nan
        reasons = dict.fromkeys(law.message for law in laws if not law.converged)
        message = f"{sum(missing)} of {len(laws)} conditions left out: {'; '.join(reasons)}" if reasons else ""
    drive = np.array([net.drive(u if u.size else None) for u in inputs])
    variance = np.diagonal(noise.covariance("inside", net.n) + net.W @ covariance @ net.W.T, axis1=1, axis2=2)
    a = m @ net.W.T + drive
    places = np.array(net.activation.nonlinearities or (0.0,))
    nearest = np.where(np.isnan(a), np.nan, places[np.argmin(np.abs(a[..., None] - places), axis=-1)])
    return OperatingPoints(net, noise, a, np.sqrt(np.maximum(variance, 0.0)), nearest, not message, message)
