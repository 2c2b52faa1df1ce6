"""Networks that do without noise what a network does under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ctrnn_theory.analysis.audit.given import Given
from ctrnn_theory.analysis.audit.response import PLAIN, Response, respond
from ctrnn_theory.analysis.noise_free import noise_free
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.results import Readable
from ctrnn_theory.support.types import FloatArray

REACH = 4.0  # standard deviations of the pre-activation by which a bias is moved at most
ROUNDS, PLACES = 8, 17  # refinements of the shifts of the biases, and shifts that each of them compares
RIDGE = 1e-8  # weight of the change, relative to the mean square of the rates for the readout


@dataclass(frozen=True, eq=False, repr=False)
class Repair(Readable):
    """A network that does without noise what the audited one does under it, and what it costs."""

    name: str
    """"smoothed activation" or "refitted biases and readout"."""
    network: CTRNN | None
    """The network, or None if the repair does not apply."""
    deviation: float
    """Root mean square distance of its outputs without noise from the mean outputs under noise (of its rates from the
    mean rates, for a network without a readout)."""
    loss: float
    """Its loss without noise; NaN without targets."""
    message: str = ""
    """Why there is no network, or what limits it; otherwise empty."""

    def _headline(self) -> str:
        if self.network is None:
            return f"{self.name}: {self.message}"
        loss = "" if np.isnan(self.loss) else f"loss {self.loss:.4g}, "
        remark = f"; {self.message}" if self.message else ""
        return f"{self.name}: {loss}outputs {self.deviation:.2g} from their means under noise{remark}"


def repairs(net: CTRNN, noise: Noise, given: Given, noisy: Response) -> Iterator[Repair]:
    """Yield the two repairs of a network whose response under the noise is `noisy`."""
    try:
        yield _tested("smoothed activation", noise_free(net, noise), given, noisy)
    except (NotApplicable, ValueError) as error:
        yield Repair("smoothed activation", None, np.nan, np.nan, str(error))
    if np.all(np.isfinite(noisy.mean)):
        yield _tested("refitted biases and readout", refitted(net, noise, given, noisy), given, noisy)
    else:
        why = "the means under noise are not known in every condition"
        yield Repair("refitted biases and readout", None, np.nan, np.nan, why)


def _tested(name: str, net: CTRNN, given: Given, noisy: Response) -> Repair:
    quiet = respond(net, Noise(), given, PLAIN, lambda: None)
    one, other = (quiet.rate, noisy.rate) if net.W_out is None else (quiet.output, noisy.output)
    away = float(np.sqrt(np.mean(given.over_time((one - other) ** 2))))
    message = "; ".join(dict.fromkeys(filter(None, quiet.remarks)))
    return Repair(name, net, away, sum(quiet.loss(given)), message)


def refitted(net: CTRNN, noise: Noise, given: Given, noisy: Response) -> CTRNN:
    """Return the network with other biases and another readout, whose outputs without noise are the means under it.

    Each bias is moved by the shift x that minimises the sum of ``(f(a + x) - E f)²`` over conditions and time, where a
    is the mean pre-activation under noise and E f the mean of f there. The readout is then fitted to the states
    without noise by least squares, with a ridge on its change.
    """
    b = net.b + _shifts(net, noise, given, noisy)
    moved = replace(net, b=b)
    if net.W_out is None:
        return moved
    try:
        quiet = respond(moved, Noise(), given, PLAIN, lambda: None)
    except Divergence:
        return moved
    known = np.all(np.isfinite(quiet.rate), axis=(0, 2))
    if not known.any():
        return moved
    weights = np.broadcast_to(given.w[:, None], noisy.variance.shape)[:, known].ravel()
    rates, wanted = (x[:, known].reshape(weights.size, -1) for x in (quiet.rate, noisy.output - quiet.output))
    features = np.column_stack([rates, np.ones(weights.size)])
    gram = features.T @ (weights[:, None] * features)
    ridge = RIDGE * np.trace(gram[:-1, :-1]) / net.n
    gram[np.arange(net.n), np.arange(net.n)] += ridge + np.finfo(float).tiny
    change = np.linalg.solve(gram, features.T @ (weights[:, None] * wanted)).T
    b_out = np.zeros(len(net.W_out)) if net.b_out is None else net.b_out
    return replace(moved, W_out=net.W_out + change[:, :-1], b_out=b_out + change[:, -1])


def _shifts(net: CTRNN, noise: Noise, given: Given, noisy: Response) -> FloatArray:
    """Return the shift of each bias (N,), by a search over a grid that is refined."""
    used = given.w > 0.0
    steps = np.flatnonzero(used).tolist()
    a = np.array([[net.preactivation(noisy.mean[t, c], _input(net, given, t, c)) for c in range(given.conditions)]
                  for t in steps])  # fmt: skip
    spread = noisy.spread[used]
    inside = np.hypot(noise.std("inside", net.n), np.sqrt(spread))
    gain = np.sqrt(np.diag(noise.gain_covariance("inside", net.n)))
    wanted = NoisyActivation(net.activation, inside, gain).value(a)
    w = given.w[used][:, None, None]
    best, width = np.zeros(net.n), REACH * np.max(np.hypot(inside, gain * np.abs(a)), axis=(0, 1))
    for _ in range(ROUNDS):
        tried = best + width * np.linspace(-1.0, 1.0, PLACES)[:, None]
        cost = np.array([np.sum(w * (net.activation(a + x) - wanted) ** 2, axis=(0, 1)) for x in tried])
        cost += RIDGE * tried**2  # where f is flat, the least shift is as good as any
        best = tried[np.argmin(cost, axis=0), np.arange(net.n)]
        width = width * 2.0 / (PLACES - 1)
    return best


def _input(net: CTRNN, given: Given, t: int, c: int) -> FloatArray | None:
    return None if net.W_in is None else given.u[t, c]
