"""Figures of the claims of the theory, in the quality of a paper, made from the public interface alone.

A figure is a module with three functions: ``compute(quick=False)`` returns data, which are arrays and numbers by name,
``headline(data)`` returns the numbers that the figure shows, and ``draw(data)`` returns a Matplotlib figure. The first
line of the module's docstring says what the figure shows. A new figure needs a file in this folder and its name below.
"""

FIGURES = (
    "smoothing",
    "bias_sigma",
    "bias_gamma",
    "laws",
    "cost",
    "regulator",
    "preference",
    "threshold",
    "operating",
    "surrogate",
    "resonance",
)
"""Names of the figures, in the order of the argument."""
