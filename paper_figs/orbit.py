"""A network that emulates a hidden Markov chain: an orbit that noise sustains, its dwell times and emitted symbols."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import PROGRESS
from paper_figs.style import TWO_COLUMNS, figure, letters, simulated, styled

CHAIN = Path(__file__).parent / "orbit_networks" / "chain.npz"
TARGET = np.array([[0.95, 0.05, 0.0], [0.025, 0.95, 0.025], [0.0, 0.05, 0.95]])
"""Transition matrix of the chain that the network was trained to emulate."""
RANDOM, NEURONS, RADIUS = 12, 16, 0.9
"""Number of random networks, their neurons, and spectral radius of their weights."""
KICKERS = 4
"""Neurons that stand out most before a region is left."""
LEVELS, FACTORS = np.array([0.25, 0.5, 1.0, 2.0, 4.0]), np.array([0.0, 0.5, 1.0, 1.5, 2.0])
QUIET, SHOWN = 400, 500
"""Steps without noise, and steps of the orbit that are drawn."""
LONGEST = 100
"""Longest stay that is drawn."""
REGIONS = ("#0072B2", "#D55E00", "#009E73")
STATES = ("state 1", "state 2", "state 3")


def chain() -> tuple[ct.CTRNN, ct.Noise]:
    """Return the trained network, and the noise that its normal inputs make."""
    return ct.load_network(CHAIN, "hmm_rnn", input_noise=1.0)


def kickers(net: ct.CTRNN, noise: ct.Noise, trajectories: int) -> np.ndarray:
    """Return the neurons whose state before a region is left differs most from their mean in it, in deviations."""
    h = ct.simulate(net, noise, steps=2000, trajectories=trajectories, rng=3).h[500:]
    region = net.output(h).argmax(axis=-1)
    left, score = region[:-1] != region[1:], np.zeros(net.n)
    for i in range(len(TARGET)):
        within, leaving = h[:-1][region[:-1] == i], h[:-1][(region[:-1] == i) & left]
        score += np.abs(leaving.mean(axis=0) - within.mean(axis=0)) / (within.std(axis=0) + 1e-12)
    return np.sort(np.argsort(-score)[:KICKERS])


def random_rates(quick: bool) -> dict[str, Any]:
    """Return the rotation rates of random networks of relu, by the Gaussian closure and by simulation."""
    found: dict[str, list[Any]] = {"predicted": [], "rate": [], "error": []}
    rng = np.random.default_rng(2)
    for _ in range(RANDOM // 4 if quick else RANDOM):
        W = rng.standard_normal((NEURONS, NEURONS))
        net = ct.CTRNN(RADIUS * W / np.abs(np.linalg.eigvals(W)).max(), 0.0, "relu", 1.0)
        orbit = ct.orbit(net, ct.Noise(inside=1.0), steps=1000 if quick else 4000)
        law = orbit.laws["simulation"]
        found["predicted"].extend(orbit.laws["gaussian_closure"].rate)
        found["rate"].extend(law.rate)
        found["error"].extend(law.standard_errors["rate"])
    return {f"random/{name}": values for name, values in found.items()}


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the orbit of the trained network, and what its noise does to it; and rates of random networks."""
    net, noise = chain()
    levels, factors = (LEVELS[[0, 4]], FACTORS[[0, 4]]) if quick else (LEVELS, FACTORS)
    options = {"steps": 1000, "trajectories": 128} if quick else {"steps": 4000, "trajectories": 256}
    chosen = kickers(net, noise, 32 if quick else 128)
    PROGRESS.get()(0, 3, "orbit of the trained network")
    found = ct.orbit(net, noise, neurons=chosen, factors=factors, **options)
    law, guess = found.laws["simulation"], found.laws["regional_closure"]
    quiet = ct.simulate(net, ct.Noise(), steps=QUIET, start=found.path[-1]).h[:, 0]
    data = {"kickers": chosen, "levels": levels, "factors": factors, "planes": found.planes, "net/path": found.path}
    data |= {"net/quiet": quiet, "net/region": net.output(found.path).argmax(axis=-1), "net/sojourns": law.sojourns}
    for name in ("rate", "angle", "dwell", "occupancy", "transitions", "emission"):
        data |= {f"predicted/{name}": getattr(guess, name), f"simulated/{name}": getattr(law, name)}
        data[f"error/{name}"] = law.standard_errors[name]
    for name in ("rate", "dwell"):
        data[f"scaled/{name}"], data[f"scaled/{name}_error"] = found.along(name)
        data[f"scaled/{name}_predicted"] = found.along(name, "regional_closure")[0]
    PROGRESS.get()(1, 3, "levels of noise")
    cold = [ct.orbit(net, noise.scaled(s), planes=found.planes, predict=False, **options).laws for s in levels]
    for name in ("emission", "dwell"):
        data[f"level/{name}"] = np.array([getattr(laws["simulation"], name) for laws in cold])
    PROGRESS.get()(2, 3, "random networks")
    return data | random_rates(quick)


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return rates, dwell times and transitions, and how far they are from what is predicted and from the target."""
    stay = np.diagonal(data["level/emission"], axis1=1, axis2=2).mean(axis=1)
    dwell, factors = data["scaled/dwell"].mean(axis=1), np.asarray(data["factors"])
    gap = np.abs(np.asarray(data["random/predicted"]) / data["random/rate"] - 1.0)
    return {
        "rate": float(data["simulated/rate"][0]),
        "rate, error of the closure": float(np.max(np.abs(data["predicted/rate"] / data["simulated/rate"] - 1.0))),
        "random networks, median error of the closure": float(np.median(gap)),
        "shortest dwell": float(data["simulated/dwell"].min()),
        "longest dwell": float(data["simulated/dwell"].max()),
        "dwell, error of the closure": float(np.max(np.abs(data["predicted/dwell"] / data["simulated/dwell"] - 1.0))),
        "emission, gap to the target": float(np.max(np.abs(data["simulated/emission"] - TARGET))),
        "transitions, gap to the target": float(np.max(np.abs(data["simulated/transitions"] - TARGET))),
        "emission, error of the closure": float(
            np.max(np.abs(data["predicted/emission"] - data["simulated/emission"]))
        ),
        "without noise, end over begin": float(np.max(np.abs(data["net/quiet"][-1])) / np.max(data["net/quiet"][0])),
        "dwell, change with the level": float(np.ptp(data["level/dwell"], axis=0).max()),
        "stay at the weakest noise": float(stay[0]),
        "stay at the strongest noise": float(stay[-1]),
        "dwell without kicks": float(dwell[factors == 0.0][0]),
        "dwell with twice the kicks": float(dwell[factors == 2.0][0]),
    }


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the orbit, rates, stays, transitions, and what scaled noise does to them."""
    made, axes = figure(TWO_COLUMNS, 4.9, 2, 3)
    (orbit, rates, stays), (matrix, kicks, level) = axes
    _orbit(orbit, data)
    _rates(rates, data)
    _stays(stays, data)
    _matrix(matrix, data)
    _kicks(kicks, data)
    _level(level, data)
    letters(axes)
    return made


def _orbit(ax: Axes, data: Mapping[str, Any]) -> None:
    axes = np.asarray(data["planes"])[0]
    at, region = np.asarray(data["net/path"])[-SHOWN:] @ axes.T, np.asarray(data["net/region"])[-SHOWN:]
    quiet = np.asarray(data["net/quiet"]) @ axes.T
    ax.plot(*at.T, color="0.85", linewidth=0.5, zorder=1)
    for i, colour in enumerate(REGIONS):
        ax.plot(*at[region == i].T, ".", color=colour, markersize=2.5, label=STATES[i], zorder=2)
    ax.plot(*quiet.T, color="black", linewidth=1.3, label="no noise", zorder=3)
    ax.plot(*quiet[-1], "o", color="black", markersize=3.5, zorder=4)
    ax.set(title="orbit in the first plane", xlabel="first axis", ylabel="second axis")
    ax.legend(loc="best", handletextpad=0.3, borderaxespad=0.2)


def _rates(ax: Axes, data: Mapping[str, Any]) -> None:
    simulated(ax, data["random/predicted"], data["random/rate"], data["random/error"], "0.55", label="random networks")
    rate, error = data["simulated/rate"], data["error/rate"]
    simulated(ax, data["predicted/rate"], rate, error, REGIONS[1], label="trained network")
    ends = np.array([0.0, 1.1 * max(np.max(data["random/rate"]), np.max(rate))])
    ax.plot(ends, ends, color="black", linewidth=0.8, zorder=1)
    ax.set(xlim=ends, ylim=ends, title="rotation, rad per step")
    ax.set(xlabel="rate by the closure", ylabel="rate by simulation")
    ax.legend(loc="lower right", handletextpad=0.3)


def _stays(ax: Axes, data: Mapping[str, Any]) -> None:
    n = np.arange(LONGEST)
    for i, colour in enumerate(REGIONS):
        counts = np.asarray(data["net/sojourns"])[i]
        longer = 1.0 - np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        shown = longer[:LONGEST]
        ax.plot(n[: len(shown)], shown, color=colour, label=f"{STATES[i]}: {data['simulated/dwell'][i]:.1f} steps")
        ax.plot(n, np.asarray(data["predicted/transitions"])[i, i] ** n, ":", color=colour, linewidth=1.0)
    ax.plot([], [], ":", color="0.4", linewidth=1.0, label="closure by region")
    ax.plot(n, TARGET[0, 0] ** n, "--", color="black", linewidth=0.9, label="target: 20 steps", zorder=1)
    ax.set(yscale="log", xlim=(0, LONGEST), ylim=(4e-3, 4.0), title="stays in a state")
    ax.set(xlabel="steps $n$", ylabel="share of stays longer than $n$")
    ax.legend(loc="upper right", handlelength=1.4, borderaxespad=0.0, labelspacing=0.2)


def _matrix(ax: Axes, data: Mapping[str, Any]) -> None:
    found, guess = data["simulated/emission"], data["predicted/emission"]
    ax.imshow(found, cmap="Blues", vmin=0.0, vmax=1.3)
    for i, j in np.ndindex(3, 3):
        text = f"{found[i, j]:.3f}\n({guess[i, j]:.3f})\n[{TARGET[i, j]:.3f}]"
        ax.text(j, i, text, ha="center", va="center", fontsize=6.5, color="white" if found[i, j] > 0.5 else "black")
    ax.set_xticks(range(3), ["1", "2", "3"])
    ax.set_yticks(range(3), ["1", "2", "3"])
    ax.tick_params(length=0)
    ax.set(title="emission (closure) [target]", xlabel="symbol at $t + 1$", ylabel="symbol at $t$")


def _kicks(ax: Axes, data: Mapping[str, Any]) -> None:
    for i, colour in enumerate(REGIONS):
        ax.plot(data["factors"], data["scaled/dwell_predicted"][:, i], ":", color=colour, linewidth=1.0)
        errors = data["scaled/dwell_error"][:, i]
        simulated(ax, data["factors"], data["scaled/dwell"][:, i], errors, colour, label=STATES[i])
    ax.plot([], [], ":", color="0.4", linewidth=1.0, label="closure by region")
    ax.axhline(20.0, color="black", linestyle="--", linewidth=0.9, zorder=0)
    ax.set(
        ylim=(0.0, None), title=f"noise of {KICKERS} neurons scaled", xlabel=r"factor $\mu$", ylabel="dwell time, steps"
    )
    ax.legend(loc="best", handletextpad=0.4)


def _level(ax: Axes, data: Mapping[str, Any]) -> None:
    for i, colour in enumerate(REGIONS):
        stay = data["level/emission"][:, i, i]
        ax.plot(data["levels"], stay, "o-", color=colour, markerfacecolor="white", linewidth=0.8, label=STATES[i])
    limit = np.diag(data["simulated/transitions"]).mean()
    ax.axhline(limit, color="0.6", linewidth=0.9, zorder=0, label="same region next")
    ax.axhline(TARGET[0, 0], color="black", linestyle="--", linewidth=0.9, zorder=0, label="target")
    ax.set(xscale="log", title="all noise scaled", xlabel="factor $s$, inverse temperature")
    ax.set_xticks(data["levels"], [f"{s:g}" for s in data["levels"]])
    ax.minorticks_off()
    ax.set_ylabel("P(same symbol next)")
    ax.legend(loc="lower right", handletextpad=0.4)
