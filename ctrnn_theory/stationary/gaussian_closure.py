"""The Gaussian closure: the exact moments of one step from a Gaussian state, iterated to their fixed point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.neurons import Neurons
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.closure.choice import closure_of
from ctrnn_theory.stationary.closure.closure_map import MANY, ClosureMap
from ctrnn_theory.stationary.closure.gaussian_step import GaussianClosure
from ctrnn_theory.stationary.closure.moments import Moments, semidefinite
from ctrnn_theory.stationary.closure.settle import MOST_STRIDES, TOLERANCE, SettledMoments, settle
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.stationary.neuron_laws import NeuronLaws
from ctrnn_theory.support.arguments import positive_integer, positive_number, real_array
from ctrnn_theory.support.errors import Divergence
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

MOST_ENTRIES = 1 << 20  # entries of the covariances of inputs that are solved for at once, which bounds the memory
LIMITED = "rounding limits the relative residual to {:.1e}"
UNSTABLE = "the state stays at an unstable fixed point"


@guarded
def step(net: CTRNN, noise: Noise, mean: ArrayLike, covariance: ArrayLike, u: ArrayLike | None = None) -> Moments:
    """Return the exact mean and covariance of h' for h ~ N(m, V): one step of the closure in time.

    For a rate network with white noise it is

    ::

        m' = (1-γ) m + γ F(a; s),   a = W m + W_in u + b,   S = Σ_in + W V Wᵀ,   s = √diag S
        V' = (1-γ)² V + γ(1-γ) (V Wᵀ D + D W V) + γ² (C + Σ_out),   D = diag F'(a; s),   C = Cov f(x), x ~ N(a, S)

    :mod:`ctrnn_theory.stationary.closure.augmented_step` has the equations for all other kinds of network and noise.
    Sources of coloured noise are taken in their stationary law and independent of the state, so that this is the first
    step of a path; :func:`ctrnn_theory.evolve` takes further ones.

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
    state = Moments(real_array("mean", mean, (net.n,)), semidefinite(V))
    closure = closure_of(net, noise, u)
    after = closure.step(closure.begin(state[None]))[0]
    return Moments(after.mean[: net.n], after.covariance[: net.n, : net.n])


def solve(
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    start: ArrayLike | None = None,
    *,
    tolerance: float = TOLERANCE,
    max_iterations: int = MOST_STRIDES,
) -> StationaryLaw:
    """Return the stationary mean and covariance to which the Gaussian closure settles from `start` (see :func:`step`).

    The map is followed from `start`, which is known exactly, in strides of many steps at once: a stride is one step
    where the path bends sharply, doubles where it does not, and keeps its error below a thousandth of the state. From
    time to time Newton's method is tried. Its solution is taken only if it is stable and the map is nearly linear
    between the present state and the solution, so that among several fixed points it is the one to which the closure
    settles from `start`. The states of coloured sources are further components of the state, which begin in their
    stationary law. Networks of 32 neurons or more are first tried by chord steps with Anderson mixing, after a
    few steps of the map, under the same conditions. The work does not grow with 1/γ, or with the time that the network
    takes to settle. A map that does not settle gives its average over about the last half of its strides.

    Parameters
    ----------
    net, noise, u, start
        See :func:`ctrnn_theory.predict`.
    tolerance
        Largest relative distance to the fixed point, estimated by the last Newton step.
    max_iterations
        Largest number of strides. A stride evaluates the moments of a step twice; in addition there are at most about
        ten attempts by Newton's method, of a few dozen evaluations each.

    Returns
    -------
    StationaryLaw
        ``details``: "residual" (that distance), "iterations" (strides), "newton" (steps of Newton's method),
        "spectral_radius" (of the linear response A = (1-γ) I + γ D W at the end, sources of coloured noise included).
        ``rates`` of a network in voltage form are E f(v) for v ~ N(m, V).

    Raises
    ------
    Divergence
        If the mean or the covariance grows without bound.
    NotApplicable
        If noise inside that is multiplicative is also common, coloured or correlated, in a network of many neurons.
    ValueError
        If the tolerance is not positive, or fewer than one iteration is allowed.

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
    closure = closure_of(net, noise, u)
    end = settle(closure, closure.begin(Moments.point(net.start_state(start)[None])), tolerance, max_iterations)
    if end.growing:
        raise Divergence(end.growing[0])
    return _law(net, closure, end, 0, tolerance)


def solve_inputs(net: CTRNN, noise: Noise, inputs: FloatArray) -> Iterator[StationaryLaw | Divergence]:
    """Yield the law of :func:`solve` for each of constant inputs (C, K), from the zero state.

    Inputs of networks of 32 neurons or more are solved for at once, which takes less time.

    Examples
    --------
    >>> net = CTRNN([[0.5]], 0.1, W_in=[[1.0]])
    >>> [round(float(law.mean[0]), 4) for law in solve_inputs(net, Noise(inside=0.5), np.array([[0.0], [0.1]]))]
    [0.377, 0.5021]
    """
    alike = closure_of(net, noise)
    size = alike.read.shape[-1]
    count = max(1, MOST_ENTRIES // size**2) if size >= MANY else 1
    for some in np.split(inputs, range(count, len(inputs), count)):
        drives = np.array([net.drive(u if u.size else None) for u in some])
        closures = alike[np.zeros(len(some), dtype=np.intp)].driven_by(drives)
        end = settle(closures, closures.begin(Moments.point(np.zeros((len(some), net.n)))))
        for i in range(len(some)):
            yield Divergence(end.growing[i]) if i in end.growing else _law(net, closures, end, i, TOLERANCE)


def _law(net: CTRNN, closures: ClosureMap, end: SettledMoments, i: int, tolerance: float) -> StationaryLaw:
    """Return the law at which closure i of a batch has settled."""
    residual, n, message = float(end.residual[i]), net.n, ""
    if not end.settled[i]:
        message = (
            f"the closure does not settle (relative change {residual:.1e} in a time constant after"
            f" {end.strides[i]} strides); its average over about the last half of them is returned"
        )
    elif not end.stable[i]:
        message = UNSTABLE
    elif residual > tolerance:
        message = LIMITED.format(residual)
    one, mean, V = np.array([i]), end.state.mean[i, :n], end.state.covariance[i, :n, :n]
    radius = float(closures[one].reported_radius(closures[one].slope(end.state[one]))[0])
    return StationaryLaw(
        mean=mean,
        covariance=V,
        method="gaussian_closure",
        converged=bool(end.settled[i]),
        message=message,
        details={
            "residual": residual,
            "iterations": int(end.strides[i]),
            "newton": int(end.newton[i]),
            "spectral_radius": radius,
        },
        rates=net.activation.smoothed(mean, np.sqrt(np.diag(V))) if net.form == "voltage" else None,
    )


def solve_neurons(neurons: Neurons) -> NeuronLaws:
    """Solve the closure of many single neurons at once, from the zero state."""
    end = settle(GaussianClosure.of_neurons(neurons), Moments.point(np.zeros((neurons.size, 1))))
    return NeuronLaws(end.state.mean[:, 0], end.state.covariance[:, 0, 0], end.settled & end.stable, end.growing)
