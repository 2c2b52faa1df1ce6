"""The parameters of a network as one vector: which of its arrays are trained, and where they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrnn_theory.model.network import ARRAYS, CTRNN
from ctrnn_theory.support.types import FloatArray
from ctrnn_theory.training.kernels import Weights


@dataclass(frozen=True)
class Layout:
    """Places of W, b, W_in, W_out and b_out in a vector of n parameters; arrays that are not trained are zero."""

    neurons: int
    """Number N of neurons."""
    inputs: int
    """Number K of inputs."""
    outputs: int
    """Number P of outputs."""
    recurrent: bool = True
    """Whether W is trained."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array."""
        n, k, p = self.neurons, self.inputs, self.outputs
        return dict(zip(ARRAYS, ((n, n), (n,), (n, k), (p, n), (p,)), strict=True))

    @property
    def trained(self) -> tuple[str, ...]:
        """Names of the arrays that are in the vector, in order."""
        return ARRAYS if self.recurrent else ARRAYS[1:]

    @property
    def size(self) -> int:
        """Number n of parameters."""
        return sum(int(np.prod(self.shapes[name])) for name in self.trained)

    def weights(self, x: FloatArray) -> Weights:
        """Return the arrays of S networks with the parameters x (n, S).

        Examples
        --------
        >>> layout = Layout(neurons=2, inputs=1, outputs=1)
        >>> layout.weights(np.arange(11.0)[:, None]).W_in
        array([[[6.],
                [7.]]])
        """
        arrays, first, candidates = {}, 0, x.shape[1]
        for name, shape in self.shapes.items():
            size = int(np.prod(shape)) if name in self.trained else 0
            part = x[first : first + size].T.reshape(candidates, *shape) if size else np.zeros((candidates, *shape))
            arrays[name] = np.ascontiguousarray(part)
            first += size
        return Weights(**arrays)

    def network(self, x: FloatArray, activation: object, gamma: float, form: str = "rate") -> CTRNN:
        """Return the network with the parameters x (n,)."""
        arrays = {name: array[0] for name, array in self.weights(x[:, None])._asdict().items()}
        return CTRNN(activation=activation, gamma=gamma, form=form, **arrays)  # type: ignore[arg-type]

    def vector(self, net: CTRNN) -> FloatArray:
        """Return the parameters (n,) of a network.

        Raises
        ------
        ValueError
            If the network has another size or lacks one of the arrays; a network without b_out has one of zeros.
        """
        for name, shape in self.shapes.items():
            found = None if getattr(net, name) is None else getattr(net, name).shape
            if found != shape and not (found is None and (0 in shape or name == "b_out")):
                raise ValueError(f"{name} of the network must have shape {shape}; got {found}")
        parts = {name: getattr(net, name) for name in self.trained}
        whole = [np.zeros(self.shapes[name]) if part is None else part for name, part in parts.items()]
        return np.concatenate([part.ravel() for part in whole])


def weights_of(net: CTRNN) -> Weights:
    """Return the arrays of one network, S = 1; the outputs of a network without a readout are its states."""
    n = net.n
    W_in = np.zeros((n, 0)) if net.W_in is None else net.W_in
    W_out = np.eye(n) if net.W_out is None else net.W_out
    b_out = np.zeros(len(W_out)) if net.b_out is None else net.b_out
    return Weights(*(np.array(array[None]) for array in (net.W, net.b, W_in, W_out, b_out)))
