"""Passages between the wells of one neuron in the diffusion approximation, by quadrature or in the limit of weak noise.

In units of τ the state moves as dh = A dt + √B dB (Itô), with drift and diffusion as
:func:`ctrnn_theory.fokker_planck.of_network.network_equation` has them: A = F(a; σ_in) - h and B = γ (v(a; σ_in) +
σ_out²), a = w h + d, for additive noise. With the potential Φ = -∫ 2A/B dh its stationary density is e^{-Φ}/B.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ctrnn_theory.activations import Activation
from ctrnn_theory.dynamics.settle import follow
from ctrnn_theory.dynamics.step import Step
from ctrnn_theory.fokker_planck.equation import Equation
from ctrnn_theory.fokker_planck.of_network import network_equation
from ctrnn_theory.fokker_planck.still_points import still_points
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.model.noisy_activation import NoisyActivation
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.numerics.gauss_legendre import gauss_legendre, nodes_between
from ctrnn_theory.numerics.panels import double_until_steady
from ctrnn_theory.support.errors import NotApplicable
from ctrnn_theory.support.types import FloatArray

ORDER = 16  # Gauss–Legendre points in a panel
PANELS = 8  # panels at first, between two neighbouring states at which the drift may bend
MAX_PANELS = 4096  # panels between two such states at most
TOLERANCE = 1e-9  # relative change of the rates at which the panels are halved no more
CLIMB = 45.0  # height of Φ above the outermost wells at the ends of the range, which leaves out e^-45 of the density
APART = 1e-6  # relative distance below which two wells are one
FARTHEST = 1e9  # distance from an outermost well at which the search for that end fails


@dataclass(frozen=True)
class Diffusion:
    """Drift A and diffusion B of one neuron, in units of τ."""

    f: NoisyActivation
    """Activation f under noise inside."""
    wiring: Wiring
    """How the state reaches f, and how the value of f reaches the state."""
    step: Step
    """The step that is smoothed by the noise inside."""
    equation: Equation
    """Fokker–Planck equation of the neuron."""

    def drift(self, h: FloatArray) -> FloatArray:
        """Return the drift A(h)."""
        return self.equation.drift(np.reshape(h, (-1, 1)), 0.0).reshape(np.shape(h))

    def slope(self, h: FloatArray) -> FloatArray:
        """Return the derivative of the drift, A'(h)."""
        a, weight = self._argument(h), float(self.wiring.write[0, 0] * self.wiring.read[0, 0])
        value: FloatArray = weight * self.f.slope(a) - 1.0
        return value

    def diffusion(self, h: FloatArray) -> FloatArray:
        """Return the diffusion B(h)."""
        return self.equation.diffusion(np.reshape(h, (-1, 1)), 0.0).reshape(np.shape(h))

    def force(self, h: FloatArray) -> FloatArray:
        """Return the slope of the potential, Φ'(h) = -2A/B."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            value: FloatArray = -2.0 * self.drift(h) / self.diffusion(h)
        return value

    @property
    def bends(self) -> FloatArray:
        """States at which the drift is not smooth, ascending."""
        w, f = float(self.wiring.read[0, 0]), self.f.f
        if self.f.std or not w or not isinstance(f, Activation):
            return np.empty(0)
        kinks = [0.0] if self.f.gain else f.breakpoints  # multiplicative noise smooths all but what is at zero
        return np.sort((np.array(kinks) - float(self.wiring.c[0])) / w)

    def _argument(self, h: FloatArray) -> FloatArray:
        return float(self.wiring.read[0, 0]) * h + float(self.wiring.c[0])


def diffusion_of(net: CTRNN, noise: Noise, u: ArrayLike | None) -> Diffusion:
    """Return the diffusion approximation of one neuron.

    Raises
    ------
    NotApplicable
        If there are several neurons, or no noise.
    """
    if net.n != 1:
        raise NotApplicable(f"the diffusion approximation of escape is for one neuron; the network has {net.n}")
    if not noise.is_white:
        raise NotApplicable("the diffusion approximation of escape is for white noise: coloured noise adds a dimension")
    if noise.is_zero:
        raise NotApplicable("without noise the state leaves no basin")
    if np.isfinite(still_points(net, noise, u)).any():
        raise NotApplicable("all noise is multiplicative and vanishes at a state that is passed in one direction alone")
    gain = float(np.sqrt(noise.gain_covariance("inside", 1)[0, 0]))
    noisy = NoisyActivation(net.activations[0], float(noise.std("inside", 1)[0]), gain)
    return Diffusion(noisy, Wiring.of(net, u), Step.of(net, u, noise), network_equation(net, noise, u))


def wells(process: Diffusion, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the wells (B,) of the smoothed drift that belong to ascending stable points (B,), and barriers (B-1,).

    Raises
    ------
    NotApplicable
        If the noise inside merges two wells.
    """
    bottoms = np.array([follow(process.step, np.array([h])).fixed_point[0] for h in points])
    if np.any(np.isnan(bottoms)):
        raise NotApplicable("the smoothed network does not settle to a fixed point from every one of the network")
    gap = APART * (1.0 + np.abs(bottoms[1:]))
    if np.any(np.diff(bottoms) <= gap):
        raise NotApplicable("noise inside smooths the activation so much that its drift has fewer wells than f has")
    tops = [
        brentq(lambda h: float(process.drift(np.array(h))), low + g, high - g, xtol=1e-15, rtol=1e-14)
        for low, high, g in zip(bottoms[:-1], bottoms[1:], gap, strict=True)
    ]
    return bottoms, np.array(tops)


def kramers(process: Diffusion, bottoms: FloatArray, tops: FloatArray) -> FloatArray:
    """Return the rates (B, B) per τ from row to column in the limit of weak noise.

    The mean time from a well s over a barrier u beside it is
    ``2π √(B(u)/B(s)) e^{Φ(u) - Φ(s)} / √(A'(u) |A'(s)|)``: the product of ∫ e^Φ over the barrier and ∫ (2/B) e^{-Φ}
    over the well, both by Laplace's method, with Φ'' = -2A'/B where A = 0 (H. Risken, The Fokker–Planck Equation, 1989,
    section 5.10, where B is constant).
    """
    places = np.concatenate([bottoms, tops])
    if len(process.bends) and np.min(np.abs(places[:, None] - process.bends)) <= APART:
        raise NotApplicable("kramers needs a smooth drift at wells and barriers; one of them lies on a kink of f")
    count = len(bottoms)
    rates = np.zeros((count, count))
    for well, barrier, other in _neighbours(count):
        s, u = bottoms[well], tops[barrier]
        climb = _potential(process, s, u)
        prefactor = math.sqrt(-process.slope(s) * process.slope(u) * process.diffusion(s) / process.diffusion(u))
        rates[well, other] = prefactor * math.exp(-climb) / (2.0 * math.pi)
    return rates


def first_passage(process: Diffusion, bottoms: FloatArray, tops: FloatArray) -> FloatArray:
    """Return the rates (B, B) per τ, from row to column, of first passages between the bottoms of neighbouring wells.

    From x in (c, b), the mean time to reach c or b is P ∫ₓᵇ (S(b) - S) m + (1 - P) ∫_cˣ (S - S(c)) m, with S' = e^Φ,
    m = (2/B) e^{-Φ} and P = (S(x) - S(c)) / (S(b) - S(c)), the probability of reaching b first. The rates are P and
    1 - P over that time (C. W. Gardiner, Handbook of Stochastic Methods, 1985, sections 5.2.7 and 5.2.8).
    """
    count = len(bottoms)
    rates = np.zeros((count, count))
    low, high = _far(process, bottoms[0], -1.0), _far(process, bottoms[-1], 1.0)
    for well in range(count):
        left = bottoms[well - 1] if well else low
        right = bottoms[well + 1] if well < count - 1 else high
        rate = _leave(process, left, bottoms[well], right, (well > 0, well < count - 1))
        if well > 0:
            rates[well, well - 1] = rate[0]
        if well < count - 1:
            rates[well, well + 1] = rate[1]
    return rates


def _neighbours(count: int) -> list[tuple[int, int, int]]:
    """Return well, barrier and well beyond for every passage to a neighbour."""
    return [(i, i, i + 1) for i in range(count - 1)] + [(i + 1, i, i) for i in range(count - 1)]


def _leave(process: Diffusion, left: float, x: float, right: float, absorbing: tuple[bool, bool]) -> FloatArray:
    """Return the rates (2,) from x to the left and to the right; panels are halved until the rates stay the same."""
    rates, steady = double_until_steady(
        lambda panels: _quadrature(process, left, x, right, absorbing, panels),
        lambda before, now: bool(np.all(np.abs(now - before) <= TOLERANCE * now)),
        PANELS,
        MAX_PANELS,
    )
    if not steady:
        raise NotApplicable(f"{MAX_PANELS} panels do not resolve the potential of this noise")
    return rates


def _quadrature(
    process: Diffusion, left: float, x: float, right: float, absorbing: tuple[bool, bool], panels: int
) -> FloatArray:
    """Evaluate the double integrals on some panels.

    An end that does not absorb lies where the density has vanished. Exponents are separated from the sums, whose
    largest terms are 1.
    """
    nodes, half, at = _panels(process, left, x, right, panels)
    phi, _, _ = _running(process.force(nodes), half)
    if not np.all(np.isfinite(phi)):  # the diffusion vanishes on the way
        return np.zeros(2)
    density = -phi - np.log(0.5 * process.diffusion(nodes))
    counts = np.ones(len(nodes), dtype=bool)  # S is needed only on the way to an end that absorbs
    counts[:at], counts[at:] = absorbing
    top, peak = float(np.max(phi[counts])), float(np.max(density))
    scale: FloatArray = np.zeros(phi.shape)
    scale[counts] = np.exp(phi[counts] - top)
    below, above, whole = _running(scale, half)  # S - S(c), S(b) - S
    mass = half * gauss_legendre(ORDER)[1] * np.exp(density - peak)
    before, after = float(np.sum(whole[:at])), float(np.sum(whole[at:]))
    to_right = before / (before + after) if all(absorbing) else float(absorbing[1])
    held = above if absorbing[1] else below
    if all(absorbing):
        held[:at], held[at:] = (1.0 - to_right) * below[:at], to_right * above[at:]
    log_time = top + peak + math.log(float(np.sum(held * mass)))
    rate = math.exp(-log_time)
    return np.array([(1.0 - to_right) * rate, to_right * rate])


def _panels(process: Diffusion, left: float, x: float, right: float, panels: int) -> tuple[FloatArray, FloatArray, int]:
    """Return nodes (M, 16) and half widths (M, 1) of panels with an edge at x, and the number of panels before x."""
    bends = process.bends
    cuts = np.unique([left, x, right, *bends[(bends > left) & (bends < right)]])
    parts = [np.linspace(a, b, panels, endpoint=False) for a, b in itertools.pairwise(cuts)]
    edges = np.append(np.concatenate(parts), cuts[-1])
    nodes, half = nodes_between(edges[:-1], edges[1:], gauss_legendre(ORDER)[0])
    return nodes, half, panels * int(np.searchsorted(cuts, x))


@lru_cache(maxsize=1)
def _antiderivative() -> FloatArray:
    """Return the matrix that maps values at the Gauss–Legendre nodes to integrals from -1 to each node."""
    nodes, _ = gauss_legendre(ORDER)
    coefficients = np.linalg.inv(np.polynomial.legendre.legvander(nodes, ORDER - 1))
    integrals = np.polynomial.legendre.legint(coefficients, lbnd=-1, axis=0)
    matrix: FloatArray = np.asarray(np.polynomial.legendre.legval(nodes, integrals).T, dtype=np.float64)
    return matrix


def _running(values: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the integrals from the first edge to each node, from each node to the last edge, and over each panel."""
    inside = half * (values @ _antiderivative().T)
    whole = half * (values @ gauss_legendre(ORDER)[1])[:, None]
    before = np.cumsum(whole, axis=0) - whole
    after = np.cumsum(whole[::-1], axis=0)[::-1] - whole
    return before + inside, after + (whole - inside), whole


def _potential(process: Diffusion, start: float, end: float) -> float:
    """Return the difference of the potential, Φ(end) - Φ(start)."""
    low, high = sorted((start, end))
    nodes, half, _ = _panels(process, low, low, high, PANELS)
    total = float(np.sum(half * (process.force(nodes) @ gauss_legendre(ORDER)[1])[:, None]))
    return math.copysign(1.0, end - start) * total if math.isfinite(total) else math.inf


def _far(process: Diffusion, well: float, side: float) -> float:
    """Return a state beyond an outermost well at which Φ is higher by CLIMB, or little more."""
    near, reach = 0.0, 1e-3 * (1.0 + abs(well))
    while _potential(process, well, well + side * reach) < CLIMB:
        near, reach = reach, 2.0 * reach
        if reach > FARTHEST:
            raise NotApplicable("the drift does not hold the state: it has no stationary density")
    for _ in range(5):
        middle = 0.5 * (near + reach)
        if _potential(process, well, well + side * middle) < CLIMB:
            near = middle
        else:
            reach = middle
    return well + side * reach
