"""What to cite, as CITATION.cff says it."""

import re
from pathlib import Path

import yaml

import ctrnn_theory as ct

ROOT = Path(__file__).parents[2]


def entries():
    """Fields of the entries of BibTeX, by the kind of entry."""
    found = {}
    for kind, body in re.findall(r"@(\w+)\{\w+,\n(.*?)\n\}", ct.cite(), re.DOTALL):
        fields = dict(re.findall(r"^  (\w+) *= \{(.*)\},$", body, re.MULTILINE))
        found[kind] = {name: re.sub(r"[{}\\]", "", value) for name, value in fields.items()}
    return found


def test_the_entries_say_what_the_file_says():
    file = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    found, (paper,) = entries(), file["references"]
    assert set(found) == {"software", "article"}
    software = {"author": file["authors"][0]["name"]} | {name: file[name] for name in ("title", "version", "license")}
    assert found["software"] == software
    article = {
        "author": " and ".join(f"{one['family-names']}, {one['given-names']}" for one in paper["authors"]),
        "year": str(paper["year"]),
        "eprint": paper["identifiers"][0]["value"].removeprefix("arXiv:"),
        "archivePrefix": "arXiv",
    } | {name: paper[name] for name in ("title", "journal", "url")}
    assert found["article"] == article


def test_a_session_shows_the_text_as_it_is():
    assert repr(ct.cite()) == str(ct.cite())
