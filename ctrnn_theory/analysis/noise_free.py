"""A network without noise whose state is, on average, that of a noisy one."""

from __future__ import annotations

from dataclasses import replace

from ctrnn_theory.activations import activation
from ctrnn_theory.model.kinds import require
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded

SAME = 1e-12  # relative difference of standard deviations that counts as none: it is rounding


@guarded
@limited
def noise_free(net: CTRNN, noise: Noise) -> CTRNN:
    """Return a network without noise that has the mean of the noisy one.

    Its activation is the smoothing F(x) = E f(x + σ ξ) of f. Averaged over a step, noise of standard deviation σ inside
    the activation turns f(a) into F(a; σ); the fluctuations of a itself add terms of order γ. A network that was
    trained with noise inside can therefore be run without it, and without the bias that switching it off would give:
    the fixed point of the new network is the mean-field mean of the old one.

    Only the standard deviations inside count, not the correlations between neurons. Noise outside is dropped, since the
    bias that it induces is of order γ itself.

    Parameters
    ----------
    net
        Network of N neurons.
    noise
        Noise with which it was trained; its standard deviation inside must be the same for every neuron, since the
        neurons share one activation.

    Returns
    -------
    CTRNN
        Network with the same weights, step and readout, and the activation ``smoothed(f, σ)``; f itself where σ = 0.

    Raises
    ------
    ValueError
        If the noise inside differs between neurons, or f cannot be smoothed.

    Examples
    --------
    >>> from ctrnn_theory import CTRNN, Noise, predict
    >>> net, noise = CTRNN.single(w=0.5, b=0.1, activation="relu"), Noise(inside=0.5)
    >>> predict(net, Noise(), method="deterministic").mean, predict(net, noise, method="exact").mean
    (array([0.2]), array([0.3770395]))
    >>> quiet = noise_free(net, noise)
    >>> quiet.activation, predict(quiet, Noise(), method="deterministic").mean
    (Activation('smoothed(relu, 0.5)'), array([0.3754941]))
    """
    check_model(net, noise)
    require("noise_free", net, noise)
    std = noise.std("inside", net.n)
    low, high = float(std.min()), float(std.max())
    if high - low > SAME * high:
        raise ValueError(f"noise inside must have one standard deviation for all neurons; got {low:g} to {high:g}")
    return replace(net, activation=activation(f"smoothed({net.activation.text}, {high!r})"))
