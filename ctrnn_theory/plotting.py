"""Every picture that the package can draw, on matplotlib axes. The only module that imports matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from ctrnn_theory.bias_curve import bias_curve, distance_to_nonlinearity
from ctrnn_theory.bias_report import BiasReport

# colours of Okabe and Ito, told apart by readers of any colour vision
STYLE: dict[str, dict[str, Any]] = {
    "deterministic": {"color": "0.6", "linestyle": "-", "marker": "_", "linewidth": 1.0},
    "mean_field": {"color": "#56B4E9", "linestyle": "--", "marker": "v"},
    "small_noise": {"color": "#E69F00", "linestyle": ":", "marker": "^"},
    "gaussian_closure": {"color": "#009E73", "linestyle": "-.", "marker": "s"},
    "exact": {"color": "0.78", "linestyle": "-", "marker": "D", "linewidth": 5.0, "zorder": 1.5},
    "kink_block": {"color": "#0072B2", "linestyle": (0, (1, 2)), "marker": "x"},
    "simulation": {"color": "#D55E00", "linestyle": "none", "marker": "o"},
}


def bias(report: BiasReport, ax: Axes | None = None) -> Axes:
    """Draw the bias against the distance of the fixed point to the nonlinearity, in units of σ.

    One neuron: a curve for each method as its input is varied, simulated points with two standard errors, and the
    network of the report marked. Several neurons: a point for each neuron and method.

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
    ax.axhline(0.0, **_line("deterministic"))
    if net.n == 1:
        _curves(report, ax)
    else:
        _neurons(report, ax)
    where = "k" if net.activation.nonlinearities else "0"
    ax.set_xlabel(rf"distance of the fixed point to the nonlinearity  $(a^* - {where})/\sigma$")
    ax.set_ylabel(r"noise-induced bias  $E[h] - h^*$")
    ax.set_title(report.title(), fontsize="medium")
    ax.legend(frameon=False, fontsize="small")
    return ax


def _curves(report: BiasReport, ax: Axes) -> None:
    net, noise = report.network, report.noise
    shown = [name for name in report.laws if name != "deterministic"]
    curve = bias_curve(net, noise, report.u, shown, report.rng, start=report.start)
    for name in curve.bias:
        x, y = curve.distance[name], curve.bias[name]
        if name == "simulation":
            error = 2.0 * curve.standard_error
            ax.errorbar(x, y, error, color=STYLE[name]["color"], fmt="o", markersize=4, capsize=2, label="simulation")
        else:
            ax.plot(x, y, label=name.replace("_", " "), **_line(name))
    ax.axvline(0.0, color="0.85", linewidth=0.8, zorder=0)
    if report.reference is not None:
        zeta, _, _ = distance_to_nonlinearity(net, noise, net.preactivation(report.fixed_point, report.u))
        point = report.bias[report.reference][0]
        edge = max(np.max(np.abs(x)) for x in curve.distance.values())
        label = "this network" if abs(zeta[0]) <= edge else f"this network, at {zeta[0]:.3g}"
        style: dict[str, Any] = {"marker": "*", "markersize": 13, "linestyle": "none", "zorder": 5, "label": label}
        ax.plot(np.clip(zeta, -edge, edge), [point], color="#CC79A7", markeredgecolor="black", **style)


def _neurons(report: BiasReport, ax: Axes) -> None:
    net = report.network
    zeta, _, _ = distance_to_nonlinearity(net, report.noise, net.preactivation(report.fixed_point, report.u))
    order = np.argsort(zeta)
    for name, law in report.laws.items():
        if name == "deterministic":
            continue
        style: dict[str, Any] = {"color": STYLE[name]["color"], "marker": STYLE[name]["marker"], "markersize": 5}
        error = None if law.standard_error is None else 2.0 * law.standard_error[order]
        label = name.replace("_", " ")
        filled: dict[str, Any] = {} if name == "simulation" else {"markerfacecolor": "none"}
        ax.errorbar(zeta[order], report.bias[name][order], error, linestyle="none", label=label, **style, **filled)
    for i in order:
        ax.annotate(str(i), (zeta[i], 0.0), textcoords="offset points", xytext=(0, -11), ha="center", fontsize=7)


def _line(name: str) -> dict[str, Any]:
    return {key: value for key, value in STYLE[name].items() if key != "marker"}
