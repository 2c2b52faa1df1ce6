"""The bias grows with σ at a kink, and with σ² where the activation is smooth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.style import COLOUR, LABEL, LINES, SITES, TWO_COLUMNS, figure, letters, method_label, simulated, styled

CASES = {"relu": "at the kink of relu", "softplus": "softplus, where it bends most"}
METHODS = ("exact", "gaussian_closure", "mean_field", "small_noise")
W, GAMMA = 0.5, 0.1
LITTLE = 0.1  # up to this σ the slopes are fitted
PRECISION = 0.02  # standard error of a simulated point, relative to the bias


def compute(quick: bool = False) -> dict[str, Any]:
    """Bias of a neuron whose fixed point lies at the nonlinearity, by every method."""
    sigma = np.geomspace(0.01, 2.0, 13 if quick else 31)
    points = np.geomspace(0.02, 2.0, 7)
    data: dict[str, Any] = {"sigma": sigma, "points": points}
    for name in CASES:
        f = ct.activation(name)
        net = ct.CTRNN.single(w=W, b=float(-W * f(0.0)), activation=name, gamma=GAMMA)  # a* = 0
        h = float(f(0.0))
        for site in SITES:
            noises = [ct.Noise(**{site: s}) for s in sigma]
            for method in METHODS:
                if name == "relu" and method == "small_noise":
                    continue  # at a kink there is no expansion
                laws = [ct.predict(net, noise, method=method, start=[h]) for noise in noises]
                data[f"{name}/{site}/{method}"] = np.array([law.mean[0] - h for law in laws])
            exact = np.interp(np.log(points), np.log(sigma), data[f"{name}/{site}/exact"])
            laws = [
                ct.predict(net, ct.Noise(**{site: s}), method="simulation", start=[h], target_se=PRECISION * delta)
                for s, delta in zip(points, exact, strict=True)
            ]
            data[f"{name}/{site}/simulation"] = np.array([law.mean[0] - h for law in laws])
            data[f"{name}/{site}/error"] = np.array([law.standard_error[0] for law in laws])
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Slopes of the exact bias in little noise."""
    little = data["sigma"] <= LITTLE
    log = np.log(data["sigma"][little])
    return {
        f"{name}, {site}": float(np.polyfit(log, np.log(data[f"{name}/{site}/exact"][little]), 1)[0])
        for name in CASES
        for site in SITES
    }


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """A panel at a kink, and one where f is smooth."""
    made, axes = figure(TWO_COLUMNS, 2.7, 1, 2, sharey=True)
    slopes = headline(data)
    for ax, name in zip(axes, CASES, strict=True):
        for site in SITES:
            for method in METHODS:
                y = data.get(f"{name}/{site}/{method}")
                if y is None or not np.all(y > 1e-12):  # mean field does not see noise outside
                    continue
                ax.plot(data["sigma"], y, color=COLOUR[site], **LINES[method])
            y, error = data[f"{name}/{site}/simulation"], data[f"{name}/{site}/error"]
            simulated(ax, data["points"], y, error, COLOUR[site])
            at = len(data["sigma"]) // 3
            slope, where = round(slopes[f"{name}, {site}"]), (data["sigma"][at], data[f"{name}/{site}/exact"][at])
            power = r"\sigma" if slope == 1 else rf"\sigma^{slope}"
            ax.annotate(rf"$\propto {power}$", where, (4, -11), textcoords="offset points", color=COLOUR[site])
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(CASES[name])
        ax.set_xlabel(r"noise $\sigma$, per step")
    axes[0].set_ylabel(r"bias  $E[h] - h^*$")
    for site in SITES:
        axes[0].plot([], [], color=COLOUR[site], label=LABEL[site])
    axes[0].legend(loc="upper left")
    for method in METHODS:
        axes[1].plot([], [], color="0.3", label=method_label(method), **LINES[method])
    axes[1].errorbar([], [], [], fmt="o", color="0.3", markerfacecolor="white", label="simulation")
    axes[1].legend(loc="lower right")
    letters(axes)
    return made
