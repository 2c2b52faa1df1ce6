"""The preference is not stochastic resonance: there a threshold sets the best noise, here training does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import ctrnn_theory as ct
from paper_figs.networks import over_noise, trained
from paper_figs.style import TWO_COLUMNS, figure, letters, simulated, styled

THRESHOLDS = (0.5, 1.0, 1.5)
TRAINED = (0.7, 1.0, 1.5)
SEED = 1  # seed of networks of which no trial runs away
AMPLITUDE, PERIOD = 0.2, 50  # of the signal, the period in steps
REPLICATES = 8  # simulations, from which the standard error is found
GREYS, BLUES = ("0.65", "0.4", "0.0"), ("#6BAED6", "#0072B2", "#08306B")


def compute(quick: bool = False) -> dict[str, Any]:
    """Compute the signal-to-noise ratio of threshold units, and the loss of trained networks, against the noise."""
    sigma = np.linspace(0.05, 3.0, 60)  # these contain the points
    points = np.linspace(0.25, 3.0, 12)
    signal = AMPLITUDE * np.sin(2.0 * np.pi * np.arange(PERIOD) / PERIOD)
    data: dict[str, Any] = {"sigma": sigma, "points": points}
    trials = 2_000 if quick else 20_000
    for theta in THRESHOLDS:
        # without recurrence and leak the state is f(a + σ ξ), whose mean and variance are known in closed form
        net = ct.CTRNN([[0.0]], -theta, "step", gamma=1.0, W_in=[[1.0]])
        a = signal - theta
        mean = np.array([net.activation.smoothed(a, s) for s in sigma])
        variance = np.array([net.activation.smoothed_variance(a, s) for s in sigma])
        data[f"theory/{theta:g}"] = signal_to_noise(mean, variance)
        rows = []
        for s in points:
            noise = ct.Noise(inside=s)
            parts = [
                ct.evolve(net, noise, signal[:, None], PERIOD, method="simulation", trajectories=trials, rng=seed)
                for seed in range(REPLICATES)
            ]
            rows.append([signal_to_noise(part.mean[1:, 0], part.covariance[1:, 0, 0]) for part in parts])
        found = np.array(rows)
        data[f"simulated/{theta:g}"] = found.mean(axis=1)
        data[f"error/{theta:g}"] = found.std(axis=1, ddof=1) / np.sqrt(REPLICATES)
    runs = [run for run in over_noise(quick) if (run.site, run.seed) == ("inside", SEED) and run.sigma in TRAINED]
    for run, net in trained(runs, quick).items():
        preference = ct.preference(net, run.task, noise=run.noise, repeats=64 if quick else 256)
        name = f"network/{run.sigma:g}"
        data[f"{name}/sigma"] = run.sigma * preference.levels
        data[f"{name}/loss"], data[f"{name}/error"] = preference.loss, preference.standard_error
        data[f"{name}/predicted"] = preference.predicted_loss
        data[f"{name}/preferred"] = run.sigma * preference.preferred
    return data


def signal_to_noise(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the power of the mean at the signal's frequency over the mean variance; time is the last axis."""
    wave = np.exp(2j * np.pi * np.arange(PERIOD) / PERIOD)
    power, noise = 2.0 * np.abs(np.mean(mean * wave, axis=-1)) ** 2, np.mean(variance, axis=-1)
    return np.divide(power, noise, out=np.zeros_like(power), where=noise > 0.0)  # 0 if nothing crosses the threshold


def headline(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the noise at the peaks of threshold units, the noise that networks prefer, and two errors of the theory.

    The errors are the root mean square deviation of the simulated ratios in standard errors, and the largest relative
    error of the predicted loss up to the training noise.
    """
    found = {f"threshold {t:g}": float(data["sigma"][np.argmax(data[f"theory/{t:g}"])]) for t in THRESHOLDS}
    found |= {f"trained at {s:g}": float(data[f"network/{s:g}/preferred"]) for s in TRAINED}
    scores, gaps = [], []
    for t in THRESHOLDS:
        theory = np.interp(data["points"], data["sigma"], data[f"theory/{t:g}"])
        seen = data[f"error/{t:g}"] > 0.0
        scores.append((data[f"simulated/{t:g}"] - theory)[seen] / data[f"error/{t:g}"][seen])
    for s in TRAINED:
        name = f"network/{s:g}"
        gaps.append(np.abs(data[f"{name}/predicted"] / data[f"{name}/loss"] - 1.0)[data[f"{name}/sigma"] <= s])
    return found | {
        "simulated, rms": float(np.sqrt(np.mean(np.concatenate(scores) ** 2))),
        "predicted": float(np.max(gaps)),
    }


@styled
def draw(data: Mapping[str, Any]) -> Figure:
    """Draw untrained threshold units beside networks trained at several noise levels."""
    made, (left, right) = figure(TWO_COLUMNS, 2.7, 1, 2, sharex=True)
    peaks = headline(data)
    for theta, colour in zip(THRESHOLDS, GREYS, strict=True):
        top = np.max(data[f"theory/{theta:g}"])
        left.plot(data["sigma"], data[f"theory/{theta:g}"] / top, color=colour)
        y, error = data[f"simulated/{theta:g}"] / top, data[f"error/{theta:g}"] / top
        simulated(left, data["points"], y, error, colour, label=rf"threshold {theta:g}")
        left.plot(peaks[f"threshold {theta:g}"], 1.0, "v", color=colour, markersize=5)
    for sigma, colour in zip(TRAINED, BLUES, strict=True):
        name = f"network/{sigma:g}"
        top = np.min(data[f"{name}/predicted"])
        right.plot(data[f"{name}/sigma"], top / data[f"{name}/predicted"], color=colour)
        y = top / data[f"{name}/loss"]
        error = y * data[f"{name}/error"] / data[f"{name}/loss"]
        simulated(right, data[f"{name}/sigma"], y, error, colour, label=rf"trained at $\sigma$ = {sigma:g}")
        right.plot(peaks[f"trained at {sigma:g}"], 1.08, "v", color=colour, markersize=5)
    left.set_title("threshold units, untrained")
    right.set_title("networks trained with noise inside")
    left.set_ylabel("signal-to-noise ratio, over its peak")
    right.set_ylabel("lowest loss over loss")
    for ax in (left, right):
        ax.set_xlabel(r"noise $\sigma$, per step")
        ax.set_ylim(0.0, 1.15)
        ax.legend(loc="upper right")
    letters([left, right])
    return made
