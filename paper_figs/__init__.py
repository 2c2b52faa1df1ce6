"""Figures of the claims of the theory, in the quality of a paper, made from the public interface alone.

A figure is a module with three functions: ``compute(quick=False)`` returns data, which are arrays and numbers by name,
``headline(data)`` returns the numbers that the figure shows, and ``draw(data)`` returns a Matplotlib figure. A new
figure needs a file in this folder and its entry below.
"""

from typing import NamedTuple

from ctrnn_theory.support.registry import Registry


class Figure(NamedTuple):
    """A figure."""

    name: str
    """Name of the figure, and of its module."""
    summary: str
    """What the figure shows."""


FIGURES: Registry[Figure] = Registry(
    "NAME",
    [
        Figure("smoothing", "Noise inside smooths the activation, and shifts fixed points where it bends"),
        Figure(
            "bias_sigma", "The noise-induced bias grows with σ at a kink, and with σ² where the activation is smooth"
        ),
        Figure(
            "bias_gamma",
            "Noise inside shifts the mean at any step; the shift by noise outside vanishes as the step becomes short",
        ),
        Figure(
            "laws",
            "Stationary laws of one and two neurons: the Gaussian closure fits them with one basin, and not with two",
        ),
        Figure(
            "cost",
            "Accuracy against cost: each method after its seconds, and the steps that control variates save",
        ),
        Figure(
            "regulator",
            "A neuron that holds a set-point: noise inside drives its operating point to where the activation is flat",
        ),
        Figure(
            "preference",
            "Networks trained with noise inside work best with about that noise; those with noise outside without",
        ),
        Figure("phase", "Where noise is preferred: over the number of neurons, the training noise and the weights"),
        Figure(
            "pytorch", "Networks that PyTorch trained with noise inside rely on it, as predicted, and can do without"
        ),
        Figure("absence", "Where noise inside is not preferred, and why"),
        Figure(
            "threshold",
            "The preferred noise follows from the shift of the output without noise, and from its variance",
        ),
        Figure(
            "operating", "Training with more noise inside places more neurons within one standard deviation of the kink"
        ),
        Figure(
            "surrogate", "A network with a smoothed activation and no noise keeps the mean output of the noisy network"
        ),
        Figure(
            "drift", "An integrator drifts once its noise is off: noise made the part of its drift that kept its memory"
        ),
        Figure(
            "resonance",
            "Not stochastic resonance: there a threshold sets the best noise, here training does",
        ),
        Figure(
            "kinds", "Noise moves the mean by what reaches the bend of the activation, whatever kind of noise it is"
        ),
        Figure(
            "variability",
            "Variability of an excitatory and an inhibitory neuron with power-law activations, against their input",
        ),
        Figure(
            "hardware",
            "Training under the noise of analog hardware makes readouts robust to it, except to a common gain",
        ),
        Figure(
            "switching",
            "How long a memory lasts: a chain of one latent variable predicts its switches, for any number of neurons",
        ),
        Figure("orbit", "A network that emulates a hidden Markov chain: noise keeps it turning, dwelling and emitting"),
        Figure(
            "devices",
            "A spread of activations between devices is noise that does not average out, and a refit palliates it",
        ),
    ],
)
"""The figures by name, in the order of the argument."""
