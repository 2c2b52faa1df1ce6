"""The noise-induced bias of one neuron as its fixed point is moved past the nonlinearity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.nearest_nonlinearity import nearest_nonlinearity
from ctrnn_theory.dynamics.fixed_points import fixed_point_at
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import SITES, Noise
from ctrnn_theory.model.wiring import Wiring
from ctrnn_theory.stationary.registry import method_names, predict
from ctrnn_theory.stationary.small_noise import kink_shift, preactivation_std
from ctrnn_theory.support.arguments import check_rng, float_array, positive_number
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.results import Arrays, Drawn
from ctrnn_theory.support.tables import Table
from ctrnn_theory.support.types import FloatArray

EVEN_POINTS = 33  # evenly spaced distances of a curve
CLOSE_POINTS = np.linspace(-2.4, 2.4, 25)  # more around a nonlinearity, in standard deviations of a, so that a chord
# between two of them is within 0.005 of a curve whose second derivative is 1
SIMULATED_POINTS = 9  # distances at which the simulation runs
SIMULATION_ERROR = 1e-3  # standard error of a simulated point, in units of σ, which is below the size of its marker
EXACT_TOLERANCE = 1e-8  # tolerance of the exact law, which is far below the width of its line
FURTHEST = 12.0  # distance, in units of σ, up to which a curve is extended to pass through its network


@guarded
@dataclass(frozen=True, eq=False, repr=False)
class BiasCurve(Drawn, picture="bias_curve"):
    """Noise-induced bias against the distance ζ = (a* - k)/σ of the pre-activation a* to a nonlinearity k."""

    nonlinearity: float
    """Nonlinearity k that is nearest to the fixed point of the network (0 for an activation without any), or the first
    one if the network settles to no fixed point."""
    unit: float
    """Standard deviation σ = √(σ_in² + σ_out²) of the noise at both sites, see :func:`distance_to_nonlinearity`."""
    distance: Mapping[str, FloatArray]
    """Distances ζ at which each method was evaluated, by method."""
    bias: Mapping[str, FloatArray]
    """Noise-induced bias of the state, δ = E[h] - h*, or E[v] - v* in voltage form, at these distances; NaN where the
    method does not apply, or the fixed point is not stable. Under "kink_block" it is the leading shift at the kinks of
    an activation that has some."""
    standard_error: FloatArray
    """Standard error of the simulated points; empty without simulation."""
    form: str = "rate"
    """Form of the network, "rate" or "voltage", which says what the state is."""

    def _headline(self) -> str:
        return f"distance to the nonlinearity at {self.nonlinearity:g}, in units of {self.unit:g}"

    def _parts(self, few: int) -> Iterator[Table]:
        rows = []
        for name, delta in self.bias.items():
            zeta, known = self.distance[name], np.isfinite(delta)
            row = [name, str(len(zeta)), "", ""]
            if known.any():
                at = int(np.argmax(np.where(known, np.abs(delta), -1.0)))
                row[2:] = f"{delta[at]:+.6g}", f"{zeta[at]:.4g}"
            rows.append([*row, f"{np.count_nonzero(~known)}"])
        yield Table(("method", "points", "largest bias", "at distance", "without a number"), rows, left=1)

    def _arrays(self) -> Arrays:
        places: FloatArray = reduce(np.union1d, self.distance.values(), np.empty(0))
        delta = np.full((len(self.bias), len(places)), np.nan)
        error = np.full(delta.shape, np.nan)
        for row, (name, values) in enumerate(self.bias.items()):
            at = np.searchsorted(places, self.distance[name])
            delta[row, at] = values
            if name == "simulation":
                error[row, at] = self.standard_error
        over = ("methods", "distance")
        return Arrays(
            {"bias": (over, delta), "standard_error": (over, error)},
            {"methods": list(self.bias), "distance": places},
        )


def distance_to_nonlinearity(net: CTRNN, noise: Noise, a: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the distance of each pre-activation to the nearest nonlinearity of f, in units of the neuron's noise.

    Parameters
    ----------
    net, noise
        Network of N neurons, and its noise.
    a
        Pre-activations (N,).

    Returns
    -------
    distance, nonlinearity, unit
        Distance ζ = (a - k)/σ, nearest nonlinearity k, and σ = √(σ_in² + σ_out²), each (N,). Multiplicative noise
        counts by what it adds at a: g² a² inside, and g² f(a)² outside. The distance of a neuron that gets no noise is
        in units of the largest σ.

    Raises
    ------
    ValueError
        If there is no noise.

    Examples
    --------
    >>> distance_to_nonlinearity(CTRNN.single(w=0.0, activation="hardtanh"), Noise(inside=0.5), [0.75])[0]
    array([-0.5])
    """
    check_model(net, noise)
    a = float_array("a", a)
    if a.shape != (net.n,):
        raise ValueError(f"a must have shape ({net.n},); got {a.shape}")
    unit = np.hypot(noise.std("inside", net.n), noise.std("outside", net.n))
    if noise.has_gains:
        inside, outside = (np.diag(noise.gain_covariance(site, net.n)) for site in SITES)
        unit = np.sqrt(unit**2 + inside * a**2 + outside * net.activation(a) ** 2)
    if not np.any(unit):
        raise ValueError("noise must be above 0 to measure distances in units of it; got 0")
    unit = np.where(unit > 0.0, unit, np.max(unit))
    nearest = nearest_nonlinearity(net.activation, a)
    return (a - nearest) / unit, nearest, unit


@guarded
@limited
def bias_curve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    methods: Iterable[str] = ("mean_field", "small_noise", "gaussian_closure", "exact", "simulation"),
    rng: Any = 0,
    reach: float = 4.0,
    start: ArrayLike | None = None,
) -> BiasCurve:
    """Return the noise-induced bias of one neuron against the distance of its fixed point to the nearest nonlinearity.

    The constant input is varied: with a* = k + ζσ the fixed point is h* = f(a*), or v* = a* in voltage form, and the
    input is a* - w f(a*). Methods that do not take the kind of network or of noise have no numbers.

    Parameters
    ----------
    net, noise, u
        Network of one neuron, its noise and its input; the curve passes through this network.
    methods
        Names of the methods; the simulation runs at few distances, the other methods at many.
    rng
        Seed of the simulation.
    reach
        Largest |ζ|; it is made larger, up to 12, where the network itself lies further out.
    start
        Start state (1,), which decides between several fixed points; zero by default.

    Raises
    ------
    ValueError
        If there is more than one neuron or no noise, or the reach is not positive.

    Examples
    --------
    >>> curve = bias_curve(CTRNN.single(w=0.0), Noise(inside=0.5), methods=["mean_field"], reach=2.0)
    >>> round(float(curve.bias["mean_field"][curve.distance["mean_field"] == 0.0][0]), 4)    # σ/√(2π)
    0.1995
    """
    check_model(net, noise, u, start)
    check_rng(rng)
    chosen = method_names(methods)
    if net.n != 1:
        raise ValueError(f"net must have one neuron for a curve; got {net.n}")
    reach = positive_number("reach", reach)
    own = predict(net, noise, u, "deterministic", start)
    a = net.preactivation(own.details["fixed_point"], u)
    if np.isnan(a[0]):
        a = np.array((net.activations[0].nonlinearities or (0.0,))[:1])
    zeta, place, unit = distance_to_nonlinearity(net, noise, a)
    reach = max(reach, min(abs(float(zeta[0])) + 1.0, FURTHEST))
    grid = _grid(net, noise, a, reach, float(place[0]), float(unit[0]))
    grid = np.union1d(grid, zeta[np.abs(zeta) <= reach])
    options = {
        "simulation": {"rng": rng, "target_se": SIMULATION_ERROR * unit[0]},
        "exact": {"tolerance": EXACT_TOLERANCE},
    }
    distance: dict[str, FloatArray] = {}
    delta: dict[str, FloatArray] = {}
    errors: FloatArray = np.array([])
    for name in chosen:
        distance[name] = np.linspace(-reach, reach, SIMULATED_POINTS) if name == "simulation" else grid
        own_options = options.get(name, {})
        rows = [_bias_at(net, noise, float(place[0] + x * unit[0]), name, own_options) for x in distance[name]]
        delta[name] = np.array([row[0] for row in rows])
        if name == "simulation":
            errors = np.array([row[1] for row in rows])
    if net.activations[0].kinks:
        distance["kink_block"] = grid
        places = place[0] + grid * unit[0]
        delta["kink_block"] = np.array([_kink_block_at(net, noise, float(a)) for a in places])
    return BiasCurve(float(place[0]), float(unit[0]), distance, delta, errors, net.form)


def _grid(net: CTRNN, noise: Noise, a: FloatArray, reach: float, place: float, unit: float) -> FloatArray:
    """Return distances ζ, evenly spaced, and more of them around each nonlinearity.

    The latter are as far apart as the standard deviation of the pre-activation demands.
    """
    scale = preactivation_std(net, noise, a) / unit
    centres = (np.array(net.activations[0].nonlinearities or (0.0,)) - place) / unit
    close = (centres[:, None] + scale * CLOSE_POINTS).ravel()
    return np.union1d(np.linspace(-reach, reach, EVEN_POINTS), close[np.abs(close) <= reach])


def _bias_at(net: CTRNN, noise: Noise, a: float, method: str, options: Mapping[str, Any]) -> tuple[float, float]:
    """Return the bias and its standard error where the input is such that a* = a; NaN where there is none."""
    moved, h, stable = _moved(net, a)
    if not stable:
        return np.nan, np.nan
    try:
        law = predict(moved, noise, None, method, h, **options)
    except (NotApplicable, Divergence):
        return np.nan, np.nan
    error = np.nan if law.standard_error is None else float(law.standard_error[0])
    return (float(law.mean[0] - h[0]) if law.converged else np.nan), error


def _kink_block_at(net: CTRNN, noise: Noise, a: float) -> float:
    """Return the shift by the kinks where the input is such that a* = a; NaN where the fixed point is not stable."""
    return float(kink_shift(net, noise, np.array([a]))[0]) if _moved(net, a)[2] else np.nan


def _moved(net: CTRNN, a: float) -> tuple[CTRNN, FloatArray, bool]:
    """Return the network with an input for which a* = a, its fixed point (1,), and whether that is stable."""
    rate = np.atleast_1d(net.activation(a))
    moved = replace(net, b=a - net.W[0] * rate)
    state = Wiring.of(moved).target(rate)
    return moved, state, fixed_point_at(moved, state, moved.b).stable
