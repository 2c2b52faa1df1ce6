"""The site: its pages, what they take from the package, and the commands that they show."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import ctrnn_theory as ct
from ctrnn_theory.cli.main import cli
from docs import commands, generate, links, reference
from paper_figs import FIGURES

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
SHOWN = [(page, line) for page in commands.PAGES for line in commands.commands(page)]


def test_the_readme_is_one_page():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 150
    assert len(text.encode()) < 12_000


@pytest.mark.parametrize("page", sorted(generate.BLOCKS))
def test_the_tables_are_those_of_the_package(page):
    stored = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert stored == generate.with_table(page), "stale: python -m docs.generate"


def test_every_method_has_a_measured_row():
    rows = [line for line in generate.methods().splitlines() if line.startswith("| `")]
    assert len(rows) == len(ct.METHODS)
    assert not [line for line in rows if line.endswith("| – |")]


def test_every_page_is_reached_from_the_first():
    texts = {page.stem: page.read_text(encoding="utf-8") for page in PAGES}
    texts["guide"] = texts["guide"].replace("<!-- written here -->", generate.PARTS["guide"]())
    reached, to_look_at = set(), ["index"]
    while to_look_at:
        name = to_look_at.pop()
        if name not in reached:
            reached.add(name)
            to_look_at += [other for other in links.listed(texts[name]) if other in texts]
    assert reached == set(texts)


def test_a_page_that_no_list_names_is_put_into_the_guide(tmp_path, monkeypatch):
    for name, text in {"index": "```{toctree}\n:hidden:\n\nguide\n```", "guide": "", "new": "# New"}.items():
        (tmp_path / f"{name}.md").write_text(text)
    monkeypatch.setattr(links, "DOCS", tmp_path)
    assert links.other_pages() == ["new"]


def test_every_public_name_is_in_the_reference():
    documented = {name for names in reference.public_names().values() for name in names}
    modules = {name.partition(".")[0] for name in reference.MODULES}
    expected = {f"ctrnn_theory.{name}" for name in set(ct.__all__) - modules}
    for name in reference.MODULES:
        module = importlib.import_module(f"ctrnn_theory.{name}")
        expected |= {f"ctrnn_theory.{name}.{public}" for public in module.__all__}
    assert documented == expected - {"ctrnn_theory.training.tasks"}
    pages = {place: reference.api_page(place, names) for place, names in reference.public_names().items()}
    listed = reference.api_lists()
    for place, names in reference.public_names().items():
        for name in names:
            assert re.search(rf"^\.\. [\w:]+:: {name.rpartition('.')[2]}$", pages[place], re.MULTILINE), name
            assert f"<{name}>`" in listed


def test_every_public_name_says_what_it_is():
    for line in reference.api_lists().splitlines():
        if line.startswith("| {py:obj}"):
            assert re.search(r"\| \S.* \|$", line.partition("`")[2].partition("`")[2]), line


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_picture_and_its_script(name):
    missing = "missing: ctrnn-theory figures --out figures && python -m docs.pictures figures"
    assert (ROOT / "docs" / generate.picture(name)).resolve().exists(), missing
    assert f"../../paper_figs/{name}.py" in generate.gallery_page(name)
    assert f":link: gallery/{name}\n" in generate.gallery_cards()


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=lambda value: getattr(value, "name", None))
def test_a_command_that_a_page_shows_can_be_parsed(page, line, tmp_path, monkeypatch):
    """Options and their values; whether the command succeeds is for ``python -m docs.commands``."""
    monkeypatch.chdir(tmp_path)
    commands.files(tmp_path)
    name, *arguments = shlex.split(line)[1:]
    command = cli.commands[name]
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            monkeypatch.setattr(parameter.type, "exists", False)
    assert command.make_context(name, arguments)


def test_links_of_the_site_lead_to_its_pages():
    text = "[a](../README.md), [b](../paper_figs/cost.py), [c](noise.md#one-step), [d](https://x.org), ![e](../a.png)"
    assert links.site_links(text) == "[a](index.md), b, [c](noise.md#one-step), [d](https://x.org), ![e](../a.png)"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="the extra docs is not installed")
def test_the_site_is_built_without_a_warning(tmp_path):
    call = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", str(tmp_path)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_paper_cites_what_its_references_hold():
    folder = ROOT / "docs" / "paper"
    text = (folder / "paper.md").read_text(encoding="utf-8")
    cited = set(re.findall(r"@(\w+)", text.partition("# Summary")[2]))
    assert cited == set(re.findall(r"^@\w+\{(\w+),", (folder / "paper.bib").read_text(encoding="utf-8"), re.MULTILINE))
