"""A network without noise whose state is, on average, that of a noisy one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ctrnn_theory.activations import Activation, activation
from ctrnn_theory.activations.group import activations
from ctrnn_theory.analysis.multiplied_activation import multiplied
from ctrnn_theory.model.network import CTRNN, check_model
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.blas_threads import limited
from ctrnn_theory.support.floating import guarded
from ctrnn_theory.support.types import FloatArray

SAME = 1e-12  # relative difference of standard deviations that counts as none: it is rounding


@guarded
@limited
def noise_free(net: CTRNN, noise: Noise) -> CTRNN:
    """Return a network without noise that has the mean of the noisy one.

    Its activation is the smoothing F(x) = E f(x + σ ξ) of f. Averaged over a step, noise of standard deviation σ inside
    the activation turns f(a) into F(a; σ); the fluctuations of a itself add terms of order γ. A network that was
    trained with noise inside can therefore be run without it, and without the bias that switching it off would give:
    the fixed point of the new network is the mean-field mean of the old one. This holds in rate form and in voltage
    form, where v' = (1-γ) v + γ (W F(v) + W_in u + b).

    What is repaired, and what is not:

    * Additive noise inside: up to order γ. Only the standard deviations count, not the correlations between neurons;
      neurons with different ones get different activations.
    * Multiplicative noise inside: up to order γ, by F(x) = E f(x (1 + g ξ) + σ ξ'), for an f for which this has a
      closed expression: a piecewise-linear f, erf, probit, gelu and sin. Without additive noise, σ = 0, a
      piecewise-linear f must be straight on either side of zero.
    * Coloured noise inside counts by its standard deviation. The bias is repaired up to terms of order γ and τ_c/τ,
      with τ_c the correlation time, and so for τ_c far below τ alone: slower noise is followed by the state.
    * Noise outside is dropped. White additive or multiplicative noise there, dropout included, moves the fluctuations
      of the state; the bias that these induce is of order γ itself, and with coloured noise of order γ and τ_c/τ. In
      voltage form the fluctuation of v is within f: to repair its effect as well, f would have to be smoothed by the
      standard deviation of v, which is not known beforehand, and which depends on the input.

    Parameters
    ----------
    net
        Network of N neurons.
    noise
        Noise with which it was trained.

    Returns
    -------
    CTRNN
        Network with the same weights, step and readout, and the activation ``smoothed(f, σ)``; f itself where there is
        no noise inside.

    Raises
    ------
    NotApplicable
        If the average of f over multiplicative noise inside has no closed expression.
    ValueError
        If f cannot be smoothed.

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
    gain = np.sqrt(np.diag(noise.gain_covariance("inside", net.n)))
    keys = list(zip(net.activations, _alike(noise.std("inside", net.n)), _alike(gain), strict=True))
    averaged = {key: _averaged(*key) for key in dict.fromkeys(keys)}
    return replace(net, activation=activations([averaged[key] for key in keys], net.n))


def _averaged(f: Activation, std: float, gain: float) -> Activation:
    """Return f averaged over noise inside."""
    return multiplied(f, std, gain) if gain else activation(f"smoothed({f.text}, {std!r})")


def _alike(values: FloatArray) -> list[float]:
    """Return values (N,) as a list, the largest of them for all if they differ by rounding alone."""
    high = float(values.max())
    return [high] * values.size if high - values.min() <= SAME * high else values.tolist()
