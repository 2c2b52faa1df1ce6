"""Where noise inside is not preferred, and why: no shift, too much variance, or a shift that something else removes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import PROGRESS
from paper_figs.style import COLOUR, TWO_COLUMNS, figure, letters, styled

SEEDS = (10, 11, 12, 13, 14)
SIGMA = 0.5
LEVELS = np.array([0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5])


class Case(NamedTuple):
    """Networks that prefer no noise, or hardly any."""

    title: str
    """Title of the panel."""
    reason: str
    """Why they do not, in the terms of the theory."""
    task: Any
    """Task, or its name."""
    neurons: int
    """Number of neurons."""
    alpha: float = 1.5
    """Strength of the hidden weights; b is up to 4/3 of it."""


TASKS = ct.training.tasks
CASES = {
    "usual": Case("as a rule", r"$\nu \ll K$", "function", 256),
    "weights": Case("large weights", r"$\sigma_t \ll \alpha$: $K < \nu$", "function", 256, alpha=16.0),
    "linear": Case("linear target", "no shift: $K = 0$", TASKS.Function(target="x"), 256),
    "variance": Case("few neurons", r"no leak: $\nu > 2K$", "feedforward", 64),
    "residual": Case("large residual", "shift not trained out", TASKS.Function(target="sin(4*pi*x)"), 64),
}


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the predicted loss against test noise with its two parts, for several networks of each case."""
    data: dict[str, Any] = {"levels": LEVELS}
    for done, (name, case) in enumerate(CASES.items()):
        PROGRESS.get()(done, len(CASES), "cases")
        found = [_tested(case, seed) for seed in (SEEDS[:3] if quick else SEEDS)]
        data |= {f"{name}/{key}": np.array([one[key] for one in found]) for key in found[0]}
    return data


def _tested(case: Case, seed: int) -> dict[str, Any]:
    """Train a network of one seed and predict its loss at all levels."""
    noise = ct.Noise(inside=SIGMA)
    settings = {"alpha": case.alpha, "beta": case.alpha * 4.0 / 3.0, "rng": seed}
    found = ct.train(case.task, case.neurons, noise=noise, method="decoders", **settings)
    tested = ct.preference(found.network, found.task, LEVELS, noise=noise, simulate=False)
    return {
        "bias": tested.predicted_bias,
        "variance": tested.predicted_variance,
        "preferred": tested.predicted_preferred,
        "K": tested.K,
        "nu": tested.nu,
    }


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the median preferred level, the gain by noise, ν/2K and the squared bias left over K, for each case."""
    found = {}
    at = int(np.argmin(np.abs(LEVELS - 1.0)))
    for name in CASES:
        loss = data[f"{name}/bias"] + data[f"{name}/variance"]
        K, nu = data[f"{name}/K"], data[f"{name}/nu"]
        found |= {
            f"{name}, preferred": np.median(data[f"{name}/preferred"]),
            f"{name}, ratio": np.median(loss[:, 0] / loss.min(axis=1)),
            f"{name}, nu/2K": np.median(nu / (2.0 * K)),
            f"{name}, left over K": np.median(data[f"{name}/bias"][:, at] / K),
        }
    return {name: float(value) for name, value in found.items()}


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the loss and its parts against test noise, in units of the loss at the training noise."""
    made, axes = figure(TWO_COLUMNS, 2.3, 1, len(CASES), sharey=True)
    for ax, (name, case) in zip(axes, CASES.items(), strict=True):
        _parts(ax, data, name)
        ax.set_title(case.title)
        ax.text(0.03, 0.97, case.reason, transform=ax.transAxes, va="top", fontsize=7)
    axes[0].set_ylabel("loss over that in training")
    handles, labels = axes[0].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside lower center", ncols=4)
    letters(axes)
    return made


def _parts(ax: Axes, data: Mapping[str, Any], name: str) -> None:
    bias, variance = data[f"{name}/bias"], data[f"{name}/variance"]
    loss = bias + variance
    unit = loss[:, [int(np.argmin(np.abs(LEVELS - 1.0)))]]
    ax.axvline(1.0, color="0.8", linewidth=0.8, zorder=0)
    ax.plot(LEVELS, (loss / unit).T, color=COLOUR["inside"], linewidth=0.5, alpha=0.5)
    for values, style, label in ((loss, "-", "loss"), (bias, "--", "squared bias"), (variance, ":", "variance")):
        ax.plot(LEVELS, np.median(values / unit, axis=0), style, color=COLOUR["inside"], label=label)
    preferred = data[f"{name}/preferred"]
    heights = [np.interp(level, LEVELS, row) for level, row in zip(preferred, loss / unit, strict=True)]
    ax.plot(
        preferred, heights, "D", color=COLOUR["inside"], markersize=3, clip_on=False, label="least loss, each network"
    )
    ax.set(xlim=(-0.04, 1.54), ylim=(0.0, 2.7), xlabel=r"$\sigma\,/\,\sigma_t$")
