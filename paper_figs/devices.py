"""A spread of the activations is noise that does not average out in time, and refitting to a device palliates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

import ctrnn_theory as ct
from paper_figs.style import TWO_COLUMNS, figure, letters, simulated, styled

SIGMA, B = 0.3, 0.5  # of thresholds or of noise, and bias of the single neuron
NOISE = ct.Noise(inside=0.5)
SPREADS = (0.01, 0.02, 0.03, 0.05, 0.1)
REFITS = ("readout", "biases", "all")
COLOURS = {"as built": "#0072B2", "readout": "#E69F00", "biases": "#CC79A7", "all": "#009E73"}
QUENCHED, ANNEALED = "#0072B2", "#D55E00"
SHOWN = (0.01, 0.03, 0.1)  # spreads whose biases are shown neuron by neuron
FIRST = 1.0  # second that stands for zero on the axis of time


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute shifts by quenched and by annealed thresholds, and the losses of a network in hardware."""
    data: dict[str, Any] = {}
    _one_neuron(data, quick)
    net, u, y = network(*((12, 5) if quick else (16, 6)))
    rows: dict[str, list[Any]] = {}
    spreads = SPREADS[::2] if quick else SPREADS
    for spread in spreads:
        found = ct.devices(net, ct.Spread.of(spread), NOISE, u, y, devices=40 if quick else 100, refit=REFITS)
        assert found.linear is not None
        for way, over in (("linear", found.linear), ("sampled", found.sampled)):
            assert over.loss is not None
            rows.setdefault(f"{way}/bias", []).append(over.bias.std.ravel())
            rows.setdefault(f"{way}/loss", []).append(float(over.loss.mean))
        assert found.sampled.loss is not None
        rows.setdefault("error/loss", []).append(float(found.sampled.loss.mean_error or 0.0))
        for refit in found.refits:
            rows.setdefault(f"refit/{refit.name}", []).append(refit.mean)
            rows.setdefault(f"error/{refit.name}", []).append(refit.standard_error)
            data[f"nominal/{refit.name}"] = refit.nominal
    data |= {name: np.array(values) for name, values in rows.items()}
    data |= {"spreads": np.array(spreads), "nominal": found.loss}
    times = np.array([0.0, *np.geomspace(10.0, 3.2e7, 4 if quick else 12)])
    for way, compensate in (("plain", False), ("compensated", True)):
        aged = ct.aging(net, NOISE, u, y, times, compensate=compensate, devices=20 if quick else 60)
        data[f"aging/{way}"], data[f"aging error/{way}"] = aged.mean, aged.standard_error
    return data | {"times": times}


def _one_neuron(data: dict[str, Any], quick: bool) -> None:
    """Add the shift of the mean of one neuron by thresholds that are spread, and by noise, against its recurrence."""
    weights, points = np.linspace(-1.6, 0.7, 24), np.array([-1.5, -1.0, -0.5, 0.0, 0.3, 0.6])
    rows = []
    for w in weights:
        net = ct.CTRNN.single(w, B, "tanh", 0.1)
        rest = ct.predict(net, ct.Noise(), method="deterministic").mean[0]
        linear = ct.devices(net, ct.Spread(threshold=SIGMA), ct.Noise(), devices=1).linear
        assert linear is not None
        annealed = ct.predict(net, ct.Noise(inside=SIGMA)).mean[0] - rest
        rows.append([linear.fixed_point.mean[0, 0] - rest, annealed])
    data["weights"], data["points"] = weights, points
    data["quenched, linear"], data["annealed, closure"] = np.array(rows).T
    rows = []
    for w in points:
        net = ct.CTRNN.single(w, B, "tanh", 0.1)
        found = ct.devices(net, ct.Spread(threshold=SIGMA), ct.Noise(), devices=20_000 if quick else 40_000)
        law = ct.predict(net, ct.Noise(inside=SIGMA), method="simulation", target_se=1e-4, rng=0)
        over, rest = found.sampled.fixed_point, found.fixed_point[0, 0]
        assert over.mean_error is not None
        assert law.standard_error is not None
        rows.append([over.mean[0, 0] - rest, over.mean_error[0, 0], law.mean[0] - rest, law.standard_error[0]])
    data["quenched"], data["quenched, error"], data["annealed"], data["annealed, error"] = np.array(rows).T


def network(neurons: int, inputs: int) -> tuple[ct.CTRNN, np.ndarray, np.ndarray]:
    """Return a network that feeds sin πu back, with inputs and targets, and the readout of the least loss for these."""
    u = np.linspace(-1.0, 1.0, inputs)[:, None]
    y = np.sin(np.pi * u)
    task = ct.training.tasks.Function(feedback=True)
    net = ct.train(task, neurons, "tanh", method="decoders", noise=NOISE, rng=1).network
    laws = [ct.predict(net, NOISE, row) for row in u]
    m = np.array([law.mean for law in laws])
    away, V = m - m.mean(axis=0), np.mean([law.covariance for law in laws], axis=0)
    W_out = np.linalg.solve(away.T @ away / len(u) + V, away.T @ (y - y.mean()) / len(u)).T
    return replace(net, W_out=W_out, b_out=y.mean(axis=0) - W_out @ m.mean(axis=0)), u, y


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return how far linear response is from sampled devices, how recurrence separates, and what a refit recovers."""
    at = {float(spread): k for k, spread in enumerate(data["spreads"])}
    third = at[0.03]
    error = np.hypot(data["quenched, error"], data["annealed, error"])
    apart = (data["quenched"] - data["annealed"]) / error
    alone = int(np.flatnonzero(data["points"] == 0.0)[0])
    lost = data["sampled/loss"][-1] - data["nominal"]
    ratio = np.log(data["linear/bias"][third] / data["sampled/bias"][third])
    return {
        "apart without recurrence": float(abs(apart[alone])),
        "apart, negative": float(abs(apart[0])),
        "apart, positive": float(abs(apart[-1])),
        "spread of the bias, rms": float(np.sqrt(np.mean(ratio**2))),
        "loss, linear": float((data["linear/loss"][third] - data["sampled/loss"][third]) / data["error/loss"][third]),
        "raised": float(data["sampled/loss"][-1] / data["nominal"]),
        **{f"left by {name}": float((data[f"refit/{name}"][-1] - data[f"nominal/{name}"]) / lost) for name in REFITS},
        "aged": float(data["aging/plain"][-1] / data["aging/plain"][0]),
        "aged, compensated": float(data["aging/compensated"][-1] / data["aging/plain"][-1]),
    }


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw shifts against recurrence, bias and loss against the spread, and loss against time."""
    made, axes = figure(TWO_COLUMNS, 5.0, 2, 2)
    (one, two), (three, four) = axes
    for name, colour, line in (("quenched", QUENCHED, "linear"), ("annealed", ANNEALED, "closure")):
        one.plot(data["weights"], data[f"{name}, {line}"], color=colour)
        label = "thresholds, fixed in a device" if name == "quenched" else "noise, new in each step"
        simulated(one, data["points"], data[name], data[f"{name}, error"], colour, label=label)
    one.axvline(0.0, color="0.7", linewidth=0.6, zorder=0)
    one.set_title(rf"one neuron, $\sigma$ = {SIGMA:g}")
    one.set_xlabel("recurrent weight")
    one.set_ylabel("shift of the mean state")
    one.legend(loc="lower left")
    spreads = data["spreads"]
    for spread, colour in zip(SHOWN, ("#9ECAE1", "#4292C6", "#08306B"), strict=True):
        k = int(np.flatnonzero(spreads == spread)[0])
        style = {"color": colour, "markersize": 2.5, "label": f"spread of {spread:.0%}"}
        two.plot(data["linear/bias"][k], data["sampled/bias"][k], "o", **style)
    ends = [0.5 * np.min(data["linear/bias"]), 2.0 * np.max(data["linear/bias"])]
    two.loglog(ends, ends, color="0.6", linewidth=0.8, zorder=0)
    two.set_title("bias of each neuron over devices")
    two.set_xlabel("std by linear response")
    two.set_ylabel("std of sampled devices")
    two.legend(loc="upper left")
    fine = np.geomspace(spreads[0], spreads[-1], 50)
    bent = (data["linear/loss"][-1] - data["nominal"]) / spreads[-1] ** 2  # by linear response it is a parabola
    three.loglog(fine, data["nominal"] + bent * fine**2, color=COLOURS["as built"], label="as built, linear response")
    simulated(three, spreads, data["sampled/loss"], data["error/loss"], COLOURS["as built"], label="as built, sampled")
    for name in REFITS:
        style = {"label": f"{name} refitted", "linestyle": "--", "linewidth": 0.8}
        simulated(three, spreads, data[f"refit/{name}"], data[f"error/{name}"], COLOURS[name], **style)
    four.set_xscale("log")
    four.set_yscale("log")
    three.axhline(data["nominal"], color="0.5", linestyle=":", linewidth=1.0)
    three.xaxis.set_major_locator(FixedLocator(list(spreads)))
    three.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100.0 * x:g} %"))
    three.xaxis.set_minor_formatter(NullFormatter())
    for ax in (three, four):
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    three.set_title("loss over devices")
    three.set_xlabel("spread of scale, gain, threshold and offset")
    three.set_ylabel("mean loss")
    three.legend(loc="upper left")
    when = np.maximum(data["times"], FIRST)
    for way, colour, label in (
        ("plain", QUENCHED, "weights in phase-change memory"),
        ("compensated", COLOURS["all"], "with compensation of the mean drift"),
    ):
        simulated(four, when, data[f"aging/{way}"], data[f"aging error/{way}"], colour, linestyle="-", label=label)
    four.axhline(data["nominal"], color="0.5", linestyle=":", linewidth=1.0)
    four.set_title("loss as the weights age")
    four.set_xlabel("time since programming, in seconds")
    four.set_ylabel("mean loss")
    four.legend(loc="upper left")
    letters(axes)
    return made
