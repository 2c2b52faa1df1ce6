"""How much noise a network prefers follows from two numbers: what its output moves without noise, and its variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import Run, over_noise, trained
from paper_figs.style import COLOUR, LABEL, SITES, TWO_COLUMNS, figure, letters, styled

NAMES = ("sigma", "preferred", "low", "high", "predicted", "sigma_c", "ratio", "runaway")


def compute(quick: bool = False) -> dict[str, Any]:
    """Preferred level of networks for one task, trained with noise of many strengths, and σ_c = √(ν/2K) of each."""
    from joblib import Parallel, delayed

    found = trained(over_noise(quick), quick)
    repeats = 64 if quick else 256
    rows = Parallel(n_jobs=1 if quick else -1)(delayed(_tested)(run, net, repeats) for run, net in found.items())
    data: dict[str, Any] = {}
    for site in SITES:
        columns = np.array([row for run, row in zip(found, rows, strict=True) if run.site == site]).T
        data |= {f"{site}/{name}": column for name, column in zip(NAMES, columns, strict=True)}
    return data


def _tested(run: Run, net: ct.CTRNN, repeats: int) -> list[float]:
    """Test one network; levels in units of the training noise."""
    found = ct.preference(net, run.task, noise=run.noise, repeats=repeats, workers=1)
    predicted = np.nan if found.predicted_preferred is None else found.predicted_preferred
    numbers = [found.preferred, *found.interval, predicted, found.sigma_c, found.ratio, np.max(found.runaway)]
    return [run.sigma, *(float(np.nan if x is None else x) for x in numbers)]


def smooth(c: np.ndarray) -> np.ndarray:
    """Preferred level where the shift of the mean goes with σ²: σ_pref² = σ_t² - ν/2K, in units of σ_t."""
    return np.sqrt(np.maximum(1.0 - c**2, 0.0))


def kinked(c: np.ndarray) -> np.ndarray:
    """The same where the shift goes with σ, as at a kink: L = K (σ - σ_t)² + ν σ² is least at σ_t K/(K + ν)."""
    return 1.0 / (1.0 + 2.0 * c**2)


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Largest difference of the preferred level to the closure's; the share of networks between the two laws."""
    whole = data["inside/runaway"] == 0.0
    gap = np.abs(data["inside/preferred"] - data["inside/predicted"])[whole]
    above = whole & (data["inside/sigma_c"] < 1.0)
    x, y = data["inside/sigma_c"][above], data["inside/preferred"][above]
    between = (y > kinked(x) - 0.1) & (y < smooth(x) + 0.1)
    return {
        "networks": float(data["inside/sigma"].size + data["outside/sigma"].size),
        "median gap to the closure": float(np.nanmedian(gap)),
        "between the laws": float(np.mean(between)),
        "outside, largest": float(np.max(data["outside/preferred"])),
    }


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Preferred against training noise, and in units of it against the critical one."""
    made, (left, right) = figure(TWO_COLUMNS, 2.9, 1, 2)
    for site in SITES:
        sigma, best = data[f"{site}/sigma"], data[f"{site}/preferred"]
        ends = np.abs(np.array([best - data[f"{site}/low"], data[f"{site}/high"] - best]))
        options = {"fmt": "o", "color": COLOUR[site], "markerfacecolor": "white", "elinewidth": 0.7, "clip_on": False}
        left.errorbar(sigma, sigma * best, sigma * ends, label=LABEL[site], **options)
        c = np.minimum(data[f"{site}/sigma_c"], EDGE)
        right.errorbar(c, best, ends, **options)
    left.plot([0.0, 1.6], [0.0, 1.6], color="0.75", linewidth=0.8, zorder=0)
    left.annotate("as in training", (1.15, 1.2), rotation=38, color="0.5", fontsize=7, ha="center")
    left.set_xlabel(r"training noise $\sigma_t$")
    left.set_ylabel(r"preferred noise $\sigma_\mathrm{pref}$")
    left.set_title("preferred against training noise")
    left.legend(loc="upper left")
    c = np.linspace(0.0, EDGE, 300)
    right.plot(
        c, smooth(c), color="black", label=r"shift $\propto \sigma^2$:  $\sigma_\mathrm{pref}^2 = \sigma_t^2 - \nu/2K$"
    )
    right.plot(c, kinked(c), "--", color="black", label=r"shift $\propto \sigma$, at a kink")
    right.plot(data["inside/sigma_c"], data["inside/predicted"], "+", color="black", markersize=4, label="closure")
    right.set_xlim(0.0, EDGE + 0.03)
    right.set_ylim(-0.03, 1.1)
    right.set_xlabel(r"critical over training noise, $\sqrt{\nu/2K}\,/\,\sigma_t$")
    right.set_ylabel(r"$\sigma_\mathrm{pref}\,/\,\sigma_t$")
    right.set_title("predicted by two numbers")
    right.legend(loc="upper right")
    letters([left, right])
    return made


EDGE = 2.0  # of the critical noise, in units of the training noise; beyond are points at the edge
