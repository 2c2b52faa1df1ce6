"""Activations as differentiable functions of PyTorch tensors, the smoothed ones among them.

A smoothed piecewise-linear f has a closed form. Every other smoothed f is a polynomial on each of many panels, and far
from where f bends the trapezoidal rule in ξ; panels and rule are those of ``gaussian.smoothed_activation``. PyTorch is
imported when a function is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ctrnn_theory.activations.activation import Activation, activation
from ctrnn_theory.activations.gaussian.smoothed_activation import Smoothed
from ctrnn_theory.activations.group import ActivationGroup
from ctrnn_theory.activations.piece import Piece
from ctrnn_theory.activations.source.arrays import Source
from ctrnn_theory.support.floating import guarded

NARROW = 1e-6
"""Width of a panel, in units of s, below which the derivative of its polynomial is rounding."""
Tensor = Any
"""A tensor of PyTorch, whose types are not known where it is not installed."""


@guarded
def to_torch(f: Activation | ActivationGroup | str | Any) -> Callable[[Tensor], Tensor]:
    """Return an activation as a differentiable function of a PyTorch tensor.

    Values are computed in double precision on the device of the tensor and returned in the tensor's own precision.
    They are within 1e-12 of f(x) relative to max(1, abs(f(x))), and gradients within 1e-8, for the built-in activations
    and the smoothed ones. The function can be differentiated repeatedly, except where the expression is one that
    overflows on the way to a finite value: there NumPy computes f, on the CPU, as often as it is differentiated.

    At a breakpoint, value and derivative are those of the piece to its left, as ``torch.relu`` has it.

    Parameters
    ----------
    f
        An :class:`~ctrnn_theory.Activation`, or what :func:`~ctrnn_theory.activation` takes, such as
        ``net.activation`` or ``noise_free(net, noise).activation``. Where neurons differ, the last axis of the tensor
        is that of the neurons.

    Returns
    -------
    function
        A callable that can be pickled.

    Raises
    ------
    ValueError
        If the activation is unknown.
    ImportError
        If PyTorch is not installed.

    Examples
    --------
    >>> import torch                                                     # doctest: +SKIP
    >>> to_torch("smoothed(relu, 0.5)")(torch.zeros(1))                  # doctest: +SKIP
    tensor([0.1995])
    """
    function = TorchGroup(f) if isinstance(f, ActivationGroup) else TorchActivation(activation(f))
    try:
        import torch  # noqa: F401 - so that it fails here and not when the function is called
    except ImportError as error:
        raise ImportError('PyTorch must be installed for to_torch: pip install "ctrnn-theory[interop]"') from error
    return function


@dataclass(frozen=True, eq=False)
class TorchActivation:
    """An activation as a function of a tensor of any shape."""

    f: Activation
    """The activation."""
    _numbers: dict[Any, Any] = field(default_factory=dict, repr=False)
    """Tables on the devices where they were needed."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return f(x), a tensor of the shape and the precision of x."""
        wide = x.double()
        if not isinstance(self.f, Smoothed):
            value = _plain(self.f, wide)
        elif self.f.inner.piecewise_linear:
            value = _ramps(self.f, wide)
        else:
            value = _table(self.f, self._table_on(x.device), wide)
        return value.to(x.dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {"f": self.f, "_numbers": {}}

    def _table_on(self, device: Any) -> tuple[Tensor, ...]:
        """Return panels and tail of the smoothed activation on a device."""
        if device not in self._numbers:
            import torch

            piece: Any = self.f.pieces[0]
            edges = piece.panels.edges
            wide = np.diff(edges) > NARROW * piece.width  # others lie between two edges that differ by rounding
            left, right = edges[:-1][wide], edges[1:][wide]
            numbers = (left[1:], 0.5 * (left + right), 2.0 / (right - left), piece.panels.coefficients[wide])
            arrays = (*numbers, piece.tail.shift, piece.tail.weight)
            self._numbers[device] = tuple(torch.tensor(array, device=device) for array in arrays)
        return self._numbers[device]


@dataclass(frozen=True, eq=False)
class TorchGroup:
    """The activations of N neurons as a function of a tensor (..., N)."""

    group: ActivationGroup
    """The activations."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return f_i(x_i), a tensor of the shape of x (..., N)."""
        import torch

        if x.shape[-1] != len(self.group.members):
            raise ValueError(f"x must have {len(self.group.members)} neurons as its last axis; got {tuple(x.shape)}")
        parts = list(self.group.parts())
        values = [_torch_activation(f)(x[..., neurons.tolist()]) for f, neurons in parts]
        back = np.argsort(np.concatenate([neurons for _, neurons in parts]))
        return torch.cat(values, dim=-1)[..., back.tolist()]


_torch_activation = lru_cache(maxsize=256)(TorchActivation)


def _plain(f: Activation, x: Tensor) -> Tensor:
    """Return f(x), each piece of it at points within its ends, where neither its values nor its slopes are infinite."""
    import torch

    value = _piece(f.pieces[0], x if len(f.pieces) == 1 else x.clamp(max=f.pieces[0].upper))
    for piece in f.pieces[1:]:
        value = torch.where(x > piece.lower, _piece(piece, x.clamp(piece.lower, piece.upper)), value)
    return value if len(f.pieces) == 1 else torch.where(x.isnan(), x, value)


def _piece(piece: Piece, x: Tensor) -> Tensor:
    import torch

    source = piece.source(0)
    if source.extended_range:
        return _by_numpy(piece, 0, x)
    value = _function(source)(x)
    return value if isinstance(value, torch.Tensor) else torch.full_like(x, value)


def _ramps(f: Smoothed, x: Tensor) -> Tensor:
    """Return the smoothing of a piecewise-linear f: Δ s ψ((x - k)/s), ψ(z) = φ(z) + z Φ(z), for a jump Δ of slope at k.

    ψ(z) is z + ψ(-z) for positive z, so that what is added to the outer line is never larger than it has to be.
    """
    import torch

    inner, s = f.inner, f.width
    first = inner.pieces[0].polynomial or (0.0,)
    value = torch.full_like(x, first[0]) + (first[1] if len(first) > 1 else 0.0) * x
    for kink in inner.kinks:
        z = (x - kink.location) / s
        below = torch.special.ndtr(z)
        value = value + kink.value_jump * below
        value = value + kink.slope_jump * s * (torch.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) + z * below)
    return value


def _table(f: Smoothed, numbers: tuple[Tensor, ...], x: Tensor) -> Tensor:
    """Return the smoothing of f by its panels, and by its rule beyond them."""
    import torch

    inner_edges, centre, scale, coefficients, shift, weight = numbers
    piece: Any = f.pieces[0]
    start = piece.tail.start
    near = x.clamp(-start, start)
    i = torch.searchsorted(inner_edges, near.detach().contiguous(), right=True)
    t = (near - centre[i]) * scale[i]
    value = torch.zeros_like(x)
    for j in range(coefficients.shape[1] - 1, -1, -1):
        value = value * t + coefficients[i, j]
    far = ~(x.abs() <= start)
    if bool(far.any()):
        value = value.masked_scatter(far, _plain(f.inner, x[far][:, None] + shift) @ weight)
    return value


@lru_cache(maxsize=256)
def _function(source: Source) -> Callable[[Tensor], Any]:
    """Compile Python source, an expression in x, to a function of tensors."""
    return eval(f"lambda x: {source.text}", {"__builtins__": {}, **_names()})


@lru_cache(maxsize=1)
def _names() -> dict[str, Any]:
    """Return the functions that sources are written in, for tensors and numbers."""
    import torch

    def lifted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            like = next((one for one in arguments if isinstance(one, torch.Tensor)), None)
            options = {"dtype": torch.float64, "device": None if like is None else like.device}
            tensors = (one if isinstance(one, torch.Tensor) else torch.tensor(one, **options) for one in arguments)
            return function(*tensors)

        return call

    functions = {
        "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt,
        "sin": torch.sin,
        "cos": torch.cos,
        "tan": torch.tan,
        "sinh": torch.sinh,
        "cosh": torch.cosh,
        "tangent": torch.tanh,
        "atan": torch.atan,
        "asinh": torch.asinh,
        "erf": torch.erf,
        "complement": torch.erfc,
        "expm1": torch.expm1,
        "log1p": torch.log1p,
        "logistic": torch.sigmoid,
        "softplus": lambda u: torch.logaddexp(u, torch.zeros_like(u)),
        "sign": torch.sign,
        "Abs": torch.abs,
        "Heaviside": lambda u: torch.heaviside(u, torch.tensor(0.5, dtype=u.dtype, device=u.device)),
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "power": torch.pow,
    }
    return {name: lifted(function) for name, function in functions.items()} | {"select": torch.where}


def _by_numpy(piece: Piece, order: int, x: Tensor) -> Tensor:
    """Return a derivative of a piece by NumPy, with the next derivative as its gradient."""
    import torch

    class Derivative(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Tensor) -> Tensor:
            context.save_for_backward(x)
            value = np.asarray(piece.value(x.detach().cpu().numpy(), order))
            return torch.tensor(value, dtype=x.dtype, device=x.device)

        @staticmethod
        def backward(context: Any, gradient: Tensor) -> Tensor:
            (x,) = context.saved_tensors
            return gradient * _by_numpy(piece, order + 1, x)

    return Derivative.apply(x)
