"""What the pages take from the package: tables, the gallery and the API reference.

``python -m docs.generate`` writes the tables anew into the pages that hold them, between their marks; a test fails when
they are stale. The build of the site calls :func:`write_pages`, which writes the pages of the gallery and of the API.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from statistics import median

import ctrnn_theory as ct
from paper_figs import FIGURES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MODULES = ("derive", "fokker_planck", "plotting", "testing", "training", "training.tasks")
"""Public modules, each of which lists its public names in ``__all__``."""
ROOMS = {
    "model": "Networks and noise",
    "activations": "Activations",
    "stationary": "Stationary laws by one method",
    "analysis": "Bias, preference and other answers",
    "integrators": "Simulation",
    "dynamics": "Without noise",
    "escape": "Escape",
    "training": "Training",
    "sweeping": "Sweeps",
    "support": "Errors, and what to cite",
}
"""Titles of the pages of the API, by the room from which names are taken."""
PICTURES = {
    "bias": "The noise-induced bias against the distance to the nonlinearity, by every method: `ct.bias_curve(...).plot()`",
    "density": "The stationary density of two bistable neurons: `law.details['density'].plot()`",
    "evolution": "Mean and standard deviation along an input, predicted and simulated: `ct.evolve(...).plot()`",
}
"""Pictures of the package itself that are in the repository."""


# Tables, which are kept in the pages


def row(*cells: object) -> str:
    """Return a row of a table in Markdown."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table in Markdown."""
    titles = list(titles)
    return "\n".join([row(*titles), row(*["---"] * len(titles)), *(row(*cells) for cells in rows)])


def conventions() -> str:
    """Return the table of the conventions: the step of each code, and its noise in our terms."""
    rows = []
    for convention in ct.CONVENTIONS.values():
        step, noise = convention.equation.splitlines()
        rows.append((f"`{convention.name}`", f"`{step}`", noise.replace("*", "\\*")))
    return table(("name", "step", "noise here"), rows)


def methods() -> str:
    """Return the table of the methods: what each computes, how accurate it was, and what it took."""
    kept = json.loads((ROOT / "benchmarks" / "methods.json").read_text(encoding="utf-8"))
    rows = []
    for method in ct.METHODS.values():
        found = [one for one in kept["rows"] if one["method"] == method.name]
        errors = [_errors([one["error"] for one in found if one["site"] == site]) for site in ("inside", "outside")]
        seconds = f"{1000 * median(row['seconds'] for row in found):.2g}" if found else "–"
        rows.append((f"`{method.name}`", f"{method.summary}; for {method.applies}", *errors, seconds))
    machine, versions = kept["machine"], ", ".join(f"{name} {number}" for name, number in kept["versions"].items())
    titles = ("method", "what it computes, and for which networks", "error inside, %", "error outside, %", "ms")
    about = f"Measured on {machine['processor']}, in milliseconds of one core, with Python {machine['python']}, {versions}."
    return f"{table(titles, rows)}\n\n{about}"


def _errors(errors: list[float]) -> str:
    """Return the median and the largest of some errors, in percent."""
    return f"{_number(100 * median(errors))} ({_number(100 * max(errors))})" if errors else "–"


def _number(value: float) -> str:
    """Return a number with one or two digits.

    >>> [_number(value) for value in (143.2, 17.8, 0.0312, 2.1e-8)]
    ['143', '18', '0.03', '2e-08']
    """
    return f"{value:.0f}" if value >= 10.0 else f"{value:.1g}"


BLOCKS = {"conventions.md": conventions, "choosing_a_method.md": methods}
"""Pages with a table that is generated."""


def with_table(page: str) -> str:
    """Return the text of a page with its table as it is now."""
    text = (DOCS / page).read_text(encoding="utf-8")
    before, begin, tail = text.partition("<!-- python -m docs.generate -->\n")
    _, end, after = tail.partition("\n<!-- end -->")
    if not (begin and end):
        raise ValueError(f"{page} must have the marks of a table")
    return f"{before}{begin}\n{BLOCKS[page]()}\n{end}{after}"


# Pages, which are written as the site is built


def public_names() -> dict[str, list[str]]:
    """Return the public names of the package by their room, as its stub lists them, and those of public modules.

    >>> sorted(public_names()["sweeping"])
    ['sweep']
    """
    stub = ast.parse(Path(ct.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = found.setdefault(node.module.partition(".")[0], [])
            names += [f"ctrnn_theory.{alias.asname or alias.name}" for alias in node.names]
    for name in MODULES:
        module = importlib.import_module(f"ctrnn_theory.{name}")
        inner = {other.rpartition(".")[2] for other in MODULES if other.startswith(f"{name}.")}
        found[f"ctrnn_theory.{name}"] = [f"ctrnn_theory.{name}.{public}" for public in module.__all__ if public not in inner]
    return found


def api_page(place: str, names: list[str]) -> str:
    """Return the page of the API, in reStructuredText, of one room or of one public module."""
    title = ROOMS.get(place, place)
    lines = [title, "=" * len(title), ""]
    if place not in ROOMS:
        lines += [f".. automodule:: {place}", "   :no-members:", ""]
    for name in _sorted(names):
        kind, below = _kind(name)
        module, _, last = name.rpartition(".")
        lines += [f".. py:currentmodule:: {module}", "", f".. {kind}:: {last}", *below, ""]
    return "\n".join(lines)


def _kind(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the directive that documents a public name, and the lines below it."""
    found = _found(name)
    if isinstance(found, type):
        return ("autoexception", ()) if issubclass(found, Exception) else ("autoclass", ("   :members:",))
    if callable(found):
        return "autofunction", ()
    return "py:data", ("", *(f"   {line}" for line in _of_data(name).splitlines()))


def api_lists() -> str:
    """Return the lists of public names: a table for each page of the API, with the first lines of their docstrings."""
    found = public_names()
    places = [*(place for place in ROOMS if place in found), *(place for place in found if place not in ROOMS)]
    parts = ["```{toctree}\n:hidden:\n", *(f"api/{place}" for place in places), "```"]
    for place in places:
        rows = [(f"{{py:obj}}`{_short(name)} <{name}>`", _about(name)) for name in _sorted(found[place])]
        parts += ["", f"## {ROOMS.get(place, f'`{place}`')}", "", table(("name", "what it is"), rows)]
    return "\n".join(parts)


def _short(name: str) -> str:
    """Return a public name as users write it."""
    return f"ct.{name.removeprefix('ctrnn_theory.')}"


def _about(name: str) -> str:
    """Return the first line of the docstring of a public name."""
    found = _found(name)
    first = (inspect.getdoc(found) or "" if callable(found) else _of_data(name)).partition("\n")[0].rstrip(".")
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", first).replace("``", "`").replace("*", "\\*")


@lru_cache
def _of_data(name: str) -> str:
    """Return the text below the assignment of a public name that is neither a function nor a class."""
    for path in sorted(Path(ct.__file__).parent.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, after in pairwise(body):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            named = any(isinstance(target, ast.Name) and target.id == name.rpartition(".")[2] for target in targets)
            if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                return inspect.cleandoc(str(after.value.value))
    return ""


def _found(name: str) -> object:
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def _sorted(names: Iterable[str]) -> list[str]:
    """Return names in alphabetic order, functions before classes."""
    return sorted(names, key=lambda name: (name.rpartition(".")[2][0].isupper(), name.lower()))


def picture(name: str) -> str:
    """Return the place of the picture of a figure, from this folder: at full strength, or a small one."""
    kept = f"paper_figs/{name}.png"
    return f"../{kept}" if (ROOT / kept).exists() else f"figures/{name}.png"


def gallery_page(name: str) -> str:
    """Return the page of one figure: what it shows, and its script."""
    about = FIGURES[name].summary
    command = f"```\nctrnn-theory figures {name} --quick\n```"
    script = f"```{{literalinclude}} ../../paper_figs/{name}.py\n:language: python\n```"
    return f"# {name}\n\n{about}.\n\n![{about}](../{picture(name)})\n\n{command}\n\n{script}\n"


def gallery_cards() -> str:
    """Return the cards of the gallery: a small picture of each figure, with what it shows."""
    cards = [
        f":::{{grid-item-card}} {figure.name}\n:img-top: {picture(figure.name)}\n"
        f":link: gallery/{figure.name}\n:link-type: doc\n\n{figure.summary}\n:::\n"
        for figure in FIGURES.values()
    ]
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


# Links and lists of pages, as the site needs them

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
    return {line.strip() for block in blocks for line in block.splitlines() if line.strip() and not line.startswith(":")}


def other_pages() -> list[str]:
    """Return the pages of ``docs/`` that no toctree names."""
    pages = sorted(DOCS.glob("*.md"))
    named = {name for page in pages for name in listed(page.read_text(encoding="utf-8"))}
    return [page.stem for page in pages if page.stem not in named | {"index"}]


def outer(path: str) -> str:
    """Return the text of a page outside this folder, with the links that it has on the site."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return site_links(text, str(Path(path).parent))


PARTS: dict[str, Callable[[], str]] = {
    "api": api_lists,
    "changelog": lambda: outer("CHANGELOG.md"),
    "contributing": lambda: outer("CONTRIBUTING.md"),
    "gallery": gallery_cards,
    "guide": lambda: "\n".join(other_pages()),
    "theory": lambda: outer("ctrnn_theory/derive/README.md").partition("\n\n")[2],
}
"""Parts of pages that the build writes in the place of ``<!-- written here -->``."""


def main() -> None:
    """Write the tables into their pages."""
    for page in BLOCKS:
        _update(DOCS / page, with_table(page))


if __name__ == "__main__":
    main()
