"""The report on the noise-induced bias: what each method found, side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.registry import METHODS
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import WORST, Arrays, Drawn, largest, plain, root_mean_square, row_of
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class BiasReport(Drawn, picture="bias"):
    """The stationary law of one network by several methods, and the noise-induced bias that each gives.

    The bias of a network in voltage form is that of its rates, E f(v) - f(v*).
    """

    network: CTRNN
    """The network, N neurons."""
    noise: Noise
    """Its noise."""
    u: FloatArray | None
    """Constant input (K,), or None."""
    fixed_point: FloatArray
    """Noise-free fixed point h* (N,) to which the start state settles, and from which the bias is measured; NaN where
    it settles to none."""
    laws: Mapping[str, StationaryLaw]
    """Law that each method found, by name, in the order of the ladder."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Reason of each method that does not apply."""
    start: FloatArray | None = None
    """Start state (N,); None for zero."""
    rng: Any = 0
    """Seed of the simulation."""
    notes: tuple[str, ...] = ()
    """Sentences that a reader must know: that there are several attractors, or no fixed point, and the like."""

    @property
    def bias(self) -> dict[str, FloatArray]:
        """Noise-induced bias of the rates, E[h] - h* in rate form, (N,), by each method.

        It is NaN where the start state settles to no fixed point.
        """
        at_rest = self.network.rate(self.fixed_point)
        return {name: law.rate - at_rest for name, law in self.laws.items()}

    @property
    def output_bias(self) -> dict[str, FloatArray]:
        """Noise-induced bias of the output, W_out times that of the rates, (P,), by each method.

        Raises
        ------
        ValueError
            If the network has no readout.
        """
        if self.network.W_out is None:
            raise ValueError("net must have W_out for an output; got None")
        return {name: self.network.W_out @ delta for name, delta in self.bias.items()}

    @property
    def reference(self) -> str | None:
        """Method with which the others are compared: "exact" if it was reached, else "simulation"."""
        for name in ("exact", "simulation"):
            if name in self.laws and self.laws[name].converged:
                return name
        return "simulation" if "simulation" in self.laws else None

    def title(self) -> str:
        """Return one line on the network and its noise."""
        return f"{self.network.title}; noise {self.noise.title}"

    def _headline(self) -> str:
        return self.title()

    def _parts(self, few: int) -> Iterator[str | Table]:
        yield self._fixed(few)
        yield ""
        yield self._by_neuron() if self.network.n <= few else self._by_method()
        if self.network.W_out is not None and self.network.n <= few:
            yield from ("", self._by_output())
        remarks = [f"{name}: not applicable: {reason}" for name, reason in self.refused.items()]
        remarks += [f"{name}: {law.message}" for name, law in self.laws.items() if law.message]
        remarks += [f"note: {note}" for note in self.notes]
        if remarks:
            yield from ("", *remarks)

    def _fixed(self, few: int) -> str:
        state = self.fixed_point
        if np.any(np.isnan(state)):
            return "noise-free fixed point h*: none is reached from this start"
        letter = "h" if self.network.form == "rate" else "v"
        return f"noise-free fixed point {letter}* = {row_of(state, few, '.8g')}"

    def _by_neuron(self) -> Table:
        """Return the table that has a row for each method and neuron."""
        several = self.network.n > 1
        fluctuation, shift = _places(law.std for law in self.laws.values()), _places(self.bias.values())
        columns = ("mean", "bias", "std") if self.network.form == "rate" else ("mean rate", "bias", "std of v")
        titles = ["method", *(["neuron"] if several else []), *columns, self._against(), "seconds"]
        rows = []
        for name, law in self.laws.items():
            place, delta = ".9e" if np.max(np.abs(law.rate)) >= 1e6 else shift, self.bias[name]
            away = None if name == self.reference else self._away(name)
            standard_error = self.standard_error(law)
            for i, mean in enumerate(law.rate):
                error = "" if standard_error is None else f" ± {standard_error[i]:.0e}"
                first = [_named(name, law), f"{law.seconds:.3f}"] if i == 0 else ["", ""]
                numbers = [
                    f"{mean:{place}}{error}",
                    f"{delta[i]:+{shift}}" if math.isfinite(delta[i]) else "",
                    f"{law.std[i]:{fluctuation}}" if math.isfinite(law.std[i]) else "",
                    f"{away[i]:+.2e}" if away is not None and math.isfinite(away[i]) else "",
                ]
                rows.append([first[0], *([str(i)] if several else []), *numbers, first[1]])
        return Table(titles, rows, left=1)

    def _by_method(self) -> Table:
        """Return the table that has a row for each method: size of the bias, bias of the output, largest entries."""
        outputs = {} if self.network.W_out is None else self.output_bias
        titles = ["method", "rms bias", self._against("rms "), "largest (neuron: bias)", "rms std", "seconds"]
        if outputs:
            titles.insert(3, self._output_title())
        rows = []
        for name, law in self.laws.items():
            delta, known = self.bias[name], np.all(np.isfinite(self.bias[name]))
            standard_error = self.standard_error(law)
            error = "" if standard_error is None else f" ± {root_mean_square(standard_error):.0e}"
            away = None if name == self.reference else self._away(name)
            row = [
                _named(name, law),
                f"{root_mean_square(delta):.5g}{error}" if known else "",
                f"{root_mean_square(away):.2e}" if away is not None and known else "",
                largest(delta),
                f"{root_mean_square(law.std):.4g}" if np.all(np.isfinite(law.std)) else "",
                f"{law.seconds:.3f}",
            ]
            if outputs:
                row.insert(3, _outputs(outputs[name]) if known else "")
            rows.append(row)
        return Table(titles, rows, left=1)

    def _by_output(self) -> Table:
        """Return the table of the bias of the output, which has a row for each method."""
        rows = [[_named(name, self.laws[name]), _outputs(value)] for name, value in self.output_bias.items()]
        return Table(["method", self._output_title()], rows, left=1)

    def _output_title(self) -> str:
        few = self.network.W_out is not None and len(self.network.W_out) <= WORST
        return "bias of the output" if few else "rms bias of the outputs (largest)"

    def _against(self, measure: str = "") -> str:
        return f"{measure}from {self.reference}" if self.reference else "deviation"

    def _away(self, name: str) -> FloatArray | None:
        """Return the deviation (N,) of the mean rates from those of the reference."""
        return None if self.reference is None else self.laws[name].rate - self.laws[self.reference].rate

    @staticmethod
    def standard_error(law: StationaryLaw) -> FloatArray | None:
        """Return the standard error (N,) of the mean rates by a method that samples."""
        error: FloatArray | None = law.standard_error if law.rates is None else law.details.get("rate_standard_error")
        return error

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python objects that JSON can hold; NaN and infinity become None."""
        network = self.network.to_dict()
        activation = network.pop("activation")
        methods: dict[str, Any] = {}
        for name in dict.fromkeys((*METHODS, *self.laws, *self.refused)):
            if name in self.laws:
                law = self.laws[name].to_dict()
                methods[name] = {"mean": law["mean"], "covariance": law["covariance"], "bias": plain(self.bias[name])}
                keys = ("rate", "standard_error", "converged", "message", "seconds")
                methods[name] |= {key: law[key] for key in keys if key in law}
                methods[name]["standard_error"] = plain(self.standard_error(self.laws[name]))
            elif name in self.refused:
                empty = dict.fromkeys(("mean", "covariance", "bias", "standard_error"))
                methods[name] = empty | {"converged": False, "message": self.refused[name], "seconds": None}
        return {
            "activation": activation,
            "network": network,
            "noise": self.noise.to_dict(),
            "input": plain(self.u),
            "fixed_point": plain(self.fixed_point),
            "methods": methods,
            "notes": list(self.notes),
        }

    def _arrays(self) -> Arrays:
        laws, none = list(self.laws.values()), np.full(self.network.n, np.nan)
        variables: dict[str, Any] = {
            "mean": [law.mean for law in laws],
            "rate": [law.rate for law in laws],
            "bias": list(self.bias.values()),
            "std": [law.std for law in laws],
            "standard_error": [none if (error := self.standard_error(law)) is None else error for law in laws],
        }
        pairs = {name: (("methods", "neuron"), np.array(rows)) for name, rows in variables.items()}
        if self.network.W_out is not None:
            pairs["output_bias"] = (("methods", "output"), np.array(list(self.output_bias.values())))
        return Arrays(pairs | {"fixed_point": ("neuron", self.fixed_point)}, {"methods": list(self.laws)})


def _named(name: str, law: StationaryLaw) -> str:
    return name + ("" if law.converged else " (!)")


def _outputs(delta: FloatArray) -> str:
    """Return the bias of each of few outputs, or root mean square and largest entries of many, as text."""
    if len(delta) <= WORST:
        return ", ".join(f"{x:+.5g}" if math.isfinite(x) else "" for x in delta)
    return f"{root_mean_square(delta):.5g}" + (f" ({largest(delta)})" if np.any(delta) else "")


def _places(columns: Iterable[FloatArray]) -> str:
    """Return the fixed-point format that gives the largest number of a column at least six digits."""
    largest = max((float(np.nanmax(np.abs(x), initial=0.0)) for x in columns), default=0.0)
    if largest >= 1e6:
        return ".9e"
    return f".{8 if largest == 0.0 else min(15, max(8, 5 - math.floor(math.log10(largest))))}f"
