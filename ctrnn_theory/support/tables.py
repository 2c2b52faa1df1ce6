"""Tables as text."""

from __future__ import annotations

import io
from collections.abc import Iterable


def table(titles: Iterable[str], rows: Iterable[Iterable[str]], left: int = 0) -> str:
    """Return rows of text under titles, with the first `left` columns aligned to the left and the others to the right.

    Examples
    --------
    >>> print(table(["level", "loss"], [["0", "0.25"], ["0.5", "0.125"]]))
    level   loss
        0   0.25
      0.5  0.125
    """
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="")
    for i, title in enumerate(titles):
        made.add_column(title, justify="left" if i < left else "right", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    out = io.StringIO()
    Console(file=out, width=200, color_system=None, force_terminal=False).print(made)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
