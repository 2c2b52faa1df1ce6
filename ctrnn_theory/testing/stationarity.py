"""Identities that every stationary law of the map obeys."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.dynamics.linear_response import linear_covariance
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.stationary.law import StationaryLaw
from ctrnn_theory.support.arguments import check_rng, float_array, nonnegative
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.testing.gaussian import gaussian_rule
from ctrnn_theory.testing.run import TRAJECTORIES, Identity, Map, names, of_moments, of_states

FEWEST = 64  # states, for a standard error
CLOSED = 1e-8  # what an identity without sampling may be off


@guarded
@limited
def assert_stationary(
    law: StationaryLaw | ArrayLike,
    net: CTRNN,
    noise: Noise,
    u: ArrayLike | None = None,
    *,
    tolerance: float = 0.0,
    rng: Any = 0,
) -> tuple[Identity, ...]:
    """Assert that a law, or an ensemble of states, is stationary under the map of the network.

    The stationary law has E φ(h') = E φ(h) for every function φ. What can be tested depends on what is given:

    * **States** (M, N), drawn independently: a plain NumPy loop of the map runs them on, with fresh noise. For
      φ = h_i, h_i h_j, cos h_i, sin h_i the change of each is averaged, and must vanish within 5 standard errors: a
      mean that is off by some 0.3 standard deviations is found with 512 states, 0.02 with 100 000. States from one
      path are independent only if some relaxation times apart.
    * A law with ``details["points"]`` and ``["weights"]`` (method "exact"), one neuron: E φ(h') by quadrature over h
      and ξ, for φ = 1, h, h², cos and sin; to 1e-8 beyond the error that the law states.
    * A law under an **affine f**: its mean and covariance solve linear equations; to 1e-8.
    * **Any other law**: its mean and covariance against a run of the map that has forgotten its start, some seconds.
      The mean of h is averaged together with M (F(W h + b; σ_in) - h), which has mean zero and makes it sharp; in the
      variances the noise of the next step is averaged out. Nothing is assumed of the law's shape, and only its mean and
      covariance are judged: to what the run resolves, see ``allowed``, mostly 1e-3 standard deviations for the mean
      and 2 % for the variance.
    * A law with ``details["final_states"]`` (method "simulation"): the first and the last.

    A law of one attractor among several is judged by what a state does in 72 relaxation times, not by rarer changes
    of attractor.

    Parameters
    ----------
    law
        A StationaryLaw of any method, or states (M, N), M at least 64.
    net, noise, u
        What it is the law of.
    tolerance
        Error allowed on top, in standard deviations of the state (of their products for second moments), for a
        law that is an approximation, such as the Gaussian closure.
    rng
        For the run: int, SeedSequence or Generator.

    Returns
    -------
    tuple of Identity
        Every identity tested, with its deviation and what was allowed.

    Raises
    ------
    AssertionError
        If one is off by more than is allowed, or the law is no law: not finite, or a covariance with a negative
        eigenvalue. All that are off are listed.
    ValueError
        If the shapes do not fit, there is no noise, or the state relaxes too slowly for a run.

    Examples
    --------
    >>> from ctrnn_theory import predict
    >>> net, noise = CTRNN.single(w=0.5, b=0.1, activation="relu"), Noise(inside=0.5)
    >>> tested = assert_stationary(predict(net, noise, method="exact"), net, noise)
    >>> max(abs(identity.deviation) for identity in tested) < 1e-8
    True
    >>> assert_stationary(predict(net, noise, method="mean_field"), net, noise)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: the law (mean_field) is not stationary: 1 of 2 identities fail, in standard deviations
    E h[0] is off by -0.0143, more than 0.000...
    """
    check_model(net, noise, u)
    check_rng(rng)
    tolerance = nonnegative("tolerance", tolerance)
    given = law if isinstance(law, StationaryLaw) else None
    states = _states(law if given is None else given.details.get("final_states"), net)
    if given is not None:
        mean, V = _sound(given, net)
    elif states is not None:
        mean, V = states.mean(axis=0), np.atleast_2d(np.cov(states.T))
    else:
        raise ValueError(f"law must be a StationaryLaw or states (M, N); got {law!r}")
    chain = Map(net, noise, net.drive(u), mean, V)
    found = _identities(chain, given, states, V, np.random.default_rng(rng))
    found = [identity._replace(allowed=identity.allowed + tolerance) for identity in found]
    wrong = [identity for identity in found if not abs(identity.deviation) <= identity.allowed]
    if wrong:
        wrong.sort(key=lambda identity: -abs(identity.deviation) / identity.allowed)
        subject = "the states are" if given is None else f"the law ({given.method}) is"
        head = f"{subject} not stationary: {len(wrong)} of {len(found)} identities fail, in standard deviations"
        lines = [f"{i.name} is off by {i.deviation:.3g}, more than {i.allowed:.2g}" for i in wrong[:10]]
        raise AssertionError("\n".join([head, *lines]))
    return tuple(found)


def _identities(
    chain: Map, law: StationaryLaw | None, states: FloatArray | None, V: FloatArray, rng: np.random.Generator
) -> list[Identity]:
    """All that can be tested of what is given."""
    f = chain.net.activation
    if states is not None:
        found = of_states(chain, states, rng)
        return found if law is None else found + of_moments(chain, states[:TRAJECTORIES], law, rng)
    if law is None:
        return []
    if chain.net.n == 1 and {"points", "weights"} <= set(law.details):
        return _by_quadrature(chain, law)
    if f.piecewise_linear and not f.breakpoints and law.standard_error is None:
        return _by_lyapunov(chain, law)
    values, vectors = np.linalg.eigh(V)
    start = rng.standard_normal((TRAJECTORIES, chain.net.n)) * np.sqrt(np.maximum(values, 0.0))
    return of_moments(chain, law.mean + start @ vectors.T, law, rng)


def _states(states: Any, net: CTRNN) -> FloatArray | None:
    """States (M, N), validated."""
    if states is None:
        return None
    array = float_array("law", states)
    if array.ndim != 2 or array.shape[1] != net.n or len(array) < FEWEST:
        raise ValueError(f"law must hold states of shape (M, {net.n}), M at least {FEWEST}; got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise AssertionError("the states must be finite")
    return array


def _sound(law: StationaryLaw, net: CTRNN) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of a law that can be one."""
    mean, V = float_array("law.mean", law.mean), float_array("law.covariance", law.covariance)
    if mean.shape != (net.n,) or V.shape != (net.n, net.n):
        raise ValueError(
            f"law must have a mean ({net.n},) and a covariance ({net.n}, {net.n}); got {mean.shape}, {V.shape}"
        )
    if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(V))):
        raise AssertionError(f"mean and covariance must be finite; got {mean} and {V}")
    lowest, slack = float(np.linalg.eigvalsh(V)[0]), 1e-12 * float(np.trace(V))
    if np.max(np.abs(V - V.T)) > slack or lowest < -slack:
        raise AssertionError(f"covariance must be symmetric, of no negative eigenvalue; got {lowest:.3g} for {V}")
    return mean, V


def _by_lyapunov(chain: Map, law: StationaryLaw) -> list[Identity]:
    """Mean and covariance under f(x) = c x + d."""
    f, n = chain.net.activation, chain.net.n
    slope = np.full(n, f.derivative(0.0))
    V = linear_covariance(chain.net.W, slope, chain.net.gamma, slope[:, None] * chain.Q_in * slope + chain.Q_out)
    if V is None:
        raise AssertionError("the step is not stable, so that there is no stationary law")
    mean = np.linalg.solve(np.eye(n) - slope[:, None] * chain.net.W, f(chain.drive))
    off = (law.covariance - V) / np.outer(chain.scale, chain.scale)
    deviations = [*((law.mean - mean) / chain.scale), *off[np.triu_indices(n)]]
    allowed = CLOSED + 1e-12 * float(np.max(np.abs(mean) / chain.scale))  # rounding of a mean far from zero
    return [Identity(name, float(x), allowed) for name, x in zip(names(n), deviations, strict=False)]


def _by_quadrature(chain: Map, law: StationaryLaw) -> list[Identity]:
    """E φ(h) - E φ(h') for one neuron with a quadrature rule for its law."""
    h, weight = np.asarray(law.details["points"]).ravel(), np.asarray(law.details["weights"]).ravel()
    net, mean, scale = chain.net, float(law.mean[0]), float(chain.scale[0])
    x, q = gaussian_rule(net.activation, net.W[0, 0] * h + chain.drive[0], float(chain.s_in[0]))
    z = (h - mean) / scale
    after = ((1.0 - net.gamma) * h[:, None] + net.gamma * net.activation(x) - mean) / scale
    jitter = net.gamma * float(np.sqrt(chain.Q_out[0, 0])) / scale
    off = {
        "E 1": np.sum(weight) - 1.0,
        "mean": -(weight @ z),
        "variance": law.covariance[0, 0] / scale**2 - weight @ z**2,
        "E h": weight @ (z - np.sum(q * after, axis=1)),
        "E h²": weight @ (z**2 - np.sum(q * after**2, axis=1) - jitter**2),
    }
    for theta in np.array([1.0, 2.0, 4.0]) / np.max(np.abs(z)):  # as much as the rule is sure to resolve
        damping = math.exp(-0.5 * (theta * jitter) ** 2)
        change = weight @ (np.exp(1j * theta * z) - damping * np.sum(q * np.exp(1j * theta * after), axis=1))
        off |= {f"E cos({theta:.2g} h)": change.real, f"E sin({theta:.2g} h)": change.imag}
    stated = np.asarray(law.details.get("error", 0.0)) / scale ** np.array([1.0, 2.0])
    allowed = CLOSED + 10.0 * float(np.max(stated))
    return [Identity(name, float(x), allowed) for name, x in off.items()]
