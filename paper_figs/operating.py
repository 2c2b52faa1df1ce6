"""Training with more noise inside places more neurons within one standard deviation of the kink."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import functions, over_noise, trained
from paper_figs.style import COLOUR, LABEL, SITES, TWO_COLUMNS, figure, letters, simulated, styled

SHOWN = 1.0  # training noise of the networks in the histogram
REACH = 300.0  # standard deviations at the ends of the histogram
TICKS = (-100, -10, -1, 0, 1, 10, 100)


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the distances of neurons to the kink, and their slopes under noise, by site and training noise."""
    found: dict[tuple[str, float], list[tuple[Any, Any]]] = {}
    for run, net in trained(dict.fromkeys([*functions(quick), *over_noise(quick)]), quick).items():
        points = ct.operating_points(net, run.noise, run.task)
        slope = net.activation.smoothed(points.preactivation, points.std, 1)
        found.setdefault((run.site, run.sigma), []).append((points.distance, slope))
    data: dict[str, Any] = {}
    for site in SITES:
        levels = sorted(sigma for where, sigma in found if where == site)
        data[f"{site}/sigma"] = np.array(levels)
        data[f"{site}/distance"] = np.array([distance.ravel() for distance, _ in found[site, SHOWN]])
        within = [[np.mean(np.abs(d) <= 1.0) for d, _ in found[site, sigma]] for sigma in levels]
        slope = [[np.mean(slope) for _, slope in found[site, sigma]] for sigma in levels]
        for name, rows in (("within", within), ("slope", slope)):  # the standard error is over networks
            data[f"{site}/{name}"] = np.array([np.mean(row) for row in rows])
            data[f"{site}/{name}_error"] = np.array([np.std(row, ddof=1) / np.sqrt(len(row)) for row in rows])
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of neurons near the kink and the mean slope, at the histogram's noise, and at the ends."""
    found = {}
    for site in SITES:
        at = data[f"{site}/sigma"] == SHOWN
        for name in ("within", "slope"):
            found[f"{site}, {name}"] = float(data[f"{site}/{name}"][at][0])
    for end, which in (("least", 0), ("most", -1)):
        found[f"inside, within, {end} noise"] = float(data["inside/within"][which])
    return found


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the distances at one noise, and then their change as the noise grows."""
    made, axes = figure(TWO_COLUMNS, 2.5, 1, 3, width_ratios=[1.3, 1.0, 1.0])
    bins = np.sinh(np.linspace(-np.arcsinh(REACH), np.arcsinh(REACH), 37))
    axes[0].axvspan(-1.0, 1.0, color="0.93", zorder=-1)
    for site in SITES:
        values = np.clip(data[f"{site}/distance"].ravel(), -REACH, REACH)
        options = {"weights": np.full(values.size, 1.0 / values.size), "color": COLOUR[site]}
        look = {"alpha": 0.35} if site == "inside" else {"histtype": "step", "linewidth": 1.4}  # both can be seen
        axes[0].hist(values, bins, label=LABEL[site], **look, **options)
    axes[0].set_xscale("asinh", linear_width=1.0)
    axes[0].set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes[0].minorticks_off()
    axes[0].set_xlim(-REACH, REACH)
    axes[0].set_xlabel("distance to the kink, in standard deviations")
    axes[0].set_ylabel("share of neurons and inputs")
    axes[0].set_title(rf"trained at $\sigma_t$ = {SHOWN:g}")
    axes[0].set_ylim(0.0, 1.3 * axes[0].get_ylim()[1])  # room for the legend above the data
    axes[0].legend(loc="upper left")
    for ax, name in zip(axes[1:], ("within", "slope"), strict=True):
        for site in SITES:
            x, y = data[f"{site}/sigma"], data[f"{site}/{name}"]
            apart = 0.0 if site == "inside" else 0.03  # where both have networks, each error bar can be seen
            simulated(ax, x + apart, y, data[f"{site}/{name}_error"], COLOUR[site], linestyle="-")
        ax.set_xlim(0.0, 1.6)
        ax.set_ylim(0.0)
        ax.set_xlabel(r"training noise $\sigma_t$")
    axes[1].errorbar(
        [], [], [], fmt="o", color="0.4", markerfacecolor="white", label="mean over networks,\n± 2 standard errors"
    )
    axes[1].set_ylim(0.0, 1.25 * axes[1].get_ylim()[1])
    axes[1].legend(loc="upper left")
    axes[1].set_ylabel("share within one deviation")
    axes[2].set_ylabel(r"mean slope $F'$")
    axes[1].set_title("at the kink")
    axes[2].set_title("slope there")
    letters(axes)
    return made
