"""Noise inside smooths the activation, and shifts fixed points where it bends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import ctrnn_theory as ct
from paper_figs.style import COLOUR, LABEL, LINES, SITES, TWO_COLUMNS, figure, letters, method_label, simulated, styled

ACTIVATIONS = ("relu", "softplus", "tanh", "hardtanh")
SIGMA = 0.5
SMOOTHED = (0.5, 1.0)
W, GAMMA = 0.5, 0.2
UNSEEN = 1e-6  # σ; a smaller bias comes from crossings that are too rare for the simulation
B = {"hardtanh": 0.5, "tanh": 0.25}  # entry of b with which the nonlinearity on the right is the nearest


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute activations with their smoothing, and the bias of a neuron against its distance to the nonlinearity."""
    x = np.linspace(-3.0, 3.0, 241)
    data: dict[str, Any] = {"x": x}
    for name in ACTIVATIONS:
        f = ct.activation(name)
        data[f"{name}/f"] = f(x)
        data[f"{name}/F"] = np.array([f.smoothed(x, s) for s in SMOOTHED])
        net = ct.CTRNN.single(w=W, b=B.get(name, 0.0), activation=name, gamma=GAMMA)
        for site in SITES:
            curve = ct.bias_curve(net, ct.Noise(**{site: SIGMA}), methods=("exact", "gaussian_closure", "simulation"))
            for method in ("exact", "gaussian_closure", "simulation"):
                data[f"{name}/{site}/{method}"] = np.array([curve.distance[method], curve.bias[method] / SIGMA])
            data[f"{name}/{site}/error"] = curve.standard_error / SIGMA
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the largest bias of relu at both sites, in σ, and the errors of simulation and closure."""
    found = {f"relu, {site}": float(np.max(data[f"relu/{site}/exact"][1])) for site in SITES}
    gaps = []
    for name in ACTIVATIONS:
        for site in SITES:
            x, y = data[f"{name}/{site}/simulation"]
            exact = np.interp(x, *data[f"{name}/{site}/exact"])
            at = np.isclose(x[:, None], data[f"{name}/{site}/exact"][0]).any(
                axis=1
            )  # points that need no interpolation
            error = np.hypot(data[f"{name}/{site}/error"], UNSEEN)
            gaps.append(np.nanmax(np.abs(y - exact)[at] / error[at]))
    closure = [
        np.nanmax(np.abs(data[f"{name}/inside/gaussian_closure"][1] - data[f"{name}/inside/exact"][1]))
        for name in ACTIVATIONS
    ]
    at_kink = float(data["relu/F"][1][np.argmin(np.abs(data["x"]))])
    return found | {"gap": float(np.max(gaps)), "closure": float(np.max(closure)), "F(0; 1)": at_kink}


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw f and its smoothing in the upper row, and the shift of the state in the lower row."""
    made, axes = figure(TWO_COLUMNS, 3.7, 2, 4, sharex="row")
    for top, bottom, name in zip(*axes, ACTIVATIONS, strict=True):
        top.plot(data["x"], data[f"{name}/f"], color="black", label="$f(a)$")
        for s, F, alpha in zip(SMOOTHED, data[f"{name}/F"], (0.55, 1.0), strict=True):
            top.plot(data["x"], F, color=COLOUR["inside"], alpha=alpha, label=rf"$F(a; \sigma = {s:g})$")
        top.set_title(name)
        top.set_xlabel("pre-activation $a$")
        bottom.axhline(0.0, color="0.7", linewidth=0.6)
        bottom.axvline(0.0, color="0.85", linewidth=0.6)
        for site in SITES:
            for method in ("exact", "gaussian_closure"):
                bottom.plot(*data[f"{name}/{site}/{method}"], color=COLOUR[site], **LINES[method])
            x, y = data[f"{name}/{site}/simulation"]
            simulated(bottom, x, y, data[f"{name}/{site}/error"], COLOUR[site], label=f"{LABEL[site]}, simulated")
        bottom.set_xlabel("distance to the bend $k$\n" + r"$(a^* - k)\,/\,\sigma$")
        bottom.set_xticks([-4, -2, 0, 2, 4])
    axes[0, 0].set_ylabel("activation")
    axes[1, 0].set_ylabel(r"bias  $(E[h] - h^*)\,/\,\sigma$")
    axes[0, 0].legend()
    shown = ("exact", "gaussian_closure")
    lines = [Line2D([], [], color="0.3", label=method_label(name), **LINES[name]) for name in shown]
    made.legend(handles=[*axes[1, 0].get_legend_handles_labels()[0], *lines], loc="outside lower center", ncols=4)
    letters(axes)
    return made
