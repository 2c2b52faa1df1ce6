"""Networks in hardware whose neurons differ: what a spread of the activations does to bias and loss."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.analysis.audit.given import given_of
from ctrnn_theory.analysis.devices.chips import Chips, Laws
from ctrnn_theory.analysis.devices.linear import linear_response
from ctrnn_theory.analysis.devices.refit import REFITS, Refit, refitted
from ctrnn_theory.analysis.devices.result import Devices, Over, OverDevices
from ctrnn_theory.analysis.devices.spread import Spread, check_spread
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import check_rng, choice, positive_integer
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.errors import Divergence, NotApplicable
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import BoolArray, FloatArray


@guarded
@limited
def devices(
    net: CTRNN,
    spread: Spread,
    noise: Noise,
    inputs: ArrayLike | None = None,
    targets: ArrayLike | None = None,
    *,
    devices: int = 200,
    refit: str | Sequence[str] = (),
    rng: Any = 0,
) -> Devices:
    """Return what a spread of the activations between devices does to the bias and the loss of a network.

    A chip realises the activation f of each neuron with a scale, a gain, a threshold and an offset of its own,

    ``f_i(x) = s_i f(g_i (x - c_i)) + o_i``,

    which stay as they are while noise is new in each step. Mean and variance over devices, of the noise-free fixed
    point, of the noise-induced bias E h - h* and of the loss ``mean over inputs of |E z - y|² + tr Cov z``, are found
    in two ways. *Linear response* expands the equations of the Gaussian closure to second order in the parameters about
    the nominal network, ``X + ½ Σ σ_k² ∂²X/∂θ_k²`` and ``Σ σ_k² (∂X/∂θ_k)²``; what it leaves out is of the fourth order
    in the spread. *Sampling* solves the closure of devices that are drawn. A spread that takes a neuron across a kink
    of f has no such expansion without noise; under noise inside it has.

    Parameters
    ----------
    net
        Network of N neurons in rate form, of one activation and one γ.
    spread
        Standard deviations of the parameters.
    noise
        Additive white noise, inside and outside.
    inputs
        Constant inputs, (K,) or (conditions, K); None for a network without inputs.
    targets
        Outputs that are wanted, (P,) or (conditions, P). Without them there is no loss.
    devices
        Number of devices that are drawn.
    refit
        What is fitted anew to the realised activations of each device, one name or several: "readout", by regression;
        "biases", or "all" parameters, by Gauss-Newton steps, of which those are taken that lower the loss.
    rng
        Seed of the devices; more of them begin with those of fewer.

    Returns
    -------
    Devices
        Result with ``table()``, ``plot()`` and ``to_dict()``. Devices without a stationary law are left out of its
        averages, and the message says how many.

    Raises
    ------
    NotApplicable
        If the network or its noise is of another kind.
    Divergence
        If the nominal network has no stationary law.
    ValueError
        If shapes do not fit, or an argument is out of range.

    Notes
    -----
    The cost of linear response grows as N⁴, that of sampling as N³ for each device.

    References
    ----------
    Activations that differ within a circuit are studied by Thant et al., arXiv:2510.17849.

    Examples
    --------
    >>> net = CTRNN.single(w=-0.5, b=0.3, activation="tanh")
    >>> found = devices(net, Spread(threshold=0.05), Noise(inside=0.5), devices=400)
    >>> for over in (found.linear.bias, found.sampled.bias):
    ...     print(f"{over.mean[0, 0]:.4f}, std over devices {over.std[0, 0]:.4f}")
    -0.0240, std over devices 0.0038
    -0.0242, std over devices 0.0037
    """
    check_model(net, noise)
    check_spread(spread, net.n)
    check_rng(rng)
    given, count = given_of(net, inputs, targets, None), positive_integer("devices", devices)
    if not given.constant:
        raise ValueError(f"inputs must be constant, (K,) or (conditions, K); got {given.u.shape}")
    several = isinstance(refit, Sequence) and not isinstance(refit, str)
    names = [choice("refit", name, REFITS) for name in (refit if several else (refit,))]
    u, y = given.u[0], None if given.y is None else given.y[0]
    if names and y is None:
        raise ValueError("refit must be empty without targets, which parameters are fitted to")
    begin = perf_counter()
    nominal = Chips.of(net, noise)
    laws, rest = nominal.laws(u), nominal.quiet().laws(u)
    if not (laws.good[0] and rest.good[0]):
        raise Divergence("W must let the nominal network settle for every input, with noise and without")
    linear, remark = _linear(nominal, laws, rest, u, y, spread.std(net.n))
    middle = perf_counter()
    shapes = spread.draw(net.n, count, np.random.default_rng(rng))
    chips = Chips.of(net, noise, shapes)
    there, still = chips.laws(u, laws), chips.quiet().laws(u, rest)
    settled = there.good & still.good
    lost = "" if settled.all() else f"{count - settled.sum()} of {count} devices have no stable law, and are left out"
    losses = np.full(count, np.nan)
    if y is not None:
        losses[settled] = chips[settled].losses(there.some(settled), y)
    sampled = OverDevices(
        Over.of(still.mean[settled]),
        Over.of(there.mean[settled]),
        Over.of((there.mean - still.mean)[settled]),
        None if y is None else Over.of(losses[settled]),
    )
    refits = tuple(_refit(name, nominal, laws, chips, there, settled, u, y) for name in names if y is not None)
    loss = float("nan") if y is None else float(nominal.losses(laws, y)[0])
    message = "; ".join(filter(None, (remark, lost)))
    seconds = middle - begin, perf_counter() - middle
    state = rest.mean[0], laws.mean[0] - rest.mean[0]
    return Devices(
        net, noise, spread, u, y, *state, loss, linear, sampled, losses, settled, shapes, refits, message, seconds
    )


def _linear(
    nominal: Chips, laws: Laws, rest: Laws, u: FloatArray, y: FloatArray | None, std: FloatArray
) -> tuple[OverDevices | None, str]:
    """Return mean and variance over devices by linear response, or None, and what limits it."""
    try:
        return linear_response(nominal, laws, rest, u, y, std)
    except NotApplicable as reason:
        return None, str(reason)


def _refit(
    name: str, nominal: Chips, laws: Laws, chips: Chips, there: Laws, settled: BoolArray, u: FloatArray, y: FloatArray
) -> Refit:
    losses = np.full(chips.size, np.nan)
    losses[settled] = refitted(name, chips[settled], there.some(settled), u, y)
    over, error = Over.of(losses[settled]), float("nan")
    if over.mean_error is not None:
        error = float(over.mean_error)
    return Refit(name, losses, float(refitted(name, nominal, laws, u, y)[0]), float(over.mean), error)
