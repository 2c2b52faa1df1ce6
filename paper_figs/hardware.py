"""Training under the internal noise of analog networks makes a readout robust to it, except to a common gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

import ctrnn_theory as ct
from paper_figs.networks import PROGRESS
from paper_figs.style import TWO_COLUMNS, figure, letters, simulated, styled

Array = NDArray[np.float64]
KINDS = {
    "AU": ("private, additive", "#0072B2"),
    "AC": ("common, additive", "#009E73"),
    "MU": ("private, multiplicative", "#CC79A7"),
    "MC": ("common, multiplicative", "#D55E00"),
}
NETWORKS = {"layer": "feed-forward layer", "reservoir": "echo-state network"}
LEVELS = np.array([0.0, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1])
"""Intensities D of the test noise."""
TRAINED = (0, 2, 4, 6, 8)
"""Those among them that are training noise as well."""
SHADES = ("0.0", "#440154", "#3b528b", "#21918c", "#90d743")
ZERO = 1e-5
"""Place of no noise on the logarithmic axis."""
RIDGE = 1e-5
AHEAD = 10
"""Steps by which the reservoir predicts its input."""
ROUNDING = 1e-6
"""Relative error of a simulated loss by rounding, which is all where there is no noise."""
GROUPS = 40
"""Groups of presentations, of which the jackknife leaves out one at a time."""


class Problem(NamedTuple):
    """A network with its inputs, the targets of its readout, and the number of steps before the first that counts."""

    net: ct.CTRNN
    inputs: Array
    targets: Array
    discard: int


def mackey_glass(steps: int, substeps: int = 10, delay: int = 17, transient: int = 300) -> Array:
    """Return the series of Mackey and Glass, x' = 0.2 x(t-17)/(1 + x(t-17)^10) - 0.1 x, at whole times."""
    x = np.full((steps + transient) * substeps + 1 + (lag := delay * substeps), 1.2)
    for k in range(lag, len(x) - 1):
        x[k + 1] = x[k] + (0.2 * x[k - lag] / (1.0 + x[k - lag] ** 10) - 0.1 * x[k]) / substeps
    return x[::substeps][-steps:]


def problem(name: str, quick: bool) -> Problem:
    """Return a layer that computes sin πu, or a reservoir that predicts a chaotic series."""
    rng, n, times = np.random.default_rng(0), 30 if quick else 100, 50 if quick else 300
    if name == "layer":
        b, W_in = rng.uniform(-4.0, 4.0, n), 4.0 * rng.standard_normal((n, 1))
        u = np.linspace(-1.0, 1.0, times)[:, None]
        return Problem(ct.CTRNN(np.zeros((n, n)), b, "sigmoid", 1.0, W_in=W_in), u, np.sin(np.pi * u[:, 0]), 0)
    W = rng.standard_normal((n, n))
    W *= 0.9 / np.abs(np.linalg.eigvals(W)).max()
    net = ct.CTRNN(W, rng.uniform(-0.5, 0.5, n), "tanh", 1.0, W_in=rng.uniform(-1.0, 1.0, (n, 1)))
    washed = 40 if quick else 100
    series = mackey_glass(washed + times + AHEAD)
    series -= series.mean()
    return Problem(net, series[: washed + times, None], series[washed + AHEAD :], washed)


class Sums(NamedTuple):
    """What least squares needs of a set of presentations: ⟨y yᵀ⟩, ⟨y target⟩ and ⟨target²⟩."""

    square: Array
    cross: Array
    target: float

    def readout(self) -> Array:
        """Return the weights of least squared error."""
        return np.linalg.solve(self.square + RIDGE * np.eye(len(self.cross)), self.cross)

    def loss(self, w: Array) -> float:
        """Return the mean squared error of weights."""
        return float(w @ self.square @ w - 2.0 * w @ self.cross + self.target)


def presented(of: Problem, noise: ct.Noise, presentations: int, rng: Any) -> list[Sums]:
    """Simulate a network, and sum over each group of presentations."""
    count, steps = GROUPS * presentations, len(of.inputs)
    path = ct.simulate(of.net, noise, of.inputs, steps=steps, trajectories=count, rng=np.random.SeedSequence(rng))
    h, y = path.h[1 + of.discard :], np.repeat(of.targets, presentations)
    groups = (group.reshape(-1, of.net.n) for group in np.split(h, GROUPS, axis=1))
    return [Sums(g.T @ g / len(y), g.T @ y / len(y), float(np.mean(y**2))) for g in groups]


def without(groups: list[Sums]) -> Iterator[Sums]:
    """Yield the sums over all groups, and then those that leave out one group each."""
    total = [sum(parts) for parts in zip(*groups, strict=True)]
    yield Sums(*(part / GROUPS for part in total))
    for group in groups:
        yield Sums(*((part - less) / (GROUPS - 1) for part, less in zip(total, group, strict=True)))


def jackknife(train: list[Sums], test: list[Sums]) -> tuple[float, float]:
    """Return the loss as for infinitely many presentations in training, and its standard error.

    Finitely many add an excess to the loss, the square of an error in the weights. It is subtracted on average, and
    √2 times its mean is added to the standard error, since it is as uncertain as the square of a normal variable.
    """
    both = zip(without(train), without(test), strict=True)
    whole, *parts = (of_test.loss(of_train.readout()) for of_train, of_test in both)
    left = np.array(parts)
    excess = (GROUPS - 1) * (left.mean() - whole)
    return whole - excess, np.sqrt((GROUPS - 1) * left.var() + 2.0 * excess**2)


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the loss for each kind of noise, training level and test level, by the theory and by simulation."""
    data: dict[str, Any] = {"levels": LEVELS, "trained": np.array(TRAINED)}
    presentations, done = 5 if quick else 10, 0
    for i, name in enumerate(NETWORKS):
        of = problem(name, quick)
        moments = ct.hidden_moments(of.net, of.inputs, of.discard)
        still, _ = moments(ct.Noise())
        for j, kind in enumerate(KINDS):
            noises = {D: ct.Noise.analog(of.net.n, **{kind: D}) for D in LEVELS}
            found = ct.readout_theory(moments, of.targets, noises, noises, ridge=RIDGE)
            data[f"{name}/{kind}/predicted"] = found.loss
            data[f"{name}/{kind}/norm"] = found.norm
            seen = ct.readout_theory(still, of.targets, noises, noises, ridge=RIDGE)
            data[f"{name}/{kind}/at the readout"] = seen.loss
            if kind == "MC":
                constant = ct.readout_theory(still, of.targets, noises, noises, ridge=RIDGE, intercept=True)
                data[f"{name}/intercept"] = constant.loss
            test = [presented(of, noises[D], presentations, (i, j, k, 1)) for k, D in enumerate(LEVELS)]
            train = [presented(of, noises[LEVELS[k]], presentations, (i, j, k, 0)) for k in TRAINED]
            both = np.array([[jackknife(one, other) for other in test] for one in train])
            data[f"{name}/{kind}/simulated"], data[f"{name}/{kind}/error"] = both[..., 0], both[..., 1]
            done += 1
            PROGRESS.get()(done, 2 * len(KINDS), "loss matrices")
    return data


def gain(loss: Array) -> Array:
    """Return the loss of a readout trained without noise over that of one trained under the test noise."""
    return loss[0] / np.diag(loss)


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the gain by training at the strongest noise, and how far theory and simulation are apart."""
    found: dict[str, float] = {}
    for name in NETWORKS:
        found[f"{name}/MC, gain with an intercept"] = float(gain(data[f"{name}/intercept"])[-1])
        for kind in KINDS:
            key, trained = f"{name}/{kind}", data["trained"]
            predicted, simulation = data[f"{key}/predicted"], data[f"{key}/simulated"]
            off, error = simulation - predicted[trained], data[f"{key}/error"] + ROUNDING * predicted[trained]
            found |= {
                f"{key}, gain": float(gain(predicted)[-1]),
                f"{key}, gain at the readout": float(gain(data[f"{key}/at the readout"])[-1]),
                f"{key}, simulated gain": float(simulation[0, -1] / simulation[-1, -1]),
                f"{key}, preferred": float(LEVELS[np.argmin(predicted[-1])]),
                f"{key}, simulated preferred": float(LEVELS[np.argmin(simulation[-1])]),
                f"{key}, worst in standard errors": float(np.max(np.abs(off) / error)),
                f"{key}, worst relative": float(np.max(np.abs(off) / predicted[trained])),
            }
    return found


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw the loss against the test noise for both networks and all kinds, and the gain by training below."""
    top = [[f"{name}/{kind}" for kind in KINDS for _ in range(3)] for name in NETWORKS]
    bottom = [[part for part in ("layer", "at the readout", "reservoir") for _ in range(4)]]
    made, axes = figure(TWO_COLUMNS, 6.6, [*top, *bottom])
    places = np.maximum(data["levels"], ZERO)
    for name, words in NETWORKS.items():
        for kind in KINDS:
            _losses(axes[f"{name}/{kind}"], data, f"{name}/{kind}", places)
        limits = [axes[f"{name}/{kind}"].get_ylim() for kind in KINDS]
        for kind in KINDS:
            axes[f"{name}/{kind}"].set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
            axes[f"{name}/{kind}"].tick_params(labelleft=kind == "AU")
        axes[f"{name}/AU"].set_ylabel(f"{words}\nloss")
    for kind, (title, _) in KINDS.items():
        axes[f"layer/{kind}"].set_title(title.replace(", ", ",\n"))
        axes[f"reservoir/{kind}"].set_xlabel(r"test noise $D$")
    _gains(axes["layer"], data, "layer", "predicted", "feed-forward layer")
    _gains(axes["at the readout"], data, "reservoir", "at the readout", "echo-state, at the readout")
    _gains(axes["reservoir"], data, "reservoir", "predicted", "echo-state, circulating")
    axes["layer"].set_ylabel("gain by training\nunder the test noise")
    made.legend(*axes["at the readout"].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    letters(list(axes.values()))
    return made


def _losses(ax: Any, data: Mapping[str, Any], key: str, places: Array) -> None:
    for row, (k, shade) in enumerate(zip(data["trained"], SHADES, strict=True)):
        loss = data[f"{key}/predicted"][k]
        ax.plot(places[1:], loss[1:], color=shade, label=f"{data['levels'][k]:g}")
        ax.plot(places[:1], loss[:1], "_", color=shade, markersize=8)
        simulated(ax, places, data[f"{key}/simulated"][row], data[f"{key}/error"][row], colour=shade, markersize=2.5)
    _axis(ax)
    if key == "layer/AU":
        ax.legend(title="trained at $D$", fontsize="x-small", title_fontsize="x-small")


def _gains(ax: Any, data: Mapping[str, Any], name: str, part: str, title: str) -> None:
    levels, trained = data["levels"], data["trained"]
    for kind, (words, colour) in KINDS.items():
        ax.plot(levels[1:], gain(data[f"{name}/{kind}/{part}"])[1:], color=colour, label=words)
        if part == "predicted":
            loss, error = (data[f"{name}/{kind}/{what}"] for what in ("simulated", "error"))
            quiet, own = (0, trained[1:]), (np.arange(1, len(trained)), trained[1:])
            ratio, relative = loss[quiet] / loss[own], np.hypot(error[quiet] / loss[quiet], error[own] / loss[own])
            simulated(ax, levels[trained[1:]], ratio, ratio * relative, colour=colour, markersize=3)
    if name == "layer" or part == "at the readout":
        exception = gain(data[f"{name}/intercept"])[1:]
        ax.plot(levels[1:], exception, "--", color=KINDS["MC"][1], label="common, multiplicative, with an intercept")
    ax.axhline(1.0, color="0.7", linewidth=0.8, zorder=0)
    ax.set_title(title)
    ax.set_xlabel(r"noise $D$ in training and test")
    ax.set_xscale("log")
    ax.set_yscale("log")


def _axis(ax: Any) -> None:
    """Put no noise at the left end of a logarithmic axis."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks([ZERO, 1e-4, 1e-3, 1e-2, 1e-1], ["0", "$10^{-4}$", "", "$10^{-2}$", ""])
    ax.xaxis.set_minor_locator(NullLocator())
