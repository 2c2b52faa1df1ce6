"""The bias grows with σ at a kink, and with σ² where the activation is smooth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.shift import curves, draw_curves, method_legend, slopes
from paper_figs.style import COLOUR, LABEL, SITES, TWO_COLUMNS, figure, letters, styled

CASES = {"relu": "at the kink of relu", "softplus": "softplus, where it bends most"}
METHODS = ("exact", "gaussian_closure", "mean_field", "small_noise")
GAMMA = 0.1
LITTLE = 0.1  # up to this σ the slopes are fitted


def compute(quick: bool = False) -> dict[str, Any]:
    """Bias of a neuron whose fixed point lies at the nonlinearity, by every method."""
    sigma, points = np.geomspace(0.01, 2.0, 13 if quick else 31), np.geomspace(0.02, 2.0, 7)
    data: dict[str, Any] = {"sigma": sigma, "points": points}
    for name in CASES:
        for site in SITES:

            def model(value: float, site: str = site) -> tuple[float, ct.Noise]:
                return GAMMA, ct.Noise(**{site: value})

            data |= curves(name, site, METHODS, sigma, points, model)
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Slopes of the exact bias in little noise."""
    return slopes(data, CASES, data["sigma"], LITTLE)


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """A panel at a kink, and one where f is smooth."""
    made, axes = figure(TWO_COLUMNS, 2.7, 1, 2, sharey=True)
    powers = headline(data)
    for ax, name in zip(axes, CASES, strict=True):
        draw_curves(ax, data, name, METHODS, "sigma")
        for site in SITES:
            at = len(data["sigma"]) // 3
            power, where = round(powers[f"{name}, {site}"]), (data["sigma"][at], data[f"{name}/{site}/exact"][at])
            text = r"$\propto \sigma$" if power == 1 else rf"$\propto \sigma^{power}$"
            ax.annotate(text, where, (4, -11), textcoords="offset points", color=COLOUR[site])
        ax.set_title(CASES[name])
        ax.set_xlabel(r"noise $\sigma$, per step")
    axes[0].set_ylabel(r"bias  $E[h] - h^*$")
    for site in SITES:
        axes[0].plot([], [], color=COLOUR[site], label=LABEL[site])
    axes[0].legend(loc="upper left")
    method_legend(axes[1], METHODS)
    letters(axes)
    return made
