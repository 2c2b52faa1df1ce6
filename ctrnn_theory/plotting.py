"""Every picture that the package can draw, on matplotlib axes. Only it and the package `pictures` import matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ctrnn_theory.arguments import real_array
from ctrnn_theory.bias_report import BiasReport
from ctrnn_theory.curve import bias_curve, distance_to_nonlinearity
from ctrnn_theory.evolution import Evolution
from ctrnn_theory.floating import guarded
from ctrnn_theory.fokker_planck import Density
from ctrnn_theory.network import CTRNN, Noise
from ctrnn_theory.pictures.heatmap import heatmap as heatmap
from ctrnn_theory.pictures.heatmap import lines as lines
from ctrnn_theory.pictures.maze import MAZE_COLOURS as MAZE_COLOURS
from ctrnn_theory.pictures.maze import maze as maze
from ctrnn_theory.pictures.operating import operating_points as operating_points
from ctrnn_theory.pictures.preference import SITE_COLOURS as SITE_COLOURS
from ctrnn_theory.pictures.preference import preference as preference
from ctrnn_theory.stationary import Divergence, predict
from ctrnn_theory.stationary.fixed_points import fixed_points
from ctrnn_theory.stationary.law import FloatArray

# colours of Okabe and Ito, told apart by readers of any colour vision
STYLE: dict[str, dict[str, Any]] = {
    "deterministic": {"color": "0.6", "linestyle": "-", "marker": "_", "linewidth": 1.0},
    "mean_field": {"color": "#56B4E9", "linestyle": "--", "marker": "v"},
    "small_noise": {"color": "#E69F00", "linestyle": ":", "marker": "^"},
    "gaussian_closure": {"color": "#009E73", "linestyle": "-.", "marker": "s"},
    "cumulant_closure": {"color": "#117733", "linestyle": (0, (3, 1, 1, 1)), "marker": "d"},
    "fokker_planck": {"color": "#882255", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "P"},
    "exact": {"color": "0.78", "linestyle": "-", "marker": "D", "linewidth": 5.0, "zorder": 1.5},
    "kink_block": {"color": "#0072B2", "linestyle": (0, (1, 2)), "marker": "x"},
    "simulation": {"color": "#D55E00", "linestyle": "none", "marker": "o"},
}
NEAR_EXACT = {"cumulant_closure", "fokker_planck"}  # their curve is exact's, about, at many times the cost
NEURONS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
VISIBLE = 1e-4  # of the largest density: what a picture shows
BINS = 40
ABOVE: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}  # a legend beside the data
MOST_POINTS = 25  # of a simulation along time


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
    ax.axhline(0.0, **_line("deterministic"))
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
            ax.plot(x, y, label=_label(name), **_line(name))
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
        label = _label(name)
        filled: dict[str, Any] = {} if name == "simulation" else {"markerfacecolor": "none"}
        ax.errorbar(zeta[order], report.bias[name][order], error, linestyle="none", label=label, **style, **filled)
    for i in order:
        ax.annotate(str(i), (zeta[i], 0.0), textcoords="offset points", xytext=(0, -11), ha="center", fontsize=7)


@guarded
def density(
    density: Density,
    ax: Axes | None = None,
    *,
    net: CTRNN | None = None,
    noise: Noise | None = None,
    u: ArrayLike | None = None,
    states: ArrayLike | None = None,
) -> Axes:
    """Draw a density: a curve in one dimension, a map with contours in two.

    Parameters
    ----------
    density
        Of one or two dimensions, such as ``law.details["density"]`` of the method "fokker_planck", or a marginal of it.
    ax
        Axes to draw on; new ones by default.
    net, noise, u
        The network that it belongs to, whose fixed points are then marked: those without noise (filled if stable,
        else open) and, with `noise`, those of mean field that the stable ones flow to.
    states
        Simulated states (M, N), drawn as a histogram (one dimension) or as points (two).

    Raises
    ------
    ValueError
        For more than two dimensions, or a network of another size.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> net, noise = CTRNN.single(w=1.5, activation="tanh"), Noise(outside=0.6)
    >>> law = predict(net, noise, method="fokker_planck")
    >>> ax = density(law.details["density"], net=net, noise=noise)
    >>> ax.get_xlabel()
    '$h$'
    >>> plt.close(ax.figure)
    """
    if density.n > 2:
        raise ValueError(f"density must have one or two dimensions to be drawn; got {density.n}: take a marginal")
    if net is not None and net.n != density.n:
        raise ValueError(f"net must have the {density.n} dimensions of the density; got {net.n} neurons")
    if net is not None:
        net.drive(u)
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 4.2) if density.n == 1 else (5.2, 4.4), layout="constrained")
    simulated = None
    if states is not None:
        simulated = real_array("states", states)
        simulated = real_array("states", simulated[:, None] if simulated.ndim == 1 else simulated, (None, density.n))
    (_curve if density.n == 1 else _map)(density, ax, simulated)
    if net is not None:
        _mark_fixed_points(ax, net, noise, u)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small", **(ABOVE if density.n == 2 else {}))
    return ax


def _curve(density: Density, ax: Axes, states: FloatArray | None) -> None:
    x, p = density.axes[0], density.values
    if states is not None:
        color = STYLE["simulation"]["color"]
        ax.hist(states[:, 0], bins=BINS, density=True, color=color, alpha=0.35, label="simulation")
    ax.plot(x, p, color=STYLE["fokker_planck"]["color"], label=_label("fokker_planck"))
    shown = x[p > VISIBLE * p.max()]
    ax.set_xlim(shown[0], shown[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("$h$")
    ax.set_ylabel("probability density")


def _map(density: Density, ax: Axes, states: FloatArray | None) -> None:
    x, y = density.axes
    p = np.maximum(density.values, 0.0)
    mesh = ax.pcolormesh(x, y, p.T, cmap="Blues", shading="gouraud", rasterized=True)
    ax.figure.colorbar(mesh, ax=ax, label="probability density")
    levels = p.max() * np.exp(-0.5 * np.array([3.0, 2.0, 1.0]) ** 2)
    ax.contour(x, y, p.T, levels=levels, colors="0.35", linewidths=0.6)
    if states is not None:
        color = STYLE["simulation"]["color"]
        ax.plot(*states.T, ".", markersize=2, color=color, alpha=0.5, label="simulation", zorder=2)
    inside = [axis[q > VISIBLE * q.max()] for axis, q in zip(density.axes, (p.max(axis=1), p.max(axis=0)), strict=True)]
    ax.set_xlim(inside[0][0], inside[0][-1])
    ax.set_ylim(inside[1][0], inside[1][-1])
    ax.set_xlabel("$h_1$")
    ax.set_ylabel("$h_2$")


def _mark_fixed_points(ax: Axes, net: CTRNN, noise: Noise | None, u: ArrayLike | None) -> None:
    """Mark fixed points: on the axis in one dimension, in the plane in two."""
    found = fixed_points(net, u)
    stable, unstable = ([p.state for p in found if p.stable is kind] for kind in (True, False))
    groups: list[tuple[str, list[FloatArray], dict[str, Any]]] = [
        ("stable fixed point", stable, {"marker": "o", "color": "black"}),
        (
            "unstable fixed point",
            unstable,
            {"marker": "o", "color": "black", "markerfacecolor": "white"},
        ),
    ]
    if noise is not None:
        style = {"marker": "x", "color": STYLE["mean_field"]["color"], "markeredgewidth": 2.0}
        groups.append(("mean-field fixed point", _mean_field_points(net, noise, u, stable), style))
    for label, points, style in groups:
        if points:
            place = np.array(points)
            where = (place[:, 0], np.zeros(len(place))) if net.n == 1 else place.T
            ax.plot(*where, linestyle="none", markersize=6, label=label, clip_on=False, zorder=4, **style)


def _mean_field_points(net: CTRNN, noise: Noise, u: ArrayLike | None, starts: list[FloatArray]) -> list[FloatArray]:
    """Different mean-field fixed points that the starts flow to."""
    found: list[FloatArray] = []
    for start in starts:
        try:
            law = predict(net, noise, u, "mean_field", start)
        except Divergence:
            continue
        if law.converged and not any(np.allclose(law.mean, other, rtol=1e-6, atol=1e-9) for other in found):
            found.append(law.mean)
    return found


@guarded
def evolution(evolution: Evolution, ax: Axes | None = None) -> Axes:
    """Draw mean and one standard deviation to either side along time, a colour for each neuron.

    A prediction is a line with a band. A simulation is points with two standard errors, and the ends of its band as
    dots, so that both can be drawn on the same axes.

    Parameters
    ----------
    evolution
        What :func:`ctrnn_theory.evolve` returned.
    ax
        Axes to draw on; new ones by default.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 4.2), layout="constrained")
    time, method = evolution.time, _label(evolution.method)
    for i in range(evolution.net.n):
        color, mean, std = NEURONS[i % len(NEURONS)], evolution.mean[:, i], evolution.std[:, i]
        label = method if evolution.net.n == 1 else f"$h_{{{i + 1}}}$, {method}"
        if evolution.standard_error is None:
            ax.fill_between(time, mean - std, mean + std, color=color, alpha=0.15, linewidth=0.0)
            ax.plot(time, mean, color=color, label=label)
        else:
            shown = np.unique(np.linspace(0, len(time) - 1, min(len(time), MOST_POINTS)).astype(int))
            error = 2.0 * evolution.standard_error[shown, i]
            ax.errorbar(time[shown], mean[shown], error, fmt="o", color=color, markersize=3, label=label)
            for side in (-1.0, 1.0):
                ax.plot(
                    time[shown], (mean + side * std)[shown], linestyle="none", marker=".", markersize=3, color=color
                )
    ax.set_xlabel(r"time  $t/\tau$")
    ax.set_ylabel("state  $h$, mean ± standard deviation")
    ax.legend(frameon=False, fontsize="small", **ABOVE)
    return ax


def _line(name: str) -> dict[str, Any]:
    return {key: value for key, value in STYLE[name].items() if key != "marker"}


def _label(name: str) -> str:
    return "Fokker–Planck" if name == "fokker_planck" else name.replace("_", " ")
