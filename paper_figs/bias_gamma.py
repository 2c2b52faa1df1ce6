"""Noise inside shifts the fixed point at any step; noise outside only as far as the step is long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.style import COLOUR, LABEL, LINES, SITES, TWO_COLUMNS, figure, letters, method_label, simulated, styled

CASES = {"softplus": "smooth: softplus", "relu": "at the kink of relu"}
METHODS = ("exact", "gaussian_closure", "small_noise")
W, SIGMA = 0.5, 0.3
SHORT = 0.1  # up to this γ the slopes are fitted
PRECISION = 0.02  # standard error of a simulated point, relative to the bias


def compute(quick: bool = False) -> dict[str, Any]:
    """Bias of a neuron whose fixed point lies at the nonlinearity, against the length of the step."""
    gamma = np.geomspace(0.003, 1.0, 11 if quick else 26)
    points = np.geomspace(0.01, 1.0, 6)
    data: dict[str, Any] = {"gamma": gamma, "points": points}
    for name in CASES:
        f = ct.activation(name)
        h = float(f(0.0))
        for site in SITES:
            noise = ct.Noise(**{site: SIGMA})

            def bias(g: float, method: str, **options: Any) -> tuple[float, float]:
                net = ct.CTRNN.single(w=W, b=-W * h, activation=name, gamma=g)  # noqa: B023 - called in the loop
                law = ct.predict(net, noise, method=method, start=[h], **options)  # noqa: B023
                return law.mean[0] - h, 0.0 if law.standard_error is None else law.standard_error[0]  # noqa: B023

            for method in METHODS:
                if name == "softplus" or method != "small_noise":
                    data[f"{name}/{site}/{method}"] = np.array([bias(g, method)[0] for g in gamma])
            exact = np.interp(np.log(points), np.log(gamma), data[f"{name}/{site}/exact"])
            found = [bias(g, "simulation", target_se=PRECISION * d) for g, d in zip(points, exact, strict=True)]
            data[f"{name}/{site}/simulation"], data[f"{name}/{site}/error"] = np.array(found).T
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Slopes of the exact bias at short steps."""
    short = data["gamma"] <= SHORT
    log = np.log(data["gamma"][short])
    return {
        f"{name}, {site}": float(np.polyfit(log, np.log(data[f"{name}/{site}/exact"][short]), 1)[0])
        for name in CASES
        for site in SITES
    }


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """A panel where f is smooth, and one at a kink."""
    made, axes = figure(TWO_COLUMNS, 2.7, 1, 2, sharey=True)
    laws = {("softplus", "outside"): r"$\propto \gamma$", ("relu", "outside"): r"$\propto \sqrt{\gamma}$"}
    for ax, name in zip(axes, CASES, strict=True):
        for site in SITES:
            for method in METHODS:
                if f"{name}/{site}/{method}" in data:
                    ax.plot(data["gamma"], data[f"{name}/{site}/{method}"], color=COLOUR[site], **LINES[method])
            y, error = data[f"{name}/{site}/simulation"], data[f"{name}/{site}/error"]
            simulated(ax, data["points"], y, error, COLOUR[site])
            at = len(data["gamma"]) // 4
            where = (data["gamma"][at], data[f"{name}/{site}/exact"][at])
            text = f"{LABEL[site]}: {laws.get((name, site), 'constant')}"
            offset = (0, -13) if site == "inside" else (6, -10)
            ax.annotate(text, where, offset, textcoords="offset points", color=COLOUR[site])
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(CASES[name])
        ax.set_xlabel(r"step over time constant, $\gamma = \Delta t / \tau$")
    axes[0].set_ylabel(r"bias  $E[h] - h^*$")
    for method in METHODS:
        axes[1].plot([], [], color="0.3", label=method_label(method), **LINES[method])
    axes[1].errorbar([], [], [], fmt="o", color="0.3", markerfacecolor="white", label="simulation")
    axes[1].legend(loc="lower right")
    letters(axes)
    return made
