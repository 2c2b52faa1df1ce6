"""The Gaussian closure: exact moments of one step from a Gaussian state, iterated to where they stay."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.arguments import positive_integer, positive_number, real_array
from ctrnn_theory.network import CTRNN, Noise
from ctrnn_theory.stationary.closure import ROUNDING, Closure, Moments, distance, semidefinite
from ctrnn_theory.stationary.flow import BOUND
from ctrnn_theory.stationary.law import Divergence, FloatArray, StationaryLaw

LIMITED = "rounding limits the relative residual to {:.1e}"
FIRST_TRY = 8  # steps of the map before the first jump is tried; then at each doubling
LARGE = 1e4  # a state that is so many times what is put in, and still unstable, is taken to grow for ever
PATIENCE = 25.0  # time constants 1/γ; a stretch this long without progress ends the iteration


def step(net: CTRNN, noise: Noise, mean: ArrayLike, covariance: ArrayLike, u: ArrayLike | None = None) -> Moments:
    """One step of the closure in time: exact mean and covariance of h' for h ~ N(m, V).

    ::

        m' = (1-γ) m + γ F(a; s),   a = W m + W_in u + b,   S = Σ_in + W V Wᵀ,   s = √diag S
        V' = (1-γ)² V + γ(1-γ) (V Wᵀ D + D W V) + γ² (C + Σ_out),   D = diag F'(a; s),   C = Cov f(x), x ~ N(a, S)

    With an input that changes from step to step, iterating it follows the network in time.

    Parameters
    ----------
    net, noise
        The network, N neurons, and its noise.
    mean, covariance
        m (N,) and V (N, N), symmetric positive semi-definite.
    u
        Input (K,) during the step, or None.

    Raises
    ------
    ValueError
        If the shapes do not fit, or the covariance is not symmetric positive semi-definite.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> after = step(net, Noise(inside=0.5), [0.2], [[0.01]])
    >>> print(after.mean.round(6), after.covariance.round(6))
    [0.211614] [[0.009975]]
    """
    V = real_array("covariance", covariance, (net.n, net.n))
    size = np.max(np.abs(V))
    if np.max(np.abs(V - V.T)) > 1e-9 * size or np.linalg.eigvalsh(V)[0] < -1e-9 * size:
        raise ValueError("covariance must be symmetric positive semi-definite")
    return Closure(net, noise, u).step(Moments(real_array("mean", mean, (net.n,)), semidefinite(V)))


def solve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    tolerance: float = 1e-12,
    max_iterations: int = 20_000,
) -> StationaryLaw:
    """Stationary mean and covariance of the Gaussian closure that `start` flows to (see :func:`step`).

    The map is iterated from `start`, known exactly. Now and then a jump to the fixed point is tried: Newton's method
    for the mean, and for the covariance the Lyapunov equation of the linear response, A = (1-γ) I + γ D W. It is taken
    only if the map surely goes there too, so that among several fixed points the end is the one that `start` flows
    to. A map that does not settle gives its average over the last half of its steps.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    tolerance
        Largest relative distance to the fixed point, as the last Newton step estimates it.
    max_iterations
        Most steps of the map.

    Returns
    -------
    StationaryLaw
        ``details``: "residual" (that distance), "iterations" (steps of the map), "newton" (steps of Newton's method),
        "spectral_radius" (of A at the end).

    Raises
    ------
    Divergence
        If the mean or the covariance grows without bound.
    ValueError
        For a tolerance that is not positive, or fewer than one iteration.

    Examples
    --------
    >>> net = CTRNN.single(w=0.5, b=0.1, activation="relu", gamma=0.1)
    >>> law = solve(net, Noise(inside=0.5))       # the fixed point is 0.2, the exact mean 0.37704
    >>> print(law.mean.round(4), law.converged)
    [0.377] True
    """
    tolerance, max_iterations = (
        positive_number("tolerance", tolerance),
        positive_integer("max_iterations", max_iterations),
    )
    closure = Closure(net, noise, u)
    state = Moments(net.start_state(start), np.zeros((net.n, net.n)))
    path, k, residual = _Path(net, closure.scale(state)), 0, np.inf
    while k < max_iterations and not path.unsettled(closure.radius(state)):
        path.begin()
        for _ in range(min(max(k, FIRST_TRY), max_iterations - k)):
            new = closure.step(state)
            k, residual, state = k + 1, distance(state, new) / net.gamma, new
            path.add(state, residual)
            if residual <= tolerance:
                break
        jump = closure.jump(state, tolerance)
        if jump is not None:
            message = "" if jump.residual <= tolerance else LIMITED.format(jump.residual)
            return _law(closure, jump.state, True, message, residual=jump.residual, iterations=k, newton=jump.steps)
        if residual <= tolerance:
            message = "" if closure.radius(state) < 1.0 else "the state rests at an unstable fixed point"
            return _law(closure, state, True, message, residual=residual, iterations=k, newton=0)
    if residual <= ROUNDING:
        return _law(closure, state, True, LIMITED.format(residual), residual=residual, iterations=k, newton=0)
    message = (
        f"the closure does not settle (relative change {residual:.1e} in a time constant after {k} steps); its average "
        f"over the last {path.steps} of them is given"
    )
    return _law(closure, path.average(), False, message, residual=residual, iterations=k, newton=0)


class _Path:
    """Keeps an eye on the iteration: does it settle, does it grow without bound, what is its average?"""

    def __init__(self, net: CTRNN, scale: float) -> None:
        self.n, self.gamma, self.scale = net.n, net.gamma, scale
        self.smallest: list[float] = []  # residual of each stretch
        self.sizes: list[float] = []  # of the state at its end
        self.steps, self.mean, self.square = 0, np.zeros(net.n), np.zeros((net.n, net.n))

    def begin(self) -> None:
        """Start a stretch of the path, as long as all those before."""
        self.steps, self.mean, self.square = 0, np.zeros(self.n), np.zeros((self.n, self.n))
        self.smallest.append(np.inf)
        self.sizes.append(0.0)

    def add(self, state: Moments, residual: float) -> None:
        """Take a step in. Raises Divergence if the state is out of bounds."""
        size = max(float(np.max(np.abs(state.mean))), float(np.sqrt(np.max(np.diag(state.covariance)))))
        if not size < BOUND:
            raise Divergence(f"W must keep the state bounded; under noise it passes {BOUND:g} from this start")
        self.steps += 1
        self.mean += state.mean
        self.square += state.covariance + np.outer(state.mean, state.mean)
        self.smallest[-1] = min(self.smallest[-1], residual)
        self.sizes[-1] = size

    def unsettled(self, radius: float) -> bool:
        """Whether the residual has stopped falling for good, at a linear response of this spectral radius.

        Raises Divergence if the state grows instead: far beyond anything put in, or for long.
        """
        if len(self.sizes) < 4:
            return False
        growth = [b / a if a > 0.0 else 1.0 for a, b in zip(self.sizes[-4:-1], self.sizes[-3:], strict=True)]
        size, waited = self.sizes[-1], self.steps * self.gamma >= PATIENCE
        if radius >= 1.0 - 1e-9 and min(growth) > 1.5 and (waited or size > LARGE * self.scale):
            raise Divergence(f"W must keep the state bounded; under noise it grows on and on, to {size:.3g} so far")
        if not waited:
            return False
        return growth[-1] < 1.5 and self.smallest[-1] > 0.9 * self.smallest[-2]

    def average(self) -> Moments:
        """Mean and covariance over the last stretch, at a random time."""
        mean: FloatArray = self.mean / self.steps
        return Moments(mean, semidefinite(self.square / self.steps - np.outer(mean, mean)))


def _law(closure: Closure, state: Moments, settled: bool, message: str, **details: float) -> StationaryLaw:
    return StationaryLaw(
        mean=state.mean,
        covariance=state.covariance,
        method="gaussian_closure",
        converged=settled,
        message=message,
        details={**details, "spectral_radius": closure.radius(state)},
    )
