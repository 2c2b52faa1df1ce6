"""What a sweep can compute: of neurons and of a given network by methods, and of trained networks."""

from __future__ import annotations

OF_LAWS = {
    "mean": "mean of the state",
    "bias": "mean of the rates less that of the noise-free fixed point",
    "variance": "variance of the state",
    "standard_error": "standard error of the mean, of methods that sample",
    "loss": "mean squared distance of the readout, or else of the state, from its noise-free value",
    "seconds": "time of the computation",
    "converged": "whether the method reached its tolerance",
}
"""Quantities of a stationary law, and the description of each."""
BY_NEURON = ("mean", "bias", "variance", "standard_error")
"""Quantities that a network from a file has for each neuron."""
OF_TRAINED = {
    "preferred": "preferred level, in units of the training noise",
    "ratio": "loss without noise over the least loss",
    "K": "squared shift K of the mean output without noise",
    "nu": "variance ν of the output at the training noise",
    "sigma_c": "critical noise √(ν/2K), in units of the training noise",
    "squared_bias": "squared output bias at the training noise",
    "loss": "loss at the training noise",
    "loss_without_noise": "loss without noise",
    "seconds": "time of the computation",
}
"""Quantities of a network that is trained, and the description of each; see :func:`~ctrnn_theory.preference`."""
USUAL = {False: ("mean", "bias", "variance", "converged"), True: ("preferred", "ratio", "K", "nu", "sigma_c")}
"""Quantities of a sweep that names none, by whether its networks are trained."""
TRAININGS = ("decoders",)
"""Methods of :func:`~ctrnn_theory.train` that a sweep can take."""
