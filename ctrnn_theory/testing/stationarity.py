"""A check of a stationary law by identities that every such law of the map obeys."""

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

FEWEST = 64  # states at least, so that there is a standard error
CLOSED = 1e-8  # allowed deviation of an identity without sampling, in standard deviations


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

    The stationary law has E φ(h') = E φ(h) for every function φ. The test depends on what is given:

    * **States** (M, N), drawn independently, are followed with fresh noise by a plain NumPy loop of the map. For
      φ = h_i, h_i h_j, cos h_i and sin h_i the change is averaged over the states, and must vanish within 5 standard
      errors. With 512 states this finds a mean that is wrong by some 0.3 standard deviations, with 100 000 by 0.02.
      States of one path are independent only if they lie several relaxation times apart.
    * For a law of one neuron with ``details["points"]`` and ``["weights"]`` (method "exact"), E φ(h') is computed by
      quadrature over h and ξ for φ = 1, h, h², cos and sin, to 1e-8 beyond the error that the law states.
    * For a law under an **affine f**, the mean and covariance solve linear equations, and are tested to 1e-8.
    * For **any other law**, the mean and covariance are compared with a run of the map, which takes some seconds. The
      mean is that of h + M (F(W h + b; σ_in) - h), where the second term has mean zero and reduces the variance; the
      variances are averaged over the noise of the next step. Nothing is assumed of the shape of the law, and only
      its mean and covariance are tested, to the accuracy of the run: see ``allowed``, mostly 1e-3 standard deviations
      for the mean and 2 % for the variance.
    * For a law with ``details["final_states"]`` (method "simulation"), the tests of states and of any other law are
      both made.

    A law of one attractor among several is tested by the behaviour of its states over 72 relaxation times; rarer
    changes of attractor do not count.

    Parameters
    ----------
    law
        A StationaryLaw of any method, or states (M, N) with M at least 64.
    net, noise, u
        Network, noise and constant input (K,) of the law.
    tolerance
        Additional allowed error, in standard deviations of the state (in their products for second moments), for a
        law that is an approximation, such as that of the Gaussian closure.
    rng
        Seed of the run: an int, a SeedSequence or a Generator.

    Returns
    -------
    tuple of Identity
        The tested identities, each with its deviation and the allowed one.

    Raises
    ------
    AssertionError
        If an identity deviates by more than is allowed; the message lists the ten worst. Also if the mean or the
        covariance is not finite, or the covariance has a negative eigenvalue.
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
    """Return the identities that can be tested for a law, or for states."""
    f = chain.f
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
    """Return validated states (M, N), or None."""
    if states is None:
        return None
    array = float_array("law", states)
    if array.ndim != 2 or array.shape[1] != net.n or len(array) < FEWEST:
        raise ValueError(f"law must hold states of shape (M, {net.n}), M at least {FEWEST}; got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise AssertionError("the states must be finite")
    return array


def _sound(law: StationaryLaw, net: CTRNN) -> tuple[FloatArray, FloatArray]:
    """Return the mean and covariance of a law, after asserting that they are finite and positive semi-definite."""
    mean, V = float_array("law.mean", law.mean), float_array("law.covariance", law.covariance)
    if mean.shape != (net.n,) or V.shape != (net.n, net.n):
        raise ValueError(
            f"law must have a mean ({net.n},) and a covariance ({net.n}, {net.n}); got {mean.shape}, {V.shape}"
        )
    if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(V))):
        raise AssertionError(f"mean and covariance must be finite; got {mean} and {V}")
    lowest, slack = float(np.linalg.eigvalsh(V)[0]), 1e-12 * float(np.trace(V))
    if np.max(np.abs(V - V.T)) > slack or lowest < -slack:
        raise AssertionError(f"covariance must be symmetric without negative eigenvalues; got {lowest:.3g} for {V}")
    return mean, V


def _by_lyapunov(chain: Map, law: StationaryLaw) -> list[Identity]:
    """Compare mean and covariance with the solution for f(x) = c x + d."""
    f, n = chain.f, chain.net.n
    slope = np.full(n, f.derivative(0.0))
    V = linear_covariance(chain.net.W, slope, chain.gamma, slope[:, None] * chain.Q_in * slope + chain.Q_out)
    if V is None:
        raise AssertionError("there is no stationary law, since the step is not stable")
    mean = np.linalg.solve(np.eye(n) - slope[:, None] * chain.net.W, f(chain.drive))
    off = (law.covariance - V) / np.outer(chain.scale, chain.scale)
    deviations = [*((law.mean - mean) / chain.scale), *off[np.triu_indices(n)]]
    allowed = CLOSED + 1e-12 * float(np.max(np.abs(mean) / chain.scale))  # rounding of a mean far from zero
    return [Identity(name, float(x), allowed) for name, x in zip(names(n), deviations, strict=False)]


def _by_quadrature(chain: Map, law: StationaryLaw) -> list[Identity]:
    """Return E φ(h) - E φ(h') for one neuron whose law comes with a quadrature rule."""
    h, weight = np.asarray(law.details["points"]).ravel(), np.asarray(law.details["weights"]).ravel()
    net, mean, scale = chain.net, float(law.mean[0]), float(chain.scale[0])
    x, q = gaussian_rule(chain.f, net.W[0, 0] * h + chain.drive[0], float(chain.s_in[0]))
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
    for theta in np.array([1.0, 2.0, 4.0]) / np.max(np.abs(z)):  # frequencies that the rule resolves
        damping = math.exp(-0.5 * (theta * jitter) ** 2)
        change = weight @ (np.exp(1j * theta * z) - damping * np.sum(q * np.exp(1j * theta * after), axis=1))
        off |= {f"E cos({theta:.2g} h)": change.real, f"E sin({theta:.2g} h)": change.imag}
    stated = np.asarray(law.details.get("error", 0.0)) / scale ** np.array([1.0, 2.0])
    allowed = CLOSED + 10.0 * float(np.max(stated))
    return [Identity(name, float(x), allowed) for name, x in off.items()]
