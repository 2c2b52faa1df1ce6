"""What the pages take from the package: tables, the gallery and the API reference.

``python -m docs.generate`` writes the tables anew into the pages that hold them, between their marks; a test fails when
they are stale. The build of the site calls :func:`write_pages`, which writes the pages of the gallery and of the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from statistics import median

import ctrnn_theory as ct
from benchmarks import large, ratios
from benchmarks.kept import kept, measured_on
from docs.links import DOCS, ROOT, other_pages, site_links
from docs.reference import api_lists, api_page, public_names
from docs.tables import table
from paper_figs import FIGURES

PICTURES = {
    "bias": "The bias against the distance to the nonlinearity, by every method: `ct.bias_curve(...).plot()`",
    "density": "The stationary density of two bistable neurons: `law.details['density'].plot()`",
    "evolution": "Mean and standard deviation along an input, predicted and simulated: `ct.evolve(...).plot()`",
}
"""Pictures of the package itself that are in the repository."""


def conventions() -> str:
    """Return the table of the conventions: the step of each code, and its noise in our terms."""
    rows = []
    for convention in ct.CONVENTIONS.values():
        if convention.builtin:
            step, noise = convention.equation.splitlines()
            rows.append((f"`{convention.name}`", f"`{step}`", noise.replace("*", "\\*")))
    return table(("name", "step", "noise here"), rows)


def methods() -> str:
    """Return the table of the methods: what each computes, how accurate it was, and what it took."""
    measured, rows = kept("methods"), []
    for method in (method for method in ct.METHODS.values() if method.builtin):
        found = [one for one in measured["rows"] if one["method"] == method.name]
        errors = [_errors([one["error"] for one in found if one["site"] == site]) for site in ("inside", "outside")]
        seconds = _number(1000 * median(one["seconds"] for one in found)) if found else "–"
        rows.append((f"`{method.name}`", f"{method.summary}; for {method.applies}", *errors, seconds))
    titles = ("method", "what it computes, and for which networks", "error inside, %", "error outside, %", "ms")
    return f"{table(titles, rows)}\n\nMeasured in milliseconds of one core, on {measured_on(measured)}."


def peers() -> str:
    """Return the tables of the package beside other software."""
    return ratios.markdown(kept("peers"))


def large_networks() -> str:
    """Return the table of the seconds that large networks take."""
    measured = kept("large")
    return f"{large.markdown(measured['rows'])}\n\nMeasured on {measured_on(measured)}."


def _errors(errors: list[float]) -> str:
    """Return the median and the largest of some errors, in percent."""
    return f"{_number(100 * median(errors))} ({_number(100 * max(errors))})" if errors else "–"


def _number(value: float) -> str:
    """Return a number with one or two digits.

    >>> [_number(value) for value in (143.2, 17.8, 0.0312, 2.1e-8)]
    ['143', '18', '0.03', '2e-08']
    """
    return f"{value:.0f}" if value >= 10.0 else f"{value:.1g}"


BLOCKS = {
    "conventions.md": conventions,
    "choosing_a_method.md": methods,
    "benchmarks.md": peers,
    "large_networks.md": large_networks,
}
"""Pages with tables that are generated."""


def with_table(page: str) -> str:
    """Return the text of a page with its table as it is now."""
    text = (DOCS / page).read_text(encoding="utf-8")
    before, begin, tail = text.partition("<!-- python -m docs.generate -->\n")
    _, end, after = tail.partition("\n<!-- end -->")
    if not (begin and end):
        raise ValueError(f"{page} must have the marks of a table")
    return f"{before}{begin}\n{BLOCKS[page]()}\n{end}{after}"


# Pages, which are written as the site is built


def picture(name: str) -> str:
    """Return the place of the picture of a figure, from this folder: at full strength, or a small one."""
    kept = f"paper_figs/{name}.png"
    return f"../{kept}" if (ROOT / kept).exists() else f"figures/{name}.png"


def gallery_page(name: str) -> str:
    """Return the page of one figure: what it shows, and its script."""
    about = FIGURES[name].summary
    command = f"```\nctrnn-theory figures {name} --quick\n```"
    script = f"```{{literalinclude}} ../../paper_figs/{name}.py\n:language: python\n```"
    image = f"![{about}](../{picture(name)})\n\n" if (DOCS / picture(name)).exists() else ""
    return f"# {name}\n\n{about}.\n\n{image}{command}\n\n{script}\n"


def gallery_cards() -> str:
    """Return the cards of the gallery: a small picture of each figure, with what it shows."""
    cards = []
    for figure in FIGURES.values():
        image = f":img-top: {picture(figure.name)}\n" if (DOCS / picture(figure.name)).exists() else ""
        link = f":link: gallery/{figure.name}\n:link-type: doc\n"
        cards.append(f":::{{grid-item-card}} {figure.name}\n{image}{link}\n{figure.summary}\n:::\n")
    for name, about in PICTURES.items():
        cards.append(f":::{{grid-item-card}}\n:img-top: ../paper_figs/{name}.png\n\n{about}\n:::\n")
    return "::::{grid} 1 1 2 2\n:gutter: 3\n\n" + "\n".join(cards) + "::::\n"


def write_pages() -> None:
    """Write the pages of the gallery and of the API into ``docs/gallery`` and ``docs/api``."""
    pages = {f"gallery/{name}.md": gallery_page(name) for name in FIGURES}
    for place, names in public_names().items():
        pages[f"api/{place}.rst"] = api_page(place, names)
    for folder in ("gallery", "api"):
        (DOCS / folder).mkdir(exist_ok=True)
        for old in (DOCS / folder).iterdir():
            if f"{folder}/{old.name}" not in pages:
                old.unlink()
    for name, text in pages.items():
        _update(DOCS / name, text)


def _update(path: Path, text: str) -> None:
    """Write a file if its text is another one, so that an unchanged page is not built again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def outer(path: str) -> str:
    """Return the text of a page outside this folder, with the links that it has on the site."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return site_links(text, str(Path(path).parent))


def theory() -> str:
    """Return the derived formulas, without what their own page says of itself, as text that may be wrapped."""
    text = outer("ctrnn_theory/derive/README.md").partition("a test fails when it is stale. ")[2]
    return re.sub(r"^```\n(?=\S)", "```text\n", text, flags=re.MULTILINE)


PARTS: dict[str, Callable[[], str]] = {
    "api": api_lists,
    "changelog": lambda: outer("CHANGELOG.md"),
    "contributing": lambda: outer("CONTRIBUTING.md"),
    "gallery": gallery_cards,
    "guide": lambda: "\n".join(other_pages()),
    "theory": theory,
}
"""Parts of pages that the build writes in the place of ``<!-- written here -->``."""


def main() -> None:
    """Write the tables into their pages."""
    for page in BLOCKS:
        _update(DOCS / page, with_table(page))


if __name__ == "__main__":
    main()
