"""Colours, lines and markers that the pictures share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ctrnn_theory.stationary.registry import METHODS, own_methods

# The methods of the package have the colours of Okabe and Ito, which readers of any colour vision can tell apart; the
# user's own, those of the palette "muted" of P. Tol that are not among them.
COLOURS = ("#332288", "#AA4499", "#999933", "#CC6677", "#44AA99", "#88CCEE")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":")
MARKERS = ("h", "p", "<", ">", "8", "X")
UNKNOWN: dict[str, Any] = {"color": "0.3", "linestyle": (0, (5, 3)), "marker": "*"}
KINK_BLOCK: dict[str, Any] = {"color": "#0072B2", "linestyle": (0, (1, 2)), "marker": "x"}
NEURONS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours of neurons, in their order."""
ABOVE: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}  # a legend beside the data


class _Styles(Mapping[str, Mapping[str, Any]]):
    """Keywords of lines and markers by method, and for the kink block, which is drawn beside them."""

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        if name == "kink_block":
            return KINK_BLOCK
        method = METHODS[name]
        if method.builtin:
            return method.style
        return _chosen([own.name for own in own_methods()].index(name)) | dict(method.style)

    def __iter__(self) -> Iterator[str]:
        return iter((*METHODS, "kink_block"))

    def __len__(self) -> int:
        return len(METHODS) + 1


STYLE = _Styles()
"""Keywords of lines and markers by method, those of the user's own among them."""


def _chosen(number: int) -> dict[str, Any]:
    """Return the style of the user's methods that have none of their own, by their number."""
    line = LINES[number // len(COLOURS) % len(LINES)]
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": line, "marker": MARKERS[number % len(MARKERS)]}


def method_style(name: str) -> Mapping[str, Any]:
    """Return the style of a method; one of a result from another process may not be registered in this one."""
    return STYLE.get(name, UNKNOWN)


def line_style(name: str) -> dict[str, Any]:
    """Return the keywords of a method's line."""
    return {key: value for key, value in method_style(name).items() if key != "marker"}


def method_label(name: str) -> str:
    """Return what a legend calls a method."""
    return METHODS[name].label if name in METHODS else name.replace("_", " ")
