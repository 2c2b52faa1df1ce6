"""Accuracy against cost: the error of each method after its seconds, and the steps that control variates save."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

import ctrnn_theory as ct
from ctrnn_theory import plotting
from paper_figs.style import TWO_COLUMNS, figure, letters, method_label, styled

METHODS = ("mean_field", "gaussian_closure", "cumulant_closure", "fokker_planck")
CASES = {"one": "one neuron, relu", "eight": "eight neurons, tanh"}
NOISE = ct.Noise(inside=0.5)
REFERENCE = 2e-6  # standard error of the simulated mean of eight neurons with which the methods are compared


def networks() -> dict[str, ct.CTRNN]:
    """Return one neuron, and a random network of eight."""
    rng = np.random.default_rng(3)
    W = 0.5 * rng.standard_normal((8, 8)) / np.sqrt(8.0)
    eight = ct.CTRNN(W, 0.3 * rng.standard_normal(8), activation="tanh", gamma=0.1)
    return {"one": ct.CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1), "eight": eight}


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the largest error of the mean over neurons, and the least seconds of a few runs after the first."""
    data: dict[str, Any] = {}
    steps = np.geomspace(1e2, 1e4 if quick else 1e6, 5 if quick else 9).astype(int)
    for name, net in networks().items():
        if net.n == 1:
            truth, error = ct.predict(net, NOISE, method="exact").mean, 0.0
        else:
            law = ct.predict(net, NOISE, method="simulation", target_se=(10.0 if quick else 1.0) * REFERENCE, rng=1)
            truth, error = law.mean, float(np.max(law.standard_error))
        data[f"{name}/reference"] = error
        for method in METHODS:
            if method == "fokker_planck" and net.n > 3:
                continue
            laws = [ct.predict(net, NOISE, method=method) for _ in range(4)]
            gap = float(np.max(np.abs(laws[0].mean - truth)))
            data[f"{name}/{method}"] = np.array([min(law.seconds for law in laws[1:]), gap])
        rows = []
        for n in steps:
            options = {"method": "simulation", "steps": int(n), "workers": 1}
            for control in (True, False):
                tries = 3 if n <= 10_000 else 1  # repetitions give the same numbers, and different times
                laws = [ct.predict(net, NOISE, control_variate=control, **options) for _ in range(tries)]
                law = min(laws, key=lambda law: law.seconds)
                rows.append([law.seconds, np.max(law.standard_error)])
        data[f"{name}/simulation"], data[f"{name}/plain"] = np.array(rows[::2]).T, np.array(rows[1::2]).T
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the factor of steps that control variates save, and the error of the closure."""
    found = {}
    for name in CASES:
        plain, controlled = data[f"{name}/plain"][1][-1], data[f"{name}/simulation"][1][-1]
        found[f"{name}, saved"] = float((plain / controlled) ** 2)
        found[f"{name}, closure"] = float(data[f"{name}/gaussian_closure"][1])
    return found


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw a panel for each network, with seconds and error on logarithmic axes."""
    made, axes = figure(TWO_COLUMNS, 2.7, 1, 2, sharey=True)
    for ax, name in zip(axes, CASES, strict=True):
        for method in METHODS:
            if f"{name}/{method}" in data:
                style = {key: plotting.STYLE[method][key] for key in ("color", "marker")}
                ax.plot(*data[f"{name}/{method}"], linestyle="none", markersize=6, label=method_label(method), **style)
        for key, line, label in (
            ("plain", {"linestyle": "--", "markerfacecolor": "white"}, "simulation, plain"),
            ("simulation", {"linestyle": "-"}, "simulation, control variates"),
        ):
            ax.plot(*data[f"{name}/{key}"], marker="o", color="black", label=label, **line)
        error = data[f"{name}/reference"]
        if error > 0.0:
            ax.axhspan(0.0, error, color="0.92", zorder=0)
            ax.text(0.03, 0.03, "standard error of the reference", fontsize=6.5, color="0.4", transform=ax.transAxes)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
        slowest = max(np.max(data[f"{name}/{key}"][0]) for key in ("plain", "simulation"))
        ax.set_xlim(1e-3, 10.0 ** np.ceil(np.log10(slowest)))
        ax.set_title(CASES[name])
        ax.set_xlabel("seconds, one core")
    axes[0].set_ylabel("error of the mean, or its standard error")
    made.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    letters(axes)
    return made
