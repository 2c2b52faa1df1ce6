"""The conventions of other codes. Each is an entry: names of arrays, the step, and its noise in our terms.

Where a code adds γ times something to a potential, that something is our noise outside; where it adds something to the
pre-activation of a rate network, that is our noise inside. Noise on the input reaches the network through W_in.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import numpy as np

from ctrnn_theory.model.conventions.convention import Convention
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import nonnegative, real_array
from ctrnn_theory.support.types import FloatArray


def paper(net: CTRNN, inside: Any = 0.0, outside: Any = 0.0) -> Noise:
    """Return noise that is given in our terms."""
    return Noise(inside=inside, outside=outside)


def multitask(net: CTRNN, sigma_rec: Any = 0.0, sigma_x: Any = 0.0) -> Noise:
    """Return noise √(2/α) σ_rec inside, and √(2/α) σ_x on each input."""
    scale = np.sqrt(2.0 / net.gammas)
    return Noise(inside=_with_inputs(net, scale * _std("sigma_rec", sigma_rec), scale, _std("sigma_x", sigma_x)))


def psychrnn(net: CTRNN, rec_noise: Any = 0.0) -> Noise:
    """Return noise of √(2α) rec_noise on the potential, which is α times √(2/α) rec_noise."""
    return Noise(outside=_short(np.sqrt(2.0 / net.gammas) * _std("rec_noise", rec_noise)))


def pycog(net: CTRNN, var_rec: Any = 0.0, var_in: Any = 0.0, sigma: Any = None) -> Noise:
    """Return noise of variance 2 var_rec/α within the bracket, and of 2 var_in/α on each input; var_rec is sigma²."""
    rec = np.sqrt(_std("var_rec", var_rec)) if sigma is None else _std("sigma", sigma)
    scale = np.sqrt(2.0 / net.gammas)
    return Noise(outside=_with_inputs(net, scale * rec, scale, np.sqrt(_std("var_in", var_in))))


def nn4n(
    net: CTRNN, preact_noise: Any = 0.0, postact_noise: Any = 0.0, readout_noise: bool | None = None
) -> tuple[CTRNN, Noise]:
    """Return α preact_noise on v, and postact_noise on the rates that are sent.

    What is sent is r = f(v) + ε, so that v gets α W ε: noise outside with the factor postact_noise W. The readout gets
    W_out ε as well, which a network of N neurons lacks. With `readout_noise` the network has N further neurons, with
    γ = 1 and the rate ε, which are sent and read out as nn4n does it.
    """
    pre, post = nonnegative("preact_noise", preact_noise), nonnegative("postact_noise", postact_noise)
    if post == 0.0:
        return net, Noise(outside=pre)
    if readout_noise:
        return _with_carriers(net), Noise(outside=np.repeat([pre, post], net.n))
    if readout_noise is None and net.W_out is not None:
        added = post**2 * float(np.sum(net.W_out**2))
        warnings.warn(
            f"nn4n also adds postact_noise to the rates that it reads out, which adds {added:.3g} to the variance of"
            " the output and is left out; readout_noise=True includes it by N further neurons, and False is silent",
            stacklevel=2,
        )
    parts = [pre * np.eye(net.n)] if pre else []
    return net, Noise(outside=np.hstack([*parts, post * net.W]))


def torch_rnn(net: CTRNN, preact_noise: Any = 0.0, input_noise: Any = 0.0) -> Noise:
    """Return noise on the pre-activation, and on each input."""
    ones = np.ones(net.n)
    return Noise(
        inside=_with_inputs(net, ones * _std("preact_noise", preact_noise), ones, _std("input_noise", input_noise))
    )


def hmm_rnn(net: CTRNN, input_noise: Any = 1.0) -> Noise:
    """Return the noise inside that inputs x ~ N(0, input_noise²) make through W_in."""
    return Noise(inside=_with_inputs(net, np.zeros(net.n), np.ones(net.n), _std("input_noise", input_noise)))


def _std(name: str, value: Any) -> FloatArray:
    array = real_array(name, value)
    if np.any(array < 0.0) or array.ndim > 1:
        raise ValueError(f"{name} must be at least 0, one number or one for each; got {value}")
    return array


def _short(std: FloatArray) -> Any:
    """Return one number for standard deviations (N,) that are the same."""
    return float(std[0]) if np.all(std == std[0]) else std


def _with_inputs(net: CTRNN, std: FloatArray, scale: FloatArray, inputs: FloatArray) -> Any:
    """Return private noise of deviations (N,), with the factor diag(scale) W_in of noise on the inputs beside it."""
    if not inputs.any():
        return _short(std)
    if net.W_in is None:
        raise ValueError("W_in must be there for noise on the inputs; got None")
    through = scale[:, None] * net.W_in * inputs
    return np.hstack([np.diag(std), through]) if std.any() else through


def _with_carriers(net: CTRNN) -> CTRNN:
    """Return a network in voltage form with N further neurons, whose rates are added to those of the N neurons."""
    n, zeros = net.n, np.zeros((net.n, net.n))
    W_in = None if net.W_in is None else np.vstack([net.W_in, np.zeros_like(net.W_in)])
    W_out = None if net.W_out is None else np.hstack([net.W_out, net.W_out])
    return CTRNN(
        np.block([[net.W, net.W], [zeros, zeros]]),
        np.concatenate([net.b, np.zeros(n)]),
        [*net.activations, *["x"] * n],  # type: ignore[arg-type]
        np.concatenate([net.gammas, np.ones(n)]),
        W_in,
        W_out,
        net.b_out,
        net.form,
    )


def _nn4n_settings(module: Any) -> dict[str, Any]:
    """Return what an nn4n CTRNN says of itself; its noise acts after `train()` and not after `eval()`."""
    layer = getattr(module, "recurrent_layer", None)
    found = {"alpha": getattr(layer, "alpha", None), "activation": getattr(layer, "act", None)}
    noises = {name: getattr(module, name, None) for name in ("preact_noise", "postact_noise")}
    settings = {name: value for name, value in (found | noises).items() if value is not None}
    return settings | {"arrays": dict(_nn4n_constrained(module)) if layer and module.training else {}}


def _nn4n_constrained(module: Any) -> Iterator[tuple[str, Any]]:
    """Give the weights of an nn4n network after its masks and Dale's law, which it applies as it begins to run."""
    for place in ("recurrent_layer.input_layer", "recurrent_layer.hidden_layer", "readout_layer"):
        layer = attrgetter(place)(module)
        weight, sparsity, signs = layer.weight.detach(), layer.sparsity_mask, layer.ei_mask
        if sparsity is not None:
            weight = weight * sparsity
        if signs is not None:
            weight = (signs == 1) * weight.clamp(min=0.0) + (signs == -1) * weight.clamp(max=0.0)
        yield f"{place}.weight", weight


def _torch_settings(module: Any) -> dict[str, Any]:
    """Return the activation of the nn.RNN in a module."""
    found = [one for one in module.modules() if hasattr(one, "nonlinearity") and hasattr(one, "weight_hh_l0")]
    return {"activation": found[0].nonlinearity} if found else {}


RNN = {"W": "weight_hh_l0", "b": "bias_hh_l0", "W_in": "weight_ih_l0", "b_in": "bias_ih_l0"}
LAYERS = {
    "weight_hh_l1": "a second layer sees the state of the first within a step, which one network cannot",
    "_reverse": "a layer that runs backwards in time is no dynamical system",
}
ENTRIES = (
    Convention(
        "paper",
        "this package, and Eckstein and Srinivasan: noise per step, inside the activation or outside",
        """h' = (1-γ) h + γ (f(W h + W_in u + b + σ_in ξ) + σ_out η)
inside = σ_in, outside = σ_out; both stay as the step is halved""",
        paper,
        {name: name for name in ("W", "b", "W_in", "W_out", "b_out")},
        ignored=("header",),
    ),
    Convention(
        "multitask",
        "multitask of Yang et al. (TensorFlow 1): rate form, inside, √(2/α) σ_rec",
        """h' = (1-α) h + α f([u, h] kernel + bias + √(2/α) σ_rec ξ), inputs u + √(2/α) σ_x ξ'
inside = √(2/α) σ_rec, and the factor √(2/α) σ_x W_in; grows by √2 as the step is halved""",
        multitask,
        {"kernel": "kernel", "b": "bias", "W_out": "weights", "b_out": "biases"},
        sources_in_rows=True,
        power=0.5,
    ),
    Convention(
        "psychrnn",
        "PsychRNN (TensorFlow 1): voltage form, outside, √(2/α) rec_noise",
        """v' = (1-α) v + α (W_rec f(v) + W_in u + b_rec) + √(2α) rec_noise ξ
outside = √(2/α) rec_noise; grows by √2 as the step is halved""",
        psychrnn,
        {"W": "W_rec", "b": "b_rec", "W_in": "W_in", "W_out": "W_out", "b_out": "b_out"},
        form="voltage",
        activation="relu",
        power=0.5,
        ignored=(
            "init_state",
            "Dale_rec",
            "Dale_out",
            "dale_ratio",
            "input_connectivity",
            "rec_connectivity",
            "output_connectivity",
        ),
    ),
    Convention(
        "pycog",
        "pycog of Song et al. (Theano): voltage form, outside, variance 2 var_rec/α",
        """v' = v + α (-v + Wrec f(v) + brec + Win (u + √(2 var_in/α) ξ') + √(2 var_rec/α) ξ)
outside = √(2 var_rec/α), and the factor √(2 var_in/α) Win; grows by √2 as the step is halved""",
        pycog,
        {"W": "Wrec", "b": "brec", "W_in": "Win", "W_out": "Wout", "b_out": "bout"},
        form="voltage",
        power=0.5,
        ignored=("x0",),
    ),
    Convention(
        "nn4n",
        "nn4n 1.1 (PyTorch): voltage form, preact_noise outside, postact_noise on the rates that are sent and read",
        """v' = (1-α) v + α (W r + b + W_in u + b_in + preact_noise ξ), r' = f(v') + postact_noise ξ', z = W_out r'
outside = preact_noise, and the factor postact_noise W; both stay as the step is halved""",
        nn4n,
        {
            "W": "recurrent_layer.hidden_layer.weight",
            "b": "recurrent_layer.hidden_layer.bias",
            "W_in": "recurrent_layer.input_layer.weight",
            "b_in": "recurrent_layer.input_layer.bias",
            "W_out": "readout_layer.weight",
            "b_out": "readout_layer.bias",
        },
        form="voltage",
        activation="relu",
        ignored=("hidden_state",),
        settings=_nn4n_settings,
    ),
    Convention(
        "torch_rnn",
        "torch.nn.RNN of one layer: γ = 1, noise on the pre-activation or on the input",
        """h' = f(weight_hh h + bias_hh + weight_ih (u + input_noise ξ') + bias_ih + preact_noise ξ)
inside = preact_noise, and the factor input_noise weight_ih; γ = 1 has no step to halve""",
        torch_rnn,
        RNN,
        gamma=1.0,
        activation="tanh",
        refused=LAYERS,
        settings=_torch_settings,
    ),
    Convention(
        "hmm_rnn",
        "networks of Torre et al. that emulate hidden Markov models: torch.nn.RNN driven by noise alone",
        """h' = f(weight_hh h + weight_ih x), x ~ N(0, input_noise²), input_noise = 1
inside = the factor input_noise weight_ih; γ = 1 has no step to halve""",
        hmm_rnn,
        RNN | {"W_out": "fc.weight", "b_out": "fc.bias"},
        gamma=1.0,
        activation="relu",
        refused=LAYERS,
        settings=_torch_settings,
    ),
)
"""The conventions of the package."""
