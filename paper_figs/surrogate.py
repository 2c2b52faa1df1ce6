"""A network with a smoothed activation and no noise keeps the mean output of the noisy network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import functions, trained
from paper_figs.style import COLOUR, TWO_COLUMNS, figure, letters, simulated, styled

KEY = np.array([7, 7], np.uint64)
CONDITIONS = 33
OFF, FREE = "#CC79A7", "black"


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the outputs with noise, without noise and of the noise-free surrogate, in the second half of a trial."""
    task = ct.training.tasks.Function(conditions=CONDITIONS)
    u = np.linspace(-1.0, 1.0, CONDITIONS)
    data: dict[str, Any] = {"u": u, "target": ct.activation(task.target)(u)}
    rows: dict[str, list[Any]] = {name: [] for name in ("noisy", "error", "std", "off", "free")}
    for run, net in trained([run for run in functions(quick) if run.site == "inside"], quick).items():
        noisy = task.trials(net, run.noise, 400 if quick else 2000, KEY).outputs[..., 0]
        each = noisy.mean(axis=2)
        rows["noisy"].append(each.mean(axis=0))
        rows["error"].append(each.std(axis=0, ddof=1) / np.sqrt(len(each)))
        rows["std"].append(noisy.std(axis=(0, 2)))
        rows["off"].append(task.trials(net, ct.Noise(), 1, KEY).outputs[0, :, :, 0].mean(axis=1))
        quiet = ct.noise_free(net, run.noise)
        rows["free"].append(task.trials(quiet, ct.Noise(), 1, KEY).outputs[0, :, :, 0].mean(axis=1))
    return data | {name: np.array(values) for name, values in rows.items()}


def errors(data: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the root mean square over inputs of the distance to the noisy network's mean, for each network."""
    return {name: np.sqrt(np.mean((data[name] - data["noisy"]) ** 2, axis=1)) for name in ("off", "free")}


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the lowest and the highest factor by which the surrogate is nearer to the noisy network's mean."""
    ratio = errors(data)["off"] / errors(data)["free"]
    return {"least": float(ratio.min()), "largest": float(ratio.max())}


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the outputs of one network, and the errors of all."""
    made, (left, right) = figure(TWO_COLUMNS, 2.7, 1, 2, width_ratios=[1.5, 1.0])
    u, colour = data["u"], COLOUR["inside"]
    left.plot(u, data["target"], color="0.75", linewidth=2.5, label="target")
    low, high = data["noisy"][0] - data["std"][0], data["noisy"][0] + data["std"][0]
    left.fill_between(u, low, high, color=colour, alpha=0.15, linewidth=0.0)
    simulated(left, u, data["noisy"][0], data["error"][0], colour, label="with its noise (mean ± sd)")
    left.plot(u, data["off"][0], "--", color=OFF, label="noise switched off")
    left.plot(u, data["free"][0], color=FREE, label="noise-free surrogate")
    left.set_xlabel("input $u$")
    left.set_ylabel("output $z$")
    left.set_title("one network")
    left.legend(loc="upper left")
    found = errors(data)
    ratio = found["off"] / found["free"]
    for off, free in zip(found["off"], found["free"], strict=True):
        right.plot([0.0, 1.0], [off, free], "-", color="0.7", linewidth=0.8)
    right.plot(np.zeros(len(found["off"])), found["off"], "o", color=OFF)
    right.plot(np.ones(len(found["free"])), found["free"], "o", color=FREE)
    right.set_xticks([0.0, 1.0], ["noise\nswitched off", "noise-free\nsurrogate"])
    right.set_xlim(-0.5, 1.5)
    right.set_yscale("log")
    right.set_ylabel("distance to the mean with noise")
    right.set_title(f"{ratio.min():.0f} to {ratio.max():.0f} times nearer")
    letters([left, right])
    return made
