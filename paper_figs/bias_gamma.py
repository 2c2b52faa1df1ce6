"""Noise inside shifts the mean at any step; the shift by noise outside vanishes as the step becomes short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.shift import curves, draw_curves, method_legend, slopes
from paper_figs.style import COLOUR, LABEL, SITES, TWO_COLUMNS, figure, letters, styled

CASES = {"softplus": "smooth: softplus", "relu": "at the kink of relu"}
OUTSIDE = {"softplus": r"$\propto \gamma$", "relu": r"$\propto \sqrt{\gamma}$"}
METHODS = ("exact", "gaussian_closure", "small_noise")
SIGMA = 0.3
SHORT = 0.1  # largest γ in the fit of the slopes


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the noise-induced bias of a neuron with its fixed point at the nonlinearity, against γ."""
    gamma, points = np.geomspace(0.003, 1.0, 11 if quick else 26), np.geomspace(0.01, 1.0, 6)
    data: dict[str, Any] = {"gamma": gamma, "points": points}
    for name in CASES:
        for site in SITES:

            def model(value: float, site: str = site) -> tuple[float, ct.Noise]:
                return value, ct.Noise(**{site: SIGMA})

            data |= curves(name, site, METHODS, gamma, points, model)
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the slopes of the exact bias at short steps."""
    return slopes(data, CASES, data["gamma"], SHORT)


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw one panel for a smooth f, and one at a kink."""
    made, axes = figure(TWO_COLUMNS, 2.7, 1, 2, sharey=True)
    for ax, name in zip(axes, CASES, strict=True):
        draw_curves(ax, data, name, METHODS, "gamma")
        for site, law, offset in (("inside", "constant", (0, -13)), ("outside", OUTSIDE[name], (6, -10))):
            at = len(data["gamma"]) // 4
            where = (data["gamma"][at], data[f"{name}/{site}/exact"][at])
            ax.annotate(f"{LABEL[site]}: {law}", where, offset, textcoords="offset points", color=COLOUR[site])
        ax.set_title(CASES[name])
        ax.set_xlabel(r"step over time constant, $\gamma = \Delta t / \tau$")
    axes[0].set_ylabel(r"bias  $E[h] - h^*$")
    method_legend(axes[1], METHODS)
    letters(axes)
    return made
