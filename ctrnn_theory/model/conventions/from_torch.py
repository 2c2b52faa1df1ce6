"""Networks of PyTorch, which is never imported here: what was handed over knows how to give its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctrnn_theory.model.conventions.exchange import network_of
from ctrnn_theory.model.conventions.registry import CONVENTIONS
from ctrnn_theory.model.network import CTRNN
from ctrnn_theory.model.noise import Noise
from ctrnn_theory.support.arguments import shown
from ctrnn_theory.support.floating import guarded


@guarded
def from_torch(
    module: Any,
    convention: str = "torch_rnn",
    *,
    alpha: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    activation: Any = None,
    names: Mapping[str, str | None] | None = None,
    masks: Mapping[str, Any] | None = None,
    dale: Any = None,
    **noise: Any,
) -> tuple[CTRNN, Noise]:
    """Return the network that a PyTorch module holds, with its noise in our terms.

    Parameters
    ----------
    module
        A ``torch.nn.Module``, or the ``state_dict()`` of one. The activation of an ``nn.RNN``, and α, activation and
        noise of an nn4n network are taken from the module unless they are given.
    convention
        Name in :data:`CONVENTIONS`, "torch_rnn" by default.
    alpha, sigma, activation, names, masks, dale, **noise
        As for :func:`~ctrnn_theory.load_network`. An nn4n network in training mode, which constrains its weights as it
        begins to run, is read with its masks and Dale's law; its state_dict(), and a model after eval(), as they are.

    Returns
    -------
    CTRNN, Noise
        The network, whose `origin` remembers the arrays for :func:`~ctrnn_theory.to_arrays`, and its noise.

    Raises
    ------
    ValueError
        If `module` is neither a module nor a mapping of tensors, if names or shapes are not those of the convention, or
        if an argument is out of range.

    Examples
    --------
    >>> import torch                                                     # doctest: +SKIP
    >>> from_torch(torch.nn.RNN(2, 64), preact_noise=0.1)                # doctest: +SKIP
    (CTRNN: tanh, 64 neurons, gamma = 1 ..., Noise: inside 0.1)
    """
    chosen, settings = CONVENTIONS.choose(convention), {}
    if hasattr(module, "state_dict") and hasattr(module, "modules"):
        settings = dict(chosen.settings(module)) if chosen.settings else {}
        module = module.state_dict() | settings.pop("arrays", {})
    if not isinstance(module, Mapping):
        raise ValueError(f"module must be a torch.nn.Module or its state_dict(); got {shown(module)}")
    arrays = {name: numbers(name, tensor) for name, tensor in module.items()}
    gamma, f = settings.pop("alpha", None), settings.pop("activation", None)
    gamma, f = gamma if alpha is None else alpha, f if activation is None else activation
    own = noise if sigma is not None else settings | noise
    return network_of(arrays, chosen, gamma, sigma, f, names, masks, dale, own)


def numbers(name: str, tensor: Any) -> NDArray[Any]:
    """Return a tensor as an array, in double precision if NumPy does not have its own."""
    if not hasattr(tensor, "detach"):
        return np.asarray(tensor)
    tensor = tensor.detach().cpu()
    try:
        return np.array(tensor.numpy())
    except TypeError:
        return np.array(tensor.double().numpy())
