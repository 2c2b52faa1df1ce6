"""Variability of a pair of excitatory and inhibitory neurons with power-law activations against its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import ctrnn_theory as ct
from paper_figs.style import TWO_COLUMNS, figure, letters, simulated, styled

W = ((1.25, -0.65), (1.2, -0.5))
POWER = "0.3*Max(0, x)**2"
TAU, TAU_NOISE, STEP = np.array([20.0, 10.0]), 50.0, 0.1  # ms
STRENGTH = np.array([0.2, 0.1])
"""Standard deviations of the noise per √(1 + τ/τ_c), mV."""
NEURONS = {"excitatory": "#D55E00", "inhibitory": "#0072B2"}
AT = 2.0
"""Input at which numbers are given, mV."""


def model() -> tuple[ct.CTRNN, ct.Noise]:
    """Return the pair in voltage form and its noise, which is filtered by a time constant of its own."""
    net = ct.CTRNN(W, 0.0, POWER, STEP / TAU, W_in=[[1.0], [1.0]], form="voltage")
    strength = STRENGTH * np.sqrt(1.0 + TAU / TAU_NOISE)
    return net, ct.Noise.from_time_constant(TAU_NOISE, STEP, outside=strength)


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute mean and standard deviation of both potentials against the input."""
    net, noise = model()
    inputs = np.unique(np.append(np.linspace(0.0, 15.0, 11 if quick else 46), AT))
    points = np.array([0.0, AT, 6.0, 15.0]) if quick else np.array([0.0, 1.0, AT, 4.0, 7.0, 11.0, 15.0])
    closure = [ct.predict(net, noise, [u]) for u in inputs]
    options = {"steps": 10_000 if quick else 100_000}
    found = [ct.predict(net, noise, [u], "simulation", rng=i, **options) for i, u in enumerate(points)]
    return {
        "inputs": inputs,
        "points": points,
        "closure/mean": np.array([law.mean for law in closure]),
        "closure/std": np.array([law.std for law in closure]),
        "simulation/mean": np.array([law.mean for law in found]),
        "simulation/std": np.array([law.std for law in found]),
        "error/mean": np.array([law.standard_error for law in found]),
        "error/std": np.array([law.details["variance_standard_error"] / (2.0 * law.std) for law in found]),
    }


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return means and standard deviations at one input."""
    found: dict[str, float] = {}
    for way, where in (("closure", "inputs"), ("simulation", "points")):
        row = int(np.flatnonzero(data[where] == AT)[0])
        for moment in ("mean", "std"):
            for i, neuron in enumerate(NEURONS):
                found[f"{moment}, {neuron}, {way}"] = float(data[f"{way}/{moment}"][row, i])
                if way == "simulation":
                    found[f"{moment}, {neuron}, error"] = float(data[f"error/{moment}"][row, i])
    return found


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the means and the standard deviations."""
    made, axes = figure(TWO_COLUMNS, 2.7, 1, 2)
    for ax, moment in zip(axes, ("mean", "std"), strict=True):
        for i, (neuron, colour) in enumerate(NEURONS.items()):
            ax.plot(data["inputs"], data[f"closure/{moment}"][:, i], color=colour, label=neuron)
            points = (data[f"{way}/{moment}"][:, i] for way in ("simulation", "error"))
            simulated(ax, data["points"], *points, colour=colour)
        ax.set_xlabel("input (mV)")
    axes[0].set_ylabel("mean potential (mV)")
    axes[1].set_ylabel("standard deviation (mV)")
    axes[0].legend()
    points = {"marker": "o", "color": "0.3", "markerfacecolor": "white", "linestyle": "none", "label": "simulation"}
    axes[1].legend(handles=[Line2D([], [], color="0.3", label="Gaussian closure"), Line2D([], [], **points)])
    letters(axes)
    return made
