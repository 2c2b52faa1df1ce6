"""The bias against the distance to the nonlinearity."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from ctrnn_theory.analysis.bias import BiasReport
from ctrnn_theory.analysis.bias_curve import bias_curve, distance_to_nonlinearity
from ctrnn_theory.plotting.style import STYLE, line_style, method_label
from ctrnn_theory.support.floating import guarded

NEAR_EXACT = {"cumulant_closure", "fokker_planck"}  # their curve is exact's, about, at many times the cost


@guarded
def bias(report: BiasReport, ax: Axes | None = None) -> Axes:
    """Draw the bias against the distance of the fixed point to the nonlinearity, in units of σ.

    One neuron: a curve for each method as its input is varied, simulated points with two standard errors, and the
    network of the report marked; beside exact without cumulant_closure and fokker_planck, whose curves are about the
    same and take long. Several neurons: a point for each neuron and method.

    Parameters
    ----------
    report
        What :func:`ctrnn_theory.bias` returned.
    ax
        Axes to draw on; new ones by default.

    Raises
    ------
    ValueError
        If a neuron gets no noise.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 4.2), layout="constrained")
    net = report.network
    ax.axhline(0.0, **line_style("deterministic"))
    if net.n == 1:
        _curves(report, ax)
    else:
        _neurons(report, ax)
    where = "k" if net.activation.nonlinearities else "0"
    ax.set_xlabel(rf"distance of the fixed point to the nonlinearity  $(a^* - {where})/\sigma$")
    ax.set_ylabel(r"noise-induced bias  $E[h] - h^*$")
    missing = "\nno fixed point is reached from this start" if np.any(np.isnan(report.fixed_point)) else ""
    ax.set_title(report.title() + missing, fontsize="medium")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small")
    return ax


def _curves(report: BiasReport, ax: Axes) -> None:
    net, noise = report.network, report.noise
    left_out = {"deterministic"} | (NEAR_EXACT if "exact" in report.laws else set())
    shown = [name for name in report.laws if name not in left_out]
    curve = bias_curve(net, noise, report.u, shown or ["deterministic"], report.rng, start=report.start)
    for name in curve.bias:
        if name == "deterministic":  # the line at 0, which is there
            continue
        x, y = curve.distance[name], curve.bias[name]
        if name == "simulation":
            error = 2.0 * curve.standard_error
            ax.errorbar(x, y, error, color=STYLE[name]["color"], fmt="o", markersize=4, capsize=2, label="simulation")
        else:
            ax.plot(x, y, label=method_label(name), **line_style(name))
    ax.axvline(0.0, color="0.85", linewidth=0.8, zorder=0)
    if report.reference is not None and np.all(np.isfinite(report.fixed_point)):
        zeta, _, _ = distance_to_nonlinearity(net, noise, net.preactivation(report.fixed_point, report.u))
        point = report.bias[report.reference][0]
        edge = max(np.max(np.abs(x)) for x in curve.distance.values())
        label = "this network" if abs(zeta[0]) <= edge else f"this network, at {zeta[0]:.3g}"
        style: dict[str, Any] = {"marker": "*", "markersize": 13, "linestyle": "none", "zorder": 5, "label": label}
        ax.plot(np.clip(zeta, -edge, edge), [point], color="#CC79A7", markeredgecolor="black", **style)


def _neurons(report: BiasReport, ax: Axes) -> None:
    net = report.network
    if np.any(np.isnan(report.fixed_point)):
        return
    zeta, _, _ = distance_to_nonlinearity(net, report.noise, net.preactivation(report.fixed_point, report.u))
    order = np.argsort(zeta)
    for name, law in report.laws.items():
        if name == "deterministic":
            continue
        style: dict[str, Any] = {"color": STYLE[name]["color"], "marker": STYLE[name]["marker"], "markersize": 5}
        error = None if law.standard_error is None else 2.0 * law.standard_error[order]
        label = method_label(name)
        filled: dict[str, Any] = {} if name == "simulation" else {"markerfacecolor": "none"}
        ax.errorbar(zeta[order], report.bias[name][order], error, linestyle="none", label=label, **style, **filled)
    for i in order:
        ax.annotate(str(i), (zeta[i], 0.0), textcoords="offset points", xytext=(0, -11), ha="center", fontsize=7)
