"""Every claim of the theory as a figure that a paper could print, from the public interface alone.

A figure is a module with ``compute(quick=False) -> data`` (arrays and numbers by name) and ``draw(data) -> Figure``;
the first line of its docstring says what it shows. Adding one is adding a file and its name here.
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
