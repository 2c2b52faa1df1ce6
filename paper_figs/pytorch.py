"""Three networks that PyTorch trained with noise inside: loss against test noise, and loss after repair."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import PROGRESS
from paper_figs.style import COLOUR, TWO_COLUMNS, figure, letters, styled

FOLDER = Path(__file__).parent / "torch_networks"
ACTIVATIONS = ("relu", "softplus", "tanh")
LEVELS, QUICK = np.arange(16) / 10.0, np.array([0.0, 0.5, 0.9, 1.0, 1.1, 1.5])
REPAIRED = "#009E73"


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the loss of each network at each level of the noise, and without noise once it is repaired."""
    levels, noise = QUICK if quick else LEVELS, ct.Noise(inside=1.0)
    data: dict[str, Any] = {"levels": levels}
    episode = ct.training.tasks.Function().episode(np.random.default_rng(0))
    inputs, targets = (np.repeat(part, episode.w.size, axis=0) for part in (episode.u, episode.y))
    task = (inputs, targets, episode.w)
    for done, name in enumerate(ACTIVATIONS):
        PROGRESS.get()(done, len(ACTIVATIONS), name)
        net, _ = ct.load_network(FOLDER / f"{name}.npz", alpha=0.1, sigma=1.0, activation=name)
        found = ct.preference(net, task, levels, noise=noise, repeats=16 if quick else 256)
        repaired = ct.noise_free(net, noise)
        after = ct.preference(repaired, task, [0.0, 1.0], noise=noise, repeats=3, predict=False)
        data |= {
            f"{name}/loss": found.loss,
            f"{name}/predicted": found.predicted_bias + found.predicted_variance,
            f"{name}/preferred": found.preferred,
            f"{name}/predicted_preferred": found.predicted_preferred,
            f"{name}/ratio": found.ratio,
            f"{name}/repaired": after.loss[0],
        }
    return data


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return preferred levels, ratios, the largest error of the prediction, and the loss after repair to the least."""
    found = {}
    for name in ACTIVATIONS:
        loss, predicted = data[f"{name}/loss"], data[f"{name}/predicted"]
        found |= {
            f"{name}, preferred": float(data[f"{name}/preferred"]),
            f"{name}, predicted": float(data[f"{name}/predicted_preferred"]),
            f"{name}, ratio": float(data[f"{name}/ratio"]),
            f"{name}, error of the prediction": float(np.max(np.abs(predicted / loss - 1.0))),
            f"{name}, repaired over least loss": float(data[f"{name}/repaired"] / np.min(loss)),
        }
    return found


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the loss against the test noise."""
    made, axes = figure(TWO_COLUMNS, 2.3, 1, len(ACTIVATIONS), sharey=True)
    for ax, name in zip(axes, ACTIVATIONS, strict=True):
        ax.axvline(1.0, color="0.8", linewidth=0.8, zorder=0)
        ax.semilogy(data["levels"], data[f"{name}/predicted"], color=COLOUR["inside"], label="predicted")
        ax.semilogy(data["levels"], data[f"{name}/loss"], "o", color=COLOUR["inside"], mfc="white", label="simulated")
        least = float(np.min(data[f"{name}/loss"]))
        ax.semilogy(float(data[f"{name}/preferred"]), least, "D", color=COLOUR["inside"], label="least loss")
        repaired = float(data[f"{name}/repaired"])
        ax.semilogy(
            0.0, repaired, "*", color=REPAIRED, markersize=9, clip_on=False, label="no noise, smoothed activation"
        )
        ax.set(title=f"{name}, 64 neurons", xlim=(-0.04, 1.54), xlabel=r"test noise $\sigma\,/\,\sigma_t$")
    axes[0].set_ylabel("loss")
    handles, labels = axes[0].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside lower center", ncols=4)
    letters(axes)
    return made
