"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable


def row(*cells: object) -> str:
    """Return a row of a table in Markdown."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table in Markdown."""
    titles = list(titles)
    return "\n".join([row(*titles), row(*["---"] * len(titles)), *(row(*cells) for cells in rows)])
