"""The audit of a trained network, as a result that prints on a page and is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn_theory.analysis.audit.check import Check
from ctrnn_theory.analysis.audit.halved import StepHalved
from ctrnn_theory.analysis.audit.repair import Repair
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import FEW, Arrays, Drawn, plain
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

SAME = 0.01  # relative change of the loss below which switching the noise off does not change it
ROWS = 16  # conditions that a table shows unless it is to show all


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class Audit(Drawn, picture="audit"):
    """What noise does to a network of N neurons with P outputs, in C conditions, and how to do without it.

    Arrays over conditions have a leading axis of T steps if the inputs are series in time.
    """

    network: CTRNN
    """The network."""
    noise: Noise
    """Its noise, which is that of level one."""
    method: str
    """Method by which the moments under noise were computed."""
    inputs: FloatArray
    """Inputs (C, K) or (T, C, K)."""
    targets: FloatArray | None
    """Targets (C, P) or (T, C, P), or None."""
    weights: FloatArray
    """Weights of the steps in averages over time, (T,), with sum one; T is 1 for constant inputs."""
    fixed_point: FloatArray
    """State without noise: the fixed point of each condition (C, N), or the path (T, C, N); NaN where there is none."""
    bias: FloatArray
    """Noise-induced bias of the state, (C, N) or (T, C, N)."""
    rate_bias: FloatArray
    """Noise-induced bias of the rates, which in rate form are the state."""
    output: FloatArray
    """Mean output under noise, (C, P) or (T, C, P); P is 0 for a network without a readout."""
    output_bias: FloatArray
    """Mean output under noise less the output without noise, likewise."""
    output_std: FloatArray
    """Root of the total variance of the output under noise, (C,) or (T, C)."""
    margin: FloatArray
    """Signed distance of the mean pre-activation to the nearest nonlinearity of the activation, in standard deviations
    of the pre-activation, (C, N) or (T, C, N); infinite without fluctuations, NaN where it is not known."""
    margin_message: str
    """Why margins are not known, if they are not; otherwise empty."""
    levels: FloatArray
    """Levels of the test noise (L,), as multiples of the noise; 0 and 1 are among them."""
    predicted_bias: FloatArray
    """Squared output bias about the targets at each level, (L,); NaN without targets."""
    predicted_variance: FloatArray
    """Variance of the output at each level, (L,)."""
    level_messages: tuple[str, ...]
    """What limits each level, (L,); empty if nothing does."""
    preferred: float
    """Level of least predicted loss; NaN without targets."""
    preferred_loss: float
    """Predicted loss at the preferred level."""
    messages: tuple[str, ...]
    """What limits the noise-free state and the moments of each condition, (C,); empty if nothing does."""
    check: Check | None
    """Simulation of some of the conditions; None for a network without a readout, or if none was asked for."""
    step_halved: StepHalved
    """The network at half its step."""
    repairs: tuple[Repair, ...]
    """Networks that do without noise what this one does under it."""
    seconds: float
    """Wall-clock time of the call."""

    @property
    def predicted_loss(self) -> FloatArray:
        """Predicted loss (L,) at each level: mean over conditions, and weighted mean over time, of E|z - target|²."""
        return self.predicted_bias + self.predicted_variance

    @property
    def loss_with(self) -> float:
        """Predicted loss under the noise."""
        return float(self.predicted_loss[np.flatnonzero(self.levels == 1.0)[0]])

    @property
    def loss_without(self) -> float:
        """Loss with the noise switched off."""
        return float(self.predicted_loss[0])

    @property
    def repaired(self) -> CTRNN | None:
        """Network of the repair with the least loss (without targets, nearest to the mean outputs); None if none is."""
        known = [one for one in self.repairs if one.network is not None and np.isfinite(one.deviation)]
        if not known:
            return None
        return min(known, key=lambda one: one.deviation if math.isnan(one.loss) else one.loss).network

    def within(self, deviations: float) -> FloatArray:
        """Return the share of neurons within so many standard deviations of a nonlinearity, (C,).

        In time it is the weighted average over the steps. It is NaN where margins are not known.
        """
        share = np.where(np.isnan(self._series(self.margin)), np.nan, np.abs(self._series(self.margin)) <= deviations)
        return self._over_time(np.mean(share, axis=-1))

    @property
    def converged(self) -> bool:
        """Whether nothing limits any condition or level."""
        return not any(self.messages) and not any(self.level_messages)

    def _series(self, values: FloatArray) -> FloatArray:
        """Return values with the axis of time, which is of length one for constant inputs."""
        return values[None] if self.inputs.ndim == 2 else values

    def _over_time(self, values: FloatArray) -> FloatArray:
        used = self.weights > 0.0
        average: FloatArray = np.tensordot(self.weights[used], values[used], axes=1)
        return average

    def sizes(self, values: FloatArray) -> FloatArray:
        """Return the root mean square over time and the last axis, (C,), of values (C, M) or (T, C, M)."""
        size: FloatArray = np.sqrt(self._over_time(np.mean(self._series(values) ** 2, axis=-1)))
        return size

    def _headline(self) -> str:
        on, off = self.loss_with, self.loss_without
        if self.targets is None:
            return self._without_targets()
        if not (np.isfinite(on) and np.isfinite(off)):
            why = "; ".join(dict.fromkeys(filter(None, self.level_messages)))
            return f"what switching the noise off does to the loss is not known: {why}"
        if abs(off - on) <= SAME * on:
            return f"switching the noise off will not change the loss, which is {on:.3g} with it and {off:.3g} without"
        change = f"×{off / on:.3g}" if on > 0.0 else "from none"
        does = "raise" if off > on else "lower"
        return f"switching the noise off will {does} the loss from {on:.3g} to {off:.3g} ({change})"

    def _without_targets(self) -> str:
        what, moved = ("outputs", self.output_bias) if self.output.shape[-1] else ("rates", self.rate_bias)
        size = float(np.sqrt(np.mean(self.sizes(moved) ** 2)))
        if not np.isfinite(size):
            why = "; ".join(dict.fromkeys(filter(None, self.messages)))
            return f"how far switching the noise off moves the {what} is not known: {why}"
        if size == 0.0:
            return f"switching the noise off will not move the {what}"
        return f"switching the noise off will move the {what} by {size:.3g} (root mean square)"

    def _parts(self, few: int) -> Iterator[str | Table]:
        C, full = len(self.messages), few > FEW
        kind = "constant inputs" if self.inputs.ndim == 2 else f"inputs of {len(self.inputs)} steps"
        yield f"{self.network.title}; noise {self.noise.title}; {C} {kind}; by {self.method}"
        if self.targets is not None:
            yield f"preferred level {self.preferred:.4g} of this noise, where the loss is {self.preferred_loss:.4g}"
        if self.margin_message:
            yield f"distances to the nonlinearity are not known: {self.margin_message}"
        else:
            one, two = (np.mean(self.within(k)) for k in (1.0, 2.0))
            yield f"within one standard deviation of a nonlinearity: {one:.0%} of neurons; within two: {two:.0%}"
        if few > 1:
            shown = list(range(C)) if full or C <= ROWS else self._chosen()
            yield self._by_condition(shown)
            if len(shown) < C:
                yield f"{len(shown)} of {C} conditions; table(full=True) has all"
            if self.targets is not None:
                yield self._by_level()
        yield f"step halved: {self.step_halved._headline()}"
        for repair in self.repairs:
            yield f"repaired, {repair._headline()}"

    def _chosen(self) -> list[int]:
        """Return conditions evenly over all, those with messages, and those that were checked."""
        C = len(self.messages)
        even = np.linspace(0, C - 1, ROWS).round().astype(int).tolist()
        limited = [c for c, message in enumerate(self.messages) if message]
        return sorted({*even, *limited, *([] if self.check is None else self.check.conditions.tolist())})

    def _by_condition(self, shown: list[int]) -> Table:
        P = self.output.shape[-1]
        state, near = self.sizes(self.bias), [self.within(k) for k in (1.0, 2.0)]
        signed = P == 1 and self.inputs.ndim == 2
        columns: dict[str, list[str]] = {"condition": [str(c) for c in shown]}
        if self.inputs.ndim == 2 and 0 < self.inputs.shape[1] <= 2:
            columns["input"] = [", ".join(f"{x:.3g}" for x in self.inputs[c]) for c in shown]
        columns["rms bias"] = [_number(state[c]) for c in shown]
        if P:
            moved = self.output_bias[:, 0] if signed else self.sizes(self.output_bias)
            sign = "+" if signed else ""
            columns["output bias" if signed else "rms output bias"] = [_number(moved[c], sign) for c in shown]
            if self.check is not None:
                columns["simulated"] = [self._simulated(c, signed) for c in shown]
            std = np.sqrt(self._over_time(self._series(self.output_std) ** 2))
            columns["output std"] = [_number(std[c]) for c in shown]
        for title, share in zip(("within 1 std", "within 2 std"), near, strict=True):
            columns[title] = ["" if np.isnan(share[c]) else f"{share[c]:.0%}" for c in shown]
        remarks = [self._remark(c) for c in shown]
        if any(remarks):
            columns["remark"] = remarks
        return Table(tuple(columns), list(zip(*columns.values(), strict=True)))

    def _remark(self, c: int) -> str:
        """Return what limits a condition, its simulation included."""
        check, remark = self.check, self.messages[c]
        own = "" if check is None else "".join(np.array(check.messages)[check.conditions == c])
        return "; ".join(filter(None, (remark, f"simulation: {own}" if own else "")))

    def simulated_bias(self) -> FloatArray:
        """Return the bias of the outputs by simulation, (M, P) or (T, M, P), in the conditions that were checked."""
        if self.check is None:
            raise ValueError("no condition was simulated")
        moved: FloatArray = self.check.output - (self.output - self.output_bias)[..., self.check.conditions, :]
        return moved

    def _simulated(self, c: int, signed: bool) -> str:
        check = self.check
        if check is None or c not in check.conditions:
            return ""
        i = int(np.flatnonzero(check.conditions == c)[0])
        moved, error = (self._series(x)[:, i] for x in (self.simulated_bias(), check.standard_error))
        if np.any(np.isnan(moved)):
            return ""
        remark = " (!)" if check.messages[i] else ""
        if signed:
            return f"{moved[0, 0]:+.4g} ± {error[0, 0]:.0e}{remark}"
        # the mean square holds the variance of the estimates, which is taken off
        square = self._over_time(np.mean(moved**2 - error**2, axis=-1))
        noise = float(np.sqrt(self._over_time(np.mean(error**2, axis=-1))))
        return f"{math.sqrt(max(0.0, float(square))):.4g} ± {noise:.0e}{remark}"

    def _by_level(self) -> Table:
        rows = [
            [f"{s:g}", _number(loss), _number(bias), _number(variance), message]
            for s, loss, bias, variance, message in zip(
                self.levels, self.predicted_loss, self.predicted_bias, self.predicted_variance, self.level_messages,
                strict=True,
            )
        ]  # fmt: skip
        titles = ("level", "predicted loss", "bias²", "variance", "remark")
        cut = None if any(self.level_messages) else -1
        return Table(titles[:cut], [row[:cut] for row in rows])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python objects that JSON can hold; NaN and infinity become None."""
        names = ("predicted_loss", "loss_with", "loss_without", "converged", "repaired")
        shares = {"within_one": self.within(1.0), "within_two": self.within(2.0)}
        own = {name: plain(getattr(self, name)) for name in names}
        return {"answer": self._headline()} | super().to_dict() | own | plain(shares)

    def _arrays(self) -> Arrays:
        where = ("condition",) if self.inputs.ndim == 2 else ("step", "condition")
        axes = {
            "fixed_point": "neuron",
            "bias": "neuron",
            "margin": "neuron",
            "output": "output",
            "output_bias": "output",
        }
        variables: dict[str, tuple[Any, Any]] = {
            name: ((*where, axis), getattr(self, name)) for name, axis in axes.items()
        }
        variables["output_std"] = (where, self.output_std)
        for name in ("predicted_loss", "predicted_bias", "predicted_variance"):
            variables[name] = ("level", getattr(self, name))
        return Arrays(variables, {"level": self.levels})


def _number(value: float, sign: str = "") -> str:
    return "" if np.isnan(value) else f"{value:{sign}.4g}"
