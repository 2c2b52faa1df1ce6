"""Networks of hundreds of neurons that are trained with noise inside work best at about that noise, in every task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import PROGRESS
from paper_figs.style import COLOUR, FREE, LABEL, SITES, TWO_COLUMNS, figure, letters, styled

TASKS = ct.training.tasks


class Case(NamedTuple):
    """A task and the networks that are trained for it."""

    title: str
    """Title of the panel."""
    task: Any
    """The task."""
    neurons: tuple[int, int]
    """Number of neurons, and that of the quick figure."""
    sigma: float = 1.0
    """Training noise."""
    activation: str = "relu"
    """Activation."""
    repeats: int = 16
    """Trials of each condition at each level."""


CASES = {
    "function": Case("function, fed back", TASKS.Function(feedback=True), (256, 128)),
    "feedforward": Case("feed-forward layer", TASKS.Feedforward(), (1024, 512), sigma=0.5, repeats=256),
    "path_integration": Case("path integration", TASKS.PathIntegration(), (512, 128), activation="tanh"),
    "cognitive": Case("six cognitive tasks", TASKS.Cognitive(), (1020, 240)),
    "maze": Case("maze: velocity", TASKS.Maze(cost="velocity"), (256, 256)),
}
SUCCESS = {"cognitive": "cognitive", "maze": "maze"}
SEEDS = (10, 11, 12, 13, 14)
LEVELS = np.array([0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5])


def compute(quick: bool = False) -> dict[str, Any]:
    """Train networks of several seeds for each task and site, and compute their loss against test noise."""
    seeds, levels = (SEEDS[:1], LEVELS[[0, 2, 4, 6, 8]]) if quick else (SEEDS, LEVELS)
    data: dict[str, Any] = {"levels": levels}
    rows = [(name, site) for name in CASES for site in SITES]
    for done, (name, site) in enumerate(rows):
        PROGRESS.get()(done, len(rows), "kinds of networks tested")
        case, found = CASES[name], []
        for seed in seeds:
            found.append(_tested(case, case.neurons[int(quick)], site, seed, levels, case.repeats // (1 + quick)))
        data |= {f"{name}/{site}/{key}": np.array([one[key] for one in found]) for key in found[0]}
    return data


def _tested(case: Case, neurons: int, site: str, seed: int, levels: np.ndarray, repeats: int) -> dict[str, Any]:
    """Train a network of one seed and test it at all levels, and with the smoothed activation and no noise."""
    noise = ct.Noise(**{site: case.sigma})
    net = ct.train(case.task, neurons, case.activation, noise=noise, method="decoders", rng=seed).network
    tested = ct.preference(net, case.task, levels, noise=noise, repeats=repeats)
    free = tested
    if site == "inside":  # noise outside smooths nothing
        free = ct.preference(ct.noise_free(net, noise), case.task, [0.0], noise=noise, repeats=3, predict=False)
    found = {name: getattr(tested, name) for name in ("loss", "standard_error", "preferred", "ratio")}
    predicted, best = tested.predicted_loss, tested.predicted_preferred
    found |= {"predicted": np.full(len(levels), np.nan) if predicted is None else predicted}
    found |= {"predicted_preferred": np.nan if best is None else best, "free": free.loss[0]}
    if tested.success is not None and free.success is not None:
        found |= {"success": tested.success, "free_success": free.success[0]}
    return found


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return medians over networks: preferred levels, gains by noise, what the smoothed activation gains, success.

    The gap of a prediction is the largest over levels up to the training noise of the median relative error.
    """
    found: dict[str, Any] = {}
    levels = data["levels"]
    at = int(np.argmin(np.abs(levels - 1.0)))
    for name in CASES:
        for site in SITES:
            key, here = f"{name}, {site}", {part: data[f"{name}/{site}/{part}"] for part in ("loss", "predicted")}
            for part in ("preferred", "ratio", "predicted_preferred"):
                found[f"{key}, {part}"] = np.median(data[f"{name}/{site}/{part}"])
            found[f"{key}, smoothed"] = np.median(here["loss"][:, 0] / data[f"{name}/{site}/free"])
            found[f"{key}, gap"] = np.median(here["predicted"] / here["loss"] - 1.0, axis=0)[: at + 1]
            found[f"{key}, gap"] = np.max(np.abs(found[f"{key}, gap"]))
            if name in SUCCESS:
                success = np.median(data[f"{name}/{site}/success"], axis=0)
                found |= {f"{key}, success without noise": success[0], f"{key}, success": success[at]}
                found[f"{key}, success smoothed"] = np.median(data[f"{name}/{site}/free_success"])
    return {name: float(value) for name, value in found.items()}


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the loss of all tasks, and the success of those that have one."""
    made, axes = figure(TWO_COLUMNS, 4.0, "abcd;efgx")
    for letter, (name, case) in zip("abcde", CASES.items(), strict=True):
        ax = axes[letter]
        for site in SITES:
            _loss(ax, data, name, site)
        ax.set(yscale="log", ylim=(0.04, 70.0), title=case.title)
        ax.set_yticks([0.1, 1.0, 10.0], ["0.1", "1", "10"])
        ax.minorticks_off()
    for letter, (name, title) in zip("fg", SUCCESS.items(), strict=True):
        for site in SITES:
            _success(axes[letter], data, name, site)
        axes[letter].set(ylim=(-0.02, 1.02), title=f"{title}: success")
    for letter in "abcdefg":
        axes[letter].axvline(1.0, color="0.8", linewidth=0.8, zorder=0)
        axes[letter].set_xlim(0.0, 1.53)
        axes[letter].set_xticks([0.0, 0.5, 1.0, 1.5], ["0", "0.5", "1", "1.5"])
        axes[letter].set_xlabel(r"test noise $\sigma\,/\,\sigma_t$")
    for letter in "ae":
        axes[letter].set_ylabel("loss over that in training")
    axes["f"].set_ylabel("share of successful trials")
    _legend(axes["x"])
    letters([axes[letter] for letter in "abcdefg"])
    return made


def _loss(ax: Axes, data: Mapping[str, Any], name: str, site: str) -> None:
    levels, loss, predicted = (data[key] for key in ("levels", f"{name}/{site}/loss", f"{name}/{site}/predicted"))
    unit = loss[:, [int(np.argmin(np.abs(levels - 1.0)))]]
    middle = np.median(loss / unit, axis=0)
    ax.plot(levels, (loss / unit).T, ".", color=COLOUR[site], markersize=1.5, alpha=0.6)
    ax.plot(levels, np.median(predicted / unit, axis=0), color=COLOUR[site])
    ax.plot(levels, middle, "o", color=COLOUR[site], markerfacecolor="white", clip_on=False)
    free = data[f"{name}/{site}/free"][:, None] / unit
    if site == "inside":
        ax.plot(np.zeros(len(free)), free[:, 0], "*", color=FREE, markersize=6, clip_on=False, zorder=6)
    best = np.median(data[f"{name}/{site}/preferred"])
    style = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.8, "clip_on": False, "zorder": 5}
    ax.plot([best], [np.exp(np.interp(best, levels, np.log(middle)))], "D", color=COLOUR[site], **style)


def _success(ax: Axes, data: Mapping[str, Any], name: str, site: str) -> None:
    success = data[f"{name}/{site}/success"]
    ax.plot(data["levels"], success.T, ".", color=COLOUR[site], markersize=1.5, alpha=0.6, clip_on=False)
    style = {"color": COLOUR[site], "markerfacecolor": "white", "linewidth": 0.8, "clip_on": False}
    ax.plot(data["levels"], np.median(success, axis=0), "o:", **style)
    if site == "inside":
        free = data[f"{name}/{site}/free_success"]
        ax.plot(np.zeros(len(free)), free, "*", color=FREE, markersize=6, clip_on=False, zorder=6)


def _legend(ax: Axes) -> None:
    ax.set_axis_off()
    for site in SITES:
        ax.plot([], [], color=COLOUR[site], label=f"{LABEL[site]}")
    ax.plot([], [], "-", color="0.3", label="predicted, median")
    ax.plot([], [], "o", color="0.3", markerfacecolor="white", label="simulated, median")
    ax.plot([], [], ".", color="0.3", markersize=2.5, label="simulated, each network")
    ax.plot([], [], "D", color="0.3", markersize=5, label="level of lowest loss")
    ax.plot([], [], "*", color=FREE, markersize=6, label="trained inside, then no noise,\nsmoothed activation")
    ax.legend(loc="center left", labelspacing=0.6)
