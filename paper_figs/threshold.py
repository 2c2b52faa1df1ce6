"""The preferred noise of a network follows from its output's shift without noise, and from its output's variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import Run, over_noise, trained
from paper_figs.style import COLOUR, LABEL, SITES, TWO_COLUMNS, figure, letters, styled

EDGE = 2.0  # largest critical noise on the axis, in units of the training noise; larger ones are arrows at its end
NEAR = 0.1  # largest distance to the range between the two laws, in units of the training noise
WIDE = 0.2  # width of a confidence interval from which on a preferred level counts as unknown
GAIN = 1.05  # lowest ratio of the loss without noise to the lowest loss at which the level is used
NAMES = ("sigma", "preferred", "low", "high", "predicted", "sigma_c", "ratio", "runaway")


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the preferred level and σ_c = √(ν/2K) of networks for one task, trained with noise of many strengths."""
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
    """Test one network and return the numbers NAMES, with levels in units of the training noise."""
    found = ct.preference(net, run.task, noise=run.noise, repeats=repeats, workers=1)
    predicted = np.nan if found.predicted_preferred is None else found.predicted_preferred
    numbers = [found.preferred, *found.interval, predicted, found.sigma_c, found.ratio, np.max(found.runaway)]
    return [run.sigma, *(float(np.nan if x is None else x) for x in numbers)]


def smooth(c: np.ndarray) -> np.ndarray:
    """Return the preferred level, in units of σ_t, for a shift that grows with σ²: σ_pref² = σ_t² - ν/2K."""
    return np.sqrt(np.maximum(1.0 - c**2, 0.0))


def kinked(c: np.ndarray) -> np.ndarray:
    """Return it for a shift that grows with σ, as at a kink: L = K (σ - σ_t)² + ν σ² is lowest at σ_t K/(K + ν)."""
    return 1.0 / (1.0 + 2.0 * c**2)


def known(data: Mapping[str, Any], site: str) -> np.ndarray:
    """Return which networks have a known level; if rare trials run away, no sample has the expected loss."""
    width = data[f"{site}/high"] - data[f"{site}/low"]
    return (data[f"{site}/runaway"] == 0.0) & (width < WIDE)


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the errors of the closure's level, and the share of networks near the two laws that gain by noise."""
    whole = known(data, "inside")
    gap = np.abs(data["inside/preferred"] - data["inside/predicted"])[whole]
    above = whole & (data["inside/ratio"] > GAIN)
    x, y = data["inside/sigma_c"][above], data["inside/preferred"][above]
    laws = np.array([kinked(x), smooth(x)])
    between = (y > laws.min(axis=0) - NEAR) & (y < laws.max(axis=0) + NEAR)
    outside = known(data, "outside") & (data["outside/ratio"] > GAIN)
    return {
        "networks": float(data["inside/sigma"].size + data["outside/sigma"].size),
        "left out": float(sum(np.sum(~known(data, site)) for site in SITES)),
        "median gap to the closure": float(np.nanmedian(gap)),
        "largest gap to the closure": float(np.nanmax(gap)),
        "between the laws": float(np.mean(between)),
        "outside, gain by their noise": float(np.sum(outside)),
    }


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw preferred against training noise, and both in units of the training noise against the critical noise."""
    made, (left, right) = figure(TWO_COLUMNS, 2.9, 1, 2)
    _points(data, left, right)
    _of_training(data, left)
    _of_two_numbers(data, right)
    letters([left, right])
    return made


def _points(data: Mapping[str, Any], left: Axes, right: Axes) -> None:
    """Draw the networks on both axes."""
    for site in SITES:
        sigma, best, c = (data[f"{site}/{name}"] for name in ("sigma", "preferred", "sigma_c"))
        ends = np.abs(np.array([best - data[f"{site}/low"], data[f"{site}/high"] - best]))
        whole, gains = known(data, site), data[f"{site}/ratio"] > GAIN
        for chosen, fill in ((whole & gains, "white"), (whole & ~gains, COLOUR[site])):
            if not chosen.any():
                continue  # an empty errorbar would break the layout
            style = {"fmt": "o", "color": COLOUR[site], "markerfacecolor": fill, "elinewidth": 0.7, "clip_on": False}
            style |= {} if fill == "white" else {"markersize": 2.0, "alpha": 0.6}
            x, y, error = sigma[chosen], best[chosen], ends[:, chosen]
            left.errorbar(x, x * y, x * error, **style)
            for part, marker in ((c[chosen] <= EDGE, "o"), (c[chosen] > EDGE, ">")):
                if part.any():
                    place = np.minimum(c[chosen][part], EDGE)
                    right.errorbar(place, y[part], error[:, part], **style | {"fmt": marker})


def _of_training(data: Mapping[str, Any], left: Axes) -> None:
    """Draw what belongs to the axis of the training noise."""
    left.plot([0.0, 1.6], [0.0, 1.6], color="0.75", linewidth=0.8, zorder=0)
    left.annotate("as in training", (0.55, 0.6), rotation=38, color="0.5", fontsize=7, ha="center")
    left.set_xlabel(r"training noise $\sigma_t$")
    left.set_ylabel(r"preferred noise $\sigma_\mathrm{pref}$")
    left.set_title("preferred against training noise")
    for site in SITES:
        left.errorbar([], [], [], fmt="o", color=COLOUR[site], markerfacecolor="white", label=LABEL[site])
    left.plot([], [], "o", color="0.4", markersize=2.0, label=f"gains less than {GAIN - 1.0:.0%} by its noise")
    if count := int(headline(data)["left out"]):
        left.plot([], [], " ", label=f"({count} left out: rare trials run away)")
    left.legend(loc="upper left")


def _of_two_numbers(data: Mapping[str, Any], right: Axes) -> None:
    """Draw the two laws and the predictions of the closure."""
    c = np.linspace(0.0, EDGE, 300)
    right.plot(
        c, smooth(c), color="black", label=r"shift $\propto \sigma^2$:  $\sigma_\mathrm{pref}^2 = \sigma_t^2 - \nu/2K$"
    )
    right.plot(c, kinked(c), "--", color="black", label=r"shift $\propto \sigma$, at a kink")
    whole = known(data, "inside")
    places = data["inside/sigma_c"][whole], data["inside/predicted"][whole]
    right.plot(*places, "+", color="black", markersize=4, zorder=4, label="closure")
    if beyond := sum(int(np.sum(data[f"{site}/sigma_c"][known(data, site)] > EDGE)) for site in SITES):
        right.plot([], [], ">", color="0.4", markersize=2.5, label=f"{beyond} further to the right")
    right.set_xlim(0.0, EDGE + 0.03)
    right.set_ylim(-0.03, 1.1)
    right.set_xlabel(r"critical over training noise, $\sqrt{\nu/2K}\,/\,\sigma_t$")
    right.set_ylabel(r"$\sigma_\mathrm{pref}\,/\,\sigma_t$")
    right.set_title(r"by the two numbers $K$ and $\nu$")
    right.legend(loc="upper right")
