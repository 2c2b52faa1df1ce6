"""Noise moves the mean of a neuron by what reaches the bend of its activation, whatever kind of noise it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.style import TWO_COLUMNS, figure, letters, simulated, styled

NET = {"w": -0.5, "b": 1.0, "activation": "softplus", "gamma": 0.1}
RHO = 0.9
INSIDE = {"white": "#0072B2", "coloured": "#009E73", "gain": "#D55E00"}
OUTSIDE = {"white": "#0072B2", "coloured": "#009E73", "gain": "#D55E00", "dropout": "#CC79A7"}
KINDS = tuple((site, kind) for site, kinds in (("inside", INSIDE), ("outside", OUTSIDE)) for kind in kinds)
WORDS = {
    "white": "white",
    "coloured": rf"coloured, $\rho = {RHO:g}$",
    "gain": "multiplicative",
    "dropout": "dropout",
}
NAMES = {"white": "white", "coloured": "coloured", "gain": "multiplicative", "dropout": "dropout"}
STYLES = {"white": "-", "coloured": "-", "gain": "--", "dropout": ":"}
"""Line styles, since some of the curves lie on each other."""
TITLES = {"inside": "noise inside the activation", "outside": "noise outside"}


def noise_of(site: str, kind: str, sigma: float, alpha: float, value: float) -> ct.Noise:
    """Return noise of a kind whose standard deviation in a step is σ at the noise-free fixed point."""
    if kind == "dropout":
        return ct.Noise.dropout(1.0 / (1.0 + (sigma / value) ** 2))
    if kind == "gain":
        return ct.Noise(**{f"gain_{site}": sigma / (abs(alpha) if site == "inside" else value)})
    rho = {f"rho_{site}": RHO} if kind == "coloured" else {}
    return ct.Noise(**{site: sigma}, **rho)


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the noise-induced bias of one neuron against the standard deviation of each kind of noise."""
    net = ct.CTRNN.single(**NET)
    rest = ct.predict(net, ct.Noise(), method="deterministic").mean
    alpha, value = float(net.preactivation(rest)[0]), float(rest[0])
    sigma, points = np.linspace(0.0, 0.8, 9 if quick else 33)[1:], np.array([0.2, 0.4, 0.6, 0.8])
    data: dict[str, Any] = {"sigma": sigma, "points": points, "rest": value}
    for site, kind in KINDS:
        laws = [ct.predict(net, noise_of(site, kind, s, alpha, value)) for s in sigma]
        data[f"{site}/{kind}/closure"] = np.array([law.mean[0] - value for law in laws])
        found = [
            ct.predict(
                net,
                noise_of(site, kind, s, alpha, value),
                method="simulation",
                target_se=2e-4 if quick else 5e-5,
                rng=i,
            )
            for i, s in enumerate(points)
        ]
        data[f"{site}/{kind}/simulation"] = np.array([law.mean[0] - value for law in found])
        data[f"{site}/{kind}/error"] = np.array([law.standard_error[0] for law in found])
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the bias by each kind of noise in units of that by white noise inside, at the largest σ, and gaps."""
    white = data["inside/white/closure"][-1]
    found = {f"{NAMES[kind]}, {site}": float(data[f"{site}/{kind}/closure"][-1] / white) for site, kind in KINDS}
    gaps = []
    for site, kind in KINDS:
        closure = np.interp(data["points"], data["sigma"], data[f"{site}/{kind}/closure"])
        # the closure is good to a per cent of the bias, and its curve is drawn by straight lines
        allowed = data[f"{site}/{kind}/error"] + 0.02 * np.abs(closure)
        gaps.append(np.max(np.abs(data[f"{site}/{kind}/simulation"] - closure) / allowed))
    return {**found, "largest gap": float(max(gaps))}


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw one panel for the noise inside, and one for the noise outside."""
    made, axes = figure(TWO_COLUMNS, 2.7, 1, 2)
    for ax, (site, kinds) in zip(axes, (("inside", INSIDE), ("outside", OUTSIDE)), strict=True):
        for kind, colour in kinds.items():
            ax.plot(
                data["sigma"], 100.0 * data[f"{site}/{kind}/closure"], STYLES[kind], color=colour, label=WORDS[kind]
            )
            points = (100.0 * data[f"{site}/{kind}/{part}"] for part in ("simulation", "error"))
            simulated(ax, data["points"], *points, colour=colour)
        ax.set_title(TITLES[site])
        ax.set_xlabel(r"standard deviation of the noise in a step, at $h^*$")
        ax.legend()
    axes[0].set_ylabel(r"bias  $100\,(E[h] - h^*)$")
    letters(axes)
    return made
