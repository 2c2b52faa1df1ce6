"""Tables, as text and as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text under titles: the first `left` columns are aligned to the left, the others to the right.

    Examples
    --------
    >>> print(Table(("level", "loss"), [("0", "0.25"), ("0.5", "0.125")]).text())
    level   loss
        0   0.25
      0.5  0.125
    """

    titles: Sequence[str]
    """Title of each column."""
    rows: Sequence[Sequence[str]]
    """Cells of each row."""
    left: int = 0
    """Number of columns that are aligned to the left."""

    def text(self) -> str:
        """Return the table as text, a line for each row."""
        lines = [self.titles, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = [
            [
                cell.ljust(width) if i < self.left else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            for line in lines
        ]
        return "\n".join("  ".join(line).rstrip() for line in aligned)

    def html(self) -> str:
        """Return the table as HTML; everything in it is escaped."""
        rows = "".join(self._row(row, "td") for row in self.rows)
        return f"<table><thead>{self._row(self.titles, 'th')}</thead><tbody>{rows}</tbody></table>"

    def _row(self, cells: Sequence[str], tag: str) -> str:
        sides = ["left" if i < self.left else "right" for i in range(len(cells))]
        parts = (
            f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(parts)}</tr>"
