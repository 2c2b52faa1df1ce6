"""The main job: every prediction of the noise-induced bias beside the exact and the simulated one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.attractors import attractor_notes
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.registry import METHODS, method_names, predict
from ctrnn_theory.support.arguments import check_rng, positive_number, real_array
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.progress import Progress, reporter
from ctrnn_theory.support.tables import table
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.support.workers import threads

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXACT_METHODS = ("deterministic", "exact", "simulation")
"""Methods that follow the network itself, so that their divergence is the network's."""
SLOW = 3  # neurons for which the exact method is slow


@guarded
@dataclass(frozen=True, eq=False)
class BiasReport:
    """The stationary law of one network by several methods, and the bias that each gives."""

    network: CTRNN
    """The network, N neurons."""
    noise: Noise
    """Its noise."""
    u: FloatArray | None
    """Constant input (K,), or None."""
    fixed_point: FloatArray
    """h*, the noise-free fixed point (N,) that the start flows to, from which the bias is measured; NaN without one."""
    laws: Mapping[str, StationaryLaw]
    """What each method found, by name, in the order of the ladder."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """The reason of each method that does not apply."""
    start: FloatArray | None = None
    """State (N,) from which the network started; None for rest."""
    rng: Any = 0
    """Seed of the simulation."""
    notes: tuple[str, ...] = ()
    """What a reader must know about this network: several attractors, no fixed point, and the like."""

    @property
    def bias(self) -> dict[str, FloatArray]:
        """Noise-induced bias E[h] - h* (N,) by each method; NaN where the start flows to no fixed point."""
        return {name: law.mean - self.fixed_point for name, law in self.laws.items()}

    @property
    def reference(self) -> str | None:
        """The method that the others are compared with: "exact" if it was reached, else "simulation"."""
        for name in ("exact", "simulation"):
            if name in self.laws and self.laws[name].converged:
                return name
        return "simulation" if "simulation" in self.laws else None

    def table(self) -> str:
        """Lay the methods side by side, as text: one row for a method, or for a method and a neuron."""
        several = self.network.n > 1
        against = f"from {self.reference}" if self.reference else "deviation"
        titles = ["method", *(["neuron"] if several else []), "mean", "bias", "std", against, "seconds"]
        rows = [self._row(name, law, i, several) for name, law in self.laws.items() for i in range(self.network.n)]
        fixed = f"noise-free fixed point h* = {', '.join(f'{x:.8g}' for x in self.fixed_point)}"
        if np.any(np.isnan(self.fixed_point)):
            fixed = "noise-free fixed point h*: none is reached from this start"
        return "\n".join([self.title(), fixed, "", table(titles, rows, left=1), *self._remarks()])

    def _row(self, name: str, law: StationaryLaw, i: int, several: bool) -> list[str]:
        reference, laws = self.reference, self.laws.values()
        fluctuation, shift = _places(law.std for law in laws), _places(self.bias.values())
        place = ".9e" if np.max(np.abs(law.mean)) >= 1e6 else shift
        deviation = ""
        if reference is not None and name != reference:
            deviation = f"{law.mean[i] - self.laws[reference].mean[i]:+.2e}"
        error = law.standard_error
        mean = f"{law.mean[i]:{place}}" + ("" if error is None else f" ± {error[i]:.0e}")
        first = [name + ("" if law.converged else " (!)")] if i == 0 else [""]
        seconds = f"{law.seconds:.3f}" if i == 0 else ""
        std = f"{law.std[i]:{fluctuation}}" if math.isfinite(law.std[i]) else ""
        bias = self.bias[name][i]
        numbers = [mean, f"{bias:+{shift}}" if math.isfinite(bias) else "", std, deviation, seconds]
        return first + ([str(i)] if several else []) + numbers

    def title(self) -> str:
        """One line that says what network and what noise."""
        net, noise = self.network, self.noise
        size = f"w = {net.W[0, 0]:g}, b = {net.b[0]:g}" if net.n == 1 else f"{net.n} neurons"
        sites = []
        for site in SITES:
            value = np.asarray(getattr(noise, site))
            if np.any(value):
                sites.append(f"{site} {value:g}" if value.ndim == 0 else f"{site} {_brief(value)}")
        return f"{net.activation.name}, {size}, gamma = {net.gamma:g}; noise {' and '.join(sites) or 'none'}"

    def _remarks(self) -> list[str]:
        lines = [f"{name}: not applicable: {reason}" for name, reason in self.refused.items()]
        lines += [f"{name}: {law.message}" for name, law in self.laws.items() if law.message]
        lines += [f"note: {note}" for note in self.notes]
        return ["", *lines] if lines else []

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python objects that JSON can hold; NaN and infinity become None."""
        net = self.network
        network: dict[str, Any] = {"W": net.W, "b": net.b, "gamma": net.gamma}
        network |= {name: getattr(net, name) for name in ("W_in", "W_out", "b_out") if getattr(net, name) is not None}
        methods: dict[str, Any] = {}
        for name in METHODS:
            if name in self.laws:
                law = self.laws[name]
                methods[name] = {
                    "mean": law.mean,
                    "covariance": law.covariance,
                    "bias": self.bias[name],
                    "standard_error": law.standard_error,
                    "converged": law.converged,
                    "message": law.message,
                    "seconds": law.seconds,
                }
            elif name in self.refused:
                empty = dict.fromkeys(("mean", "covariance", "bias", "standard_error"))
                methods[name] = empty | {"converged": False, "message": self.refused[name], "seconds": None}
        plain: dict[str, Any] = _plain(
            {
                "activation": net.activation.text,
                "network": network,
                "noise": {"inside": self.noise.inside, "outside": self.noise.outside},
                "input": self.u,
                "fixed_point": self.fixed_point,
                "methods": methods,
                "notes": list(self.notes),
            }
        )
        return plain

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the bias against the distance to the nonlinearity; see :func:`ctrnn_theory.plotting.bias`."""
        from ctrnn_theory import plotting

        return plotting.bias(self, ax)


@guarded
@limited
def bias(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    methods: Iterable[str] | None = None,
    rng: Any = 0,
    target_se: float | None = None,
    *,
    start: ArrayLike | None = None,
    workers: int | Callable[..., Any] | None = None,
    progress: Progress | None = None,
) -> BiasReport:
    """Noise-induced bias δ = E[h] - h* of a network, by every method that applies.

    Parameters
    ----------
    net
        The network, N neurons.
    noise
        Its noise, standard deviations per step.
    u
        Constant input (K,), or None.
    methods
        Names out of :data:`METHODS`; all by default, but for "exact" of three neurons, which may take minutes.
    rng
        Seed of the simulation: an int, a SeedSequence or a Generator.
    target_se
        Standard error of the mean that the simulation runs to; by default it chooses a modest one.
    start
        State (N,) from which the network starts; rest by default.
    workers
        Threads of the simulation, or a function like ``map``, of this process; the numbers do not depend on it.
    progress
        Called with (done, total, text) as each method begins: how many methods are done, of how many, and its name.

    Returns
    -------
    BiasReport
        Its ``table()``, ``plot()`` and ``to_dict()`` lay the methods side by side.

    Raises
    ------
    ValueError
        For an unknown method, or arguments that do not fit the network.
    Divergence
        If the state grows without bound, with noise or without.

    Examples
    --------
    >>> report = bias(CTRNN.single(w=0.5, b=0.1), Noise(inside=0.5), methods=["gaussian_closure", "exact"])
    >>> {name: round(float(delta[0]), 4) for name, delta in report.bias.items()}
    {'gaussian_closure': 0.177, 'exact': 0.177}
    """
    chosen, report = METHODS if methods is None else method_names(methods), reporter(progress)
    check_rng(rng)
    threads(workers)
    if target_se is not None:
        positive_number("target_se", target_se)
    base = predict(net, noise, u, "deterministic", start)
    laws: dict[str, StationaryLaw] = {}
    refused: dict[str, str] = {}
    names = [name for name in METHODS if name in chosen]
    for done, name in enumerate(names):
        if methods is None and name == "exact" and net.n == SLOW:
            refused[name] = "it may take minutes for three neurons, and is left out unless methods name it"
            continue
        report(done, len(names), name)
        options = {"rng": rng, "target_se": target_se, "workers": workers} if name == "simulation" else {}
        try:
            laws[name] = base if name == "deterministic" else predict(net, noise, u, name, start, **options)
        except NotApplicable as reason:
            refused[name] = str(reason)
        except Divergence as reason:
            if name in EXACT_METHODS:
                raise
            refused[name] = f"its own state, not the network's, grows without bound: {reason}"
    report(len(names), len(names), "")
    notes = attractor_notes(net, u, base, laws)
    inputs = None if u is None else real_array("u", u)
    begin = None if start is None else net.start_state(start)
    return BiasReport(net, noise, inputs, base.details["fixed_point"], laws, refused, begin, rng, notes)


def _brief(value: FloatArray) -> str:
    return f"of shape {value.shape}" if value.size > 6 else str(value.tolist())


def _plain(value: Any) -> Any:
    """Arrays as lists, numbers as Python's, what is not finite as None."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _places(columns: Iterable[FloatArray]) -> str:
    """Fixed-point format that gives the largest number of a column six digits at least."""
    largest = max((float(np.nanmax(np.abs(x), initial=0.0)) for x in columns), default=0.0)
    if largest >= 1e6:
        return ".9e"
    return f".{8 if largest == 0.0 else min(15, max(8, 5 - math.floor(math.log10(largest))))}f"
