"""Figures of the claims of the theory, in the quality of a paper, made from the public interface alone.

A figure is a module with three functions: ``compute(quick=False)`` returns data, which are arrays and numbers by name,
``headline(data)`` returns the numbers that the figure shows, and ``draw(data)`` returns a Matplotlib figure. A new
figure needs a file in this folder and an entry below.
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
        Figure("bias_sigma", "The bias grows with σ at a kink, and with σ² where the activation is smooth"),
        Figure(
            "bias_gamma",
            "Noise inside shifts the fixed point at any step; noise outside only as far as the step is long",
        ),
        Figure(
            "laws",
            "Stationary laws of one and two neurons: the Gaussian closure has those with one basin, not those with two",
        ),
        Figure("cost", "Accuracy against cost: what each method gives for its seconds, and what control variates save"),
        Figure(
            "regulator",
            "A neuron that holds a set-point: noise inside drives its operating point to where the activation is flat",
        ),
        Figure(
            "preference",
            "Networks trained with noise inside can do best with it left on; those trained with noise outside do not",
        ),
        Figure(
            "threshold",
            "How much noise a network prefers follows from two numbers: its noise-free movement and its variance",
        ),
        Figure(
            "operating",
            "Where training puts neurons: the more noise is inside, the more of them work near the kink",
        ),
        Figure(
            "surrogate", "Taking the noise out: smoothing the activation keeps what a noisy network does on average"
        ),
        Figure("resonance", "Not stochastic resonance: there a threshold sets the best noise, here training does"),
    ],
)
"""The figures by name, in the order of the argument."""
