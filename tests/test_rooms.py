"""The rooms of the package: the same in the tests, on their map and in the import contracts."""

from __future__ import annotations

import ast
import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ctrnn_theory"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
MODULES = sorted(PACKAGE.rglob("*.py"))


def folders_with_tests():
    return sorted({path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").glob("*/**/test_*.py")})


@pytest.mark.parametrize("folder", folders_with_tests(), ids=str)
def test_the_tests_mirror_the_rooms(folder):
    assert (PACKAGE / folder).is_dir() or (ROOT / folder).is_dir()


def test_every_room_has_tests():
    # pictures and commands are rooms like others
    tested = {folder.parts[0] for folder in folders_with_tests()}
    assert set(ROOMS) <= tested


def test_the_map_of_the_rooms_names_every_room():
    page = (ROOT / "docs" / "structure.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[(\w+)\]\(\.\./ctrnn_theory/\1\)", page, re.MULTILINE)) == ROOMS


def test_the_contract_of_layers_names_every_room():
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / "setup.cfg", encoding="utf-8")
    layers = contracts["importlinter:contract:layers"]["layers"]
    assert sorted(set(re.findall(r"ctrnn_theory\.(\w+)", layers)) - {"__main__"}) == ROOMS


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=lambda path: path.name)
def test_every_folder_says_what_it_is(folder):
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_names_with_an_underscore_stay_in_their_module(module):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    imported = [
        f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ctrnn_theory")
        for name in node.names
        if name.name.startswith("_") and not name.name.startswith("__")
    ]
    assert imported == []


def pages():
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        place, _, heading = link.partition("#")
        if place.startswith("http"):
            continue
        target = page.parent / place if place else page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles], link
