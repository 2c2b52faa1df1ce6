"""The noise-induced bias grows with σ at a kink, and with σ² where the activation is smooth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from ctrnn_theory import plotting
from paper_figs.shift import curves, draw_curves, method_legend, slopes
from paper_figs.style import COLOUR, LABEL, SITES, TWO_COLUMNS, figure, letters, method_label, styled

CASES = {"relu": "at the kink of relu", "softplus": "softplus, where it bends most"}
METHODS = ("exact", "gaussian_closure", "small_noise")
ALL = ("mean_field", "small_noise", "fokker_planck", "gaussian_closure", "cumulant_closure")
MARKED: dict[str, Any] = {"linewidth": 0.8, "markersize": 3, "markevery": 2}
GAMMA = 0.1
WEAK = 0.1  # largest σ in the fit of the slopes


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the noise-induced bias of a neuron with its fixed point at the nonlinearity by all methods."""
    sigma, points = np.geomspace(0.01, 2.0, 9 if quick else 31), np.geomspace(0.02, 2.0, 7)
    data: dict[str, Any] = {"sigma": sigma, "points": points}
    for name in CASES:
        for site in SITES:

            def model(value: float, site: str = site) -> tuple[float, ct.Noise]:
                return GAMMA, ct.Noise(**{site: value})

            data |= curves(name, site, ("exact", *ALL), sigma, points, model)
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the slopes of the exact bias under weak noise."""
    return slopes(data, CASES, data["sigma"], WEAK)


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the bias above and the errors of all methods below, at a kink and where f is smooth."""
    made, axes = figure(TWO_COLUMNS, 4.4, 2, 2, sharey="row", sharex=True, height_ratios=[1.2, 1.0])
    powers = headline(data)
    for ax, below, name in zip(*axes, CASES, strict=True):
        draw_curves(ax, data, name, METHODS, "sigma")
        for site in SITES:
            at = len(data["sigma"]) // 3
            power, where = round(powers[f"{name}, {site}"]), (data["sigma"][at], data[f"{name}/{site}/exact"][at])
            text = r"$\propto \sigma$" if power == 1 else rf"$\propto \sigma^{power}$"
            ax.annotate(text, where, (4, -11), textcoords="offset points", color=COLOUR[site])
        ax.set_title(CASES[name])
        for method in ALL:
            bias, exact = data.get(f"{name}/inside/{method}"), data[f"{name}/inside/exact"]
            error = np.full(exact.shape, np.nan) if bias is None else np.abs(bias / exact - 1.0)
            style = MARKED | {key: plotting.STYLE[method][key] for key in ("color", "marker")}
            below.plot(data["sigma"], error, label=method_label(method), **style)
        below.set_yscale("log")
        below.set_ylim(1e-7, 1.0)
        below.set_title("error of the methods, noise inside")
        below.set_xlabel(r"noise $\sigma$, per step")
    axes[0, 0].set_ylabel(r"bias  $E[h] - h^*$")
    axes[1, 0].set_ylabel("relative error of the bias")
    for site in SITES:
        axes[0, 0].plot([], [], color=COLOUR[site], label=LABEL[site])
    axes[0, 0].legend(loc="upper left")
    method_legend(axes[0, 1], METHODS)
    axes[1, 0].legend(loc="upper left", ncols=2)
    letters(axes)
    return made
