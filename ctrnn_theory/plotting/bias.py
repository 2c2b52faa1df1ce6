"""The noise-induced bias of a network, by every method of a report."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ctrnn_theory.analysis import bias_curve as analysis
from ctrnn_theory.analysis.bias_report import BiasReport
from ctrnn_theory.plotting.axes import axes_or_new
from ctrnn_theory.plotting.bias_curve import bias_curve
from ctrnn_theory.plotting.style import line_style, method_label, method_style
from ctrnn_theory.stationary.registry import METHODS
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import FEW, worst
from ctrnn_theory.support.types import FloatArray

NEAR_EXACT = {"cumulant_closure", "fokker_planck"}  # their curves lie on that of exact, at many times the cost
AROUND = [(0.0, 5.0), (9.0, -2.5), (-9.0, -2.5)]  # places of labels that may lie close together, in printer's points


@guarded
def bias(report: BiasReport, ax: Axes | None = None) -> Axes:
    """Draw the noise-induced bias against the distance of the fixed point to the nonlinearity, in units of σ.

    For one neuron there is a curve for each method as its input is varied, simulated points have two standard errors,
    and the network of the report is marked. Beside exact, cumulant_closure and fokker_planck are left out: their curves
    are about the same and take long. For several neurons there is a point for each neuron and method. Up to eight
    neurons carry their index; of more only the three of largest bias do.

    Parameters
    ----------
    report
        Result of :func:`ctrnn_theory.bias`.
    ax
        Axes to draw on; new ones by default.

    Raises
    ------
    ValueError
        If no neuron gets noise.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> import ctrnn_theory as ct
    >>> net = ct.CTRNN([[0.0, -0.5], [0.5, 0.0]], [0.1, 0.2], "relu")
    >>> ax = ct.bias(net, ct.Noise(inside=0.5), methods=["mean_field", "exact"]).plot()
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['mean field', 'exact']
    >>> plt.close(ax.figure)
    """
    ax = axes_or_new(ax)
    if report.network.n == 1:
        _draw_curves(report, ax)
    else:
        ax.axhline(0.0, **line_style("deterministic"))
        _draw_neurons(report, ax)
        rates = "$E[h] - h^*$" if report.network.form == "rate" else "$E[f(v)] - f(v^*)$"
        ax.set_ylabel(f"noise-induced bias  {rates}")
    where = "k" if any(f.nonlinearities for f in report.network.activations) else "0"
    ax.set_xlabel(rf"distance of the fixed point to the nonlinearity  $(a^* - {where})/\sigma$")
    missing = "\nno fixed point is reached from this start" if np.any(np.isnan(report.fixed_point)) else ""
    ax.set_title(report.title() + missing, fontsize="medium")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small")
    return ax


def _draw_curves(report: BiasReport, ax: Axes) -> None:
    """Draw the curves of one neuron, which are those of its state, and mark the neuron itself."""
    net, noise = report.network, report.noise
    left_out = {"deterministic"} | (NEAR_EXACT if "exact" in report.laws else set())
    shown = [name for name in report.laws if name not in left_out and name in METHODS]
    curve = analysis.bias_curve(net, noise, report.u, shown or ["deterministic"], report.rng, start=report.start)
    bias_curve(curve, ax)
    if not np.all(np.isfinite(report.fixed_point)):
        return
    zeta, edge = _distance(report)[0], max(np.max(np.abs(x)) for x in curve.distance.values())
    for name in report.laws:
        if name not in METHODS:  # it is known here by this result alone
            delta = report.laws[name].mean - report.fixed_point
            ax.plot(np.clip([zeta], -edge, edge), delta, label=method_label(name), **method_style(name))
    if report.reference is None:
        return
    point = float((report.laws[report.reference].mean - report.fixed_point)[0])
    label = "this network" if abs(zeta) <= edge else f"this network, at {zeta:.3g}"
    style: dict[str, Any] = {"marker": "*", "markersize": 13, "linestyle": "none", "zorder": 5, "label": label}
    ax.plot(np.clip([zeta], -edge, edge), [point], color="#CC79A7", markeredgecolor="black", **style)


def _draw_neurons(report: BiasReport, ax: Axes) -> None:
    """Draw a point for each neuron and method."""
    if np.any(np.isnan(report.fixed_point)):
        return
    zeta, many = _distance(report), report.network.n > FEW
    order = np.argsort(zeta)
    for name, law in report.laws.items():
        if name == "deterministic":
            continue
        style: dict[str, Any] = {key: method_style(name)[key] for key in ("color", "marker")}
        style |= {"markersize": 3.5, "markeredgewidth": 0.7, "elinewidth": 0.7} if many else {"markersize": 5}
        if name != "simulation":
            style["markerfacecolor"] = "none"
        standard_error = report.standard_error(law)
        error = None if standard_error is None else 2.0 * standard_error[order]
        delta = report.bias[name][order]
        ax.errorbar(zeta[order], delta, error, linestyle="none", label=method_label(name), **style)
    best = report.reference or next((name for name in reversed(list(report.laws)) if name != "deterministic"), None)
    if not many:
        _label(ax, zeta, np.zeros(len(zeta)), list(order), [(0, -11)])
    elif best is not None:
        ax.margins(y=0.08)
        _label(ax, zeta, report.bias[best], worst(report.bias[best]), AROUND)


def _label(
    ax: Axes, x: FloatArray, y: FloatArray, neurons: Sequence[int], offsets: Sequence[tuple[float, float]]
) -> None:
    """Write the indices of neurons beside their points, at offsets in printer's points that take turns."""
    for i, offset in zip(neurons, itertools.cycle(offsets), strict=False):
        ax.annotate(str(i), (x[i], y[i]), textcoords="offset points", xytext=offset, ha="center", fontsize=7)


def _distance(report: BiasReport) -> FloatArray:
    """Return the distance (N,) of the noise-free fixed point to the nonlinearity."""
    net = report.network
    a = net.preactivation(report.fixed_point, report.u)
    return analysis.distance_to_nonlinearity(net, report.noise, a)[0]
