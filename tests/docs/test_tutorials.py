"""The tutorials run, and are kept without outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
LONG = ("the_paradox",)
"""Tutorials of half a minute; the build of the site runs them too."""


def cells(book):
    found = json.loads(book.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def test_there_are_tutorials():
    assert len(BOOKS) == 4


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_outputs_are_not_kept(book):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(book))


@pytest.mark.parametrize(
    "book", [pytest.param(book, id=book.stem, marks=[pytest.mark.slow] * (book.stem in LONG)) for book in BOOKS]
)
def test_a_tutorial_runs(book, monkeypatch, capsys):
    """Each holds assertions on what it says."""
    monkeypatch.chdir(FOLDER)
    names = {"__name__": "__main__"}
    for cell in cells(book):
        exec(compile("".join(cell["source"]), book.name, "exec"), names)
