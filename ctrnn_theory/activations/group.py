"""Activations that differ between the neurons of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctrnn_theory.activations.activation import Activation, activation
from ctrnn_theory.support.arguments import float_array, shown
from ctrnn_theory.support.types import FloatArray, IntArray


@dataclass(frozen=True, eq=False, repr=False)
class ActivationGroup:
    """The activations f_i of N neurons, which act on the last axis of arrays (..., N).

    It has those methods of :class:`~ctrnn_theory.Activation` that need no more than the values of each neuron.

    Examples
    --------
    >>> group = ActivationGroup((activation("relu"), activation("tanh")))
    >>> group([[-1.0, 0.0], [2.0, 0.0]])
    array([[0., 0.],
           [2., 0.]])
    >>> group
    ActivationGroup: relu and tanh
    """

    members: tuple[Activation, ...]
    """Activation of each neuron."""

    @cached_property
    def distinct(self) -> tuple[Activation, ...]:
        """The activations without repetition, in the order of their first neurons."""
        return tuple(dict.fromkeys(self.members))

    @cached_property
    def which(self) -> IntArray:
        """Position in `distinct` of the activation of each neuron, (N,)."""
        place = {f: i for i, f in enumerate(self.distinct)}
        return np.array([place[f] for f in self.members])

    def parts(self) -> Iterator[tuple[Activation, IntArray]]:
        """Yield each distinct activation with the indices of its neurons."""
        for i, f in enumerate(self.distinct):
            yield f, np.flatnonzero(self.which == i)

    def __call__(self, x: ArrayLike) -> FloatArray:
        """Return f_i(x_i), of the shape of x (..., N)."""
        return self._each(lambda f, x: f(x), float_array("x", x))

    def derivative(self, x: ArrayLike, order: int = 1) -> FloatArray:
        """Return the derivatives f_i⁽ⁿ⁾(x_i), see :meth:`ctrnn_theory.Activation.derivative`."""
        return self._each(lambda f, x: f.derivative(x, order), float_array("x", x))

    def smoothed(self, a: ArrayLike, s: ArrayLike, derivative: int = 0) -> FloatArray:
        """Return E f_i(a_i + s_i ξ) or a derivative in a_i, see :meth:`ctrnn_theory.Activation.smoothed`."""
        return self._each(lambda f, a, s: f.smoothed(a, s, derivative), float_array("a", a), float_array("s", s))

    def smoothed_variance(self, a: ArrayLike, s: ArrayLike) -> FloatArray:
        """Return Var f_i(a_i + s_i ξ)."""
        return self._each(lambda f, a, s: f.smoothed_variance(a, s), float_array("a", a), float_array("s", s))

    def _each(self, function: Callable[..., Any], *arrays: FloatArray) -> FloatArray:
        n = len(self.members)
        shape = np.broadcast_shapes((n,), *(array.shape for array in arrays))
        if shape[-1] != n:
            raise ValueError(f"arrays must have {n} neurons as their last axis; got shape {shape}")
        wide = [np.broadcast_to(array, shape) for array in arrays]
        result = np.empty(shape)
        for f, neurons in self.parts():
            result[..., neurons] = function(f, *(array[..., neurons] for array in wide))
        return result

    @property
    def piecewise_linear(self) -> bool:
        """Whether every activation is piecewise linear."""
        return all(f.piecewise_linear for f in self.distinct)

    @property
    def name(self) -> str:
        """Short label: the distinct activations, with the number of their neurons if there are more than one."""
        counts = Counter(f.name for f in self.members)
        names = [name if len(self.members) == len(counts) else f"{name} ({count})" for name, count in counts.items()]
        return f"{len(names)} activations" if len(names) > 3 else " and ".join(names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActivationGroup) and self.members == other.members

    def __hash__(self) -> int:
        return hash(self.members)

    def __repr__(self) -> str:
        return f"ActivationGroup: {self.name}"


def activations(spec: Any, n: int) -> Activation | ActivationGroup:
    """Return the activation of all n neurons, or their group if a sequence of n unlike ones is given.

    Raises
    ------
    ValueError
        If a sequence has another length than n, or an activation is unknown.

    Examples
    --------
    >>> activations(["relu", "relu"], 2), activations(["relu", "tanh"], 2)
    (Activation('relu'), ActivationGroup: relu and tanh)
    """
    if isinstance(spec, ActivationGroup):
        spec = spec.members
    if isinstance(spec, str) or not isinstance(spec, Sequence):
        return activation(spec)
    if len(spec) != n:
        raise ValueError(f"activation must be one, or one for each of the {n} neurons; got {shown(spec)}")
    members = tuple(activation(one) for one in spec)
    return members[0] if len(set(members)) == 1 else ActivationGroup(members)


def parts(f: Activation | ActivationGroup, n: int) -> Iterator[tuple[Activation, IntArray]]:
    """Yield each distinct activation of n neurons with the indices of its neurons."""
    if isinstance(f, ActivationGroup):
        yield from f.parts()
    else:
        yield f, np.arange(n)


def members(f: Activation | ActivationGroup, n: int) -> tuple[Activation, ...]:
    """Return the activation of each of n neurons."""
    return f.members if isinstance(f, ActivationGroup) else (f,) * n
