"""Readout, biases or all parameters fitted anew to a device that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctrnn_theory.analysis.devices.chips import Chips, Laws
from ctrnn_theory.support.results import Readable
from ctrnn_theory.support.types import BoolArray, FloatArray

REFITS = ("readout", "biases", "all")
"""What can be fitted anew."""
RIDGE = 1e-9  # of the readout, over the mean square of the states
STEPS = 12  # of the Gauss-Newton method
DAMPING, LESS, MORE = 0.1, 0.3, 5.0  # relative damping at first, and its factors after a step that helps or not


@dataclass(frozen=True, eq=False, repr=False)
class Refit(Readable):
    """The loss of devices whose parameters are fitted anew to their own activations."""

    name: str
    """"readout", "biases" or "all"."""
    losses: FloatArray
    """Loss of each device (D,); NaN where a device has no stationary law."""
    nominal: float
    """Loss of the nominal network after the same refit."""
    mean: float
    """Mean over the devices that have one."""
    standard_error: float
    """Standard error of ``mean``."""

    def _headline(self) -> str:
        mean = f"{self.mean:.4g} ± {self.standard_error:.1g}"
        return f"{self.name} refitted: mean loss {mean}, and {self.nominal:.4g} of the nominal network"


def refitted(name: str, chips: Chips, laws: Laws, u: FloatArray, y: FloatArray) -> FloatArray:
    """Return the losses (D,) of devices after a refit; `laws` are theirs before it."""
    if name == "readout":
        fitted = with_readout(chips, laws, y)
        return fitted.losses(laws, y)
    if name == "biases":
        return _gauss_newton(chips, laws, u, y, ("b",))
    return _gauss_newton(with_readout(chips, laws, y), laws, u, y, ("b", "W", "W_in"), readout=True)


def with_readout(chips: Chips, laws: Laws, y: FloatArray) -> Chips:
    """Return devices with the readout of the least loss, for targets y (C, P).

    It is the regression on states of mean m and covariance V: ``W_out = ⟨(y - ȳ) mᵀ⟩ (⟨(m - m̄)(m - m̄)ᵀ⟩ + ⟨V⟩)⁻¹``.
    """
    m, n = laws.mean, laws.mean.shape[-1]
    centre, goal = m.mean(axis=1, keepdims=True), y.mean(axis=0)
    away = m - centre
    G = np.swapaxes(away, 1, 2) @ away / m.shape[1] + laws.covariance.mean(axis=1)
    ridge = RIDGE * np.mean(m**2, axis=(1, 2))[:, None, None] * np.eye(n)
    W_out = np.swapaxes(np.linalg.solve(G + ridge, np.swapaxes(away, 1, 2) @ (y - goal) / m.shape[1]), 1, 2)
    b_out = goal - (W_out @ centre.swapaxes(1, 2))[..., 0]
    return replace(chips, W_out=W_out, b_out=b_out)


def _gauss_newton(
    chips: Chips, laws: Laws, u: FloatArray, y: FloatArray, moved: tuple[str, ...], readout: bool = False
) -> FloatArray:
    """Return the losses (D,) after damped Gauss-Newton steps for the mean outputs, each taken where the loss falls.

    With `readout`, the readout is fitted anew after each step.

    The mean state m = F(W m + W_in u + b) responds to b as (1 - D W)⁻¹ D, D the mean slopes, and to W and W_in as to b
    times the state and the input that they multiply. The steps are the shortest ones, by a system of the size of the
    outputs.
    """
    losses, best = chips.losses(laws, y), laws
    damping = np.full(chips.size, DAMPING)
    for _ in range(STEPS):
        tried = _step(chips, best, u, y, moved, damping)
        there = tried.laws(u, best, follow=False)
        if readout:
            tried = with_readout(tried, there, y)
        loss = np.where(there.good, tried.losses(there, y), np.inf)
        better = loss < losses
        chips, best = _where(better, tried, chips), _laws_where(better, there, best)
        losses = np.where(better, loss, losses)
        damping = damping * np.where(better, LESS, MORE)
    return losses


def _step(chips: Chips, laws: Laws, u: FloatArray, y: FloatArray, moved: tuple[str, ...], damping: FloatArray) -> Chips:
    """Return the devices after one step of some of their parameters."""
    D, C, n = laws.mean.shape
    slope, W_out = laws.slope[..., None], chips.W_out[:, None]
    inner = np.eye(n) - slope * chips.W[:, None]  # (D, C, N, N)
    G = np.swapaxes(np.linalg.solve(np.swapaxes(inner, 2, 3), np.swapaxes(W_out, 2, 3) * np.ones((1, C, 1, 1))), 2, 3)
    G = G * laws.slope[:, :, None, :]  # response of the output to the biases, (D, C, P, N)
    P = G.shape[2]
    states = laws.mean @ np.swapaxes(laws.mean, 1, 2)  # (D, C, C)
    factor = np.ones((D, C, C)) + ("W" in moved) * states + ("W_in" in moved) * (u @ u.T)
    J = G.reshape(D, C * P, n)
    kernel = (J @ np.swapaxes(J, 1, 2)).reshape(D, C, P, C, P) * factor[:, :, None, :, None]
    kernel = kernel.reshape(D, C * P, C * P)
    size = np.trace(kernel, axis1=1, axis2=2) / (C * P)
    shift = (damping * size + np.finfo(float).tiny)[:, None, None] * np.eye(C * P)
    r = (chips.outputs(laws) - y).reshape(D, C * P, 1)
    v = np.linalg.solve(kernel + shift, r).reshape(D, C, P)
    pulled = np.einsum("dcpn,dcp->dcn", G, v)
    steps: dict[str, Any] = {
        "b": lambda: pulled.sum(axis=1),
        "W": lambda: np.swapaxes(pulled, 1, 2) @ laws.mean,
        "W_in": lambda: np.swapaxes(pulled, 1, 2) @ u,
    }
    return replace(chips, **{name: getattr(chips, name) - steps[name]() for name in moved})


def _where(chosen: BoolArray, one: Chips, other: Chips) -> Chips:
    names = ("W", "b", "W_in", "W_out", "b_out")
    mixed: dict[str, Any] = {name: _chosen(chosen, getattr(one, name), getattr(other, name)) for name in names}
    return replace(one, **mixed)


def _laws_where(chosen: BoolArray, one: Laws, other: Laws) -> Laws:
    parts: list[Any] = [_chosen(chosen, *pair) for pair in zip(one, other, strict=True)]
    return Laws(*parts)


def _chosen(chosen: BoolArray, one: Any, other: Any) -> Any:
    return np.where(chosen.reshape((-1,) + (1,) * (one.ndim - 1)), one, other)
