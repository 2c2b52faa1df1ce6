"""Colours, lines and markers that the pictures share."""

from __future__ import annotations

from typing import Any

# colours of Okabe and Ito, told apart by readers of any colour vision
STYLE: dict[str, dict[str, Any]] = {
    "deterministic": {"color": "0.6", "linestyle": "-", "marker": "_", "linewidth": 1.0},
    "mean_field": {"color": "#56B4E9", "linestyle": "--", "marker": "v"},
    "small_noise": {"color": "#E69F00", "linestyle": ":", "marker": "^"},
    "gaussian_closure": {"color": "#009E73", "linestyle": "-.", "marker": "s"},
    "cumulant_closure": {"color": "#117733", "linestyle": (0, (3, 1, 1, 1)), "marker": "d"},
    "fokker_planck": {"color": "#882255", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "P"},
    "exact": {"color": "0.78", "linestyle": "-", "marker": "D", "linewidth": 5.0, "zorder": 1.5},
    "kink_block": {"color": "#0072B2", "linestyle": (0, (1, 2)), "marker": "x"},
    "simulation": {"color": "#D55E00", "linestyle": "none", "marker": "o"},
}
NEURONS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
ABOVE: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}  # a legend beside the data


def line_style(name: str) -> dict[str, Any]:
    """Keywords of a method's line."""
    return {key: value for key, value in STYLE[name].items() if key != "marker"}


def method_label(name: str) -> str:
    """Name of a method, as a legend shows it."""
    return "Fokker–Planck" if name == "fokker_planck" else name.replace("_", " ")
