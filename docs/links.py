"""Links and lists of pages, as the site needs them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "ctrnn_theory/derive/README.md": "theory.md",
}
"""Pages of the site that hold a file from outside this folder."""


def site_links(text: str, folder: str = "docs") -> str:
    """Return a page with its links as the site needs them; a link to a file that is not on the site becomes plain text.

    `folder` is the folder of the page in the repository.

    >>> site_links("[how](../CONTRIBUTING.md#style), [a script](../benchmarks/large.py), [more](noise.md)")
    '[how](contributing.md#style), a script, [more](noise.md)'
    >>> site_links("[noise](docs/noise.md)", "")
    '[noise](noise.md)'
    """

    def link(match: re.Match[str]) -> str:
        words, (place, mark, heading) = match[1], match[2].partition("#")
        if not place or "://" in place:
            return match[0]
        target = (ROOT / folder / place).resolve()
        inside = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else place
        page = ELSEWHERE.get(inside) or (inside.removeprefix("docs/") if inside.startswith("docs/") else None)
        return f"[{words}]({page}{mark}{heading})" if page else words

    return re.sub(r"(?<!!)\[([^\]\n]*)\]\(([^)\s]+)\)", link, text)


def listed(text: str) -> set[str]:
    """Return the pages that the toctrees of a page name."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
    return {
        line.strip() for block in blocks for line in block.splitlines() if line.strip() and not line.startswith(":")
    }


def other_pages() -> list[str]:
    """Return the pages of ``docs/`` that no toctree names."""
    pages = sorted(DOCS.glob("*.md"))
    named = {name for page in pages for name in listed(page.read_text(encoding="utf-8"))}
    return [page.stem for page in pages if page.stem not in named | {"index"}]
