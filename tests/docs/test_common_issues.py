"""The page of common errors: each message that needs a row has one, and each row is of a message that there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from pathlib import Path

import ctrnn_theory as ct

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "common_issues.md").read_text(encoding="utf-8")
ANY = "…"
"""What stands for all that varies, in a row and in a message."""
BETWEEN = "\0"
"""What stands between texts that are searched together."""
ERRORS = ("NotApplicable", "Divergence", "ImportError", "OSError", "Damaged")
"""Errors whose messages need a row, with those that are derived from them."""


@lru_cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax trees of the package, by module."""
    files = {path.relative_to(ROOT).with_suffix(""): path for path in sorted((ROOT / "ctrnn_theory").rglob("*.py"))}
    names = {".".join(place.parts).removesuffix(".__init__"): path for place, path in files.items()}
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in names.items()}


@lru_cache
def nodes(module: str) -> list[ast.AST]:
    """Return all nodes of a module."""
    return list(ast.walk(trees()[module]))


def rows(page: str) -> list[list[str]]:
    """Return the cells of each row of the tables."""
    lines = [line for line in page.splitlines() if line.startswith("| ") and not re.match(r"\| (-|the message)", line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def patterns(page: str) -> dict[str, re.Pattern[str]]:
    """Return the messages that rows name, and the pattern of each."""
    named = [message for row in rows(page) for message in row[0].replace("\\", "").split(" *or* ")]
    wild = f"[^{BETWEEN}]*"
    return {name: re.compile(wild.join(map(re.escape, name.strip(f"{ANY} ").split(ANY)))) for name in named}


def without_a_row(found: Iterable[str], page: str) -> list[str]:
    """Return the messages that no row names."""
    known = patterns(page).values()
    return sorted(message for message in found if not any(pattern.search(message) for pattern in known))


def stale(page: str, found: Iterable[str]) -> list[str]:
    """Return what rows name and no text holds."""
    every = BETWEEN.join(found)
    return [name for name, pattern in patterns(page).items() if not pattern.search(every)]


def text(node: ast.expr, names: dict[str, str]) -> str:
    """Return the text that an expression makes, as far as the source says it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text(part, names) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return text(node.value, names)
    if isinstance(node, ast.BinOp):
        return text(node.left, names) + text(node.right, names)
    return names.get(node.id, ANY) if isinstance(node, ast.Name) else ANY


def assigned(part: Iterable[ast.AST], names: dict[str, str]) -> dict[str, str]:
    """Return the texts that are given to names; the first one of each counts."""
    found: dict[str, str] = {}
    for node in part:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, text(node.value, names))
    return found


@lru_cache
def constants(module: str) -> dict[str, str]:
    """Return the texts of a module's constants, and of those that it imports."""
    names: dict[str, str] = {}
    for node in trees()[module].body:
        if isinstance(node, ast.ImportFrom) and node.module in trees():
            there = assigned(trees()[node.module].body, {})
            names |= {alias.name: there[alias.name] for alias in node.names if alias.name in there}
    return names | assigned(trees()[module].body, names)


@lru_cache
def kinds() -> set[str]:
    """Return the names of the errors whose messages need a row."""
    classes = [node for module in trees() for node in nodes(module) if isinstance(node, ast.ClassDef)]
    found = set(ERRORS)
    while more := {one.name for one in classes if found & {ast.unparse(base) for base in one.bases}} - found:
        found |= more
    return found


@lru_cache
def messages() -> frozenset[str]:
    """Return the messages that need a row, except those that are made where the source does not say it."""
    found = set()
    for module in trees():
        if kinds().isdisjoint(node.id for node in nodes(module) if isinstance(node, ast.Name)):
            continue
        inner = [list(ast.walk(node)) for node in nodes(module) if isinstance(node, ast.FunctionDef)]
        known = constants(module)
        for part, names in [(nodes(module), known), *((part, known | assigned(part, known)) for part in inner)]:
            calls = [node for node in part if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
            found |= {text(call.args[0], names) for call in calls if call.func.id in kinds() and call.args}
    return frozenset(message for message in found if re.search(r"\w", message))


@lru_cache
def texts() -> frozenset[str]:
    """Return every text in the source, except those that document it."""

    def of(module: str) -> Iterator[str]:
        documents = {id(node.value) for node in nodes(module) if isinstance(node, ast.Expr)}
        for node in nodes(module):
            if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) and id(node) not in documents:
                yield text(node, constants(module))

    return frozenset(one for module in trees() for one in of(module))


def test_each_message_has_a_row():
    assert without_a_row(messages(), PAGE) == []


def test_no_row_is_stale():
    assert stale(PAGE, texts()) == []


def test_a_message_without_a_row_and_a_stale_row_are_noticed():
    assert without_a_row(["the moon must be full; it is new"], PAGE) == ["the moon must be full; it is new"]
    less = "\n".join(line for line in PAGE.splitlines() if "is for neurons that fluctuate" not in line)
    assert any("is for neurons that fluctuate" in message for message in without_a_row(messages(), less))
    assert stale("| the moon must be … *or* W must keep the state | x | x |", texts()) == ["the moon must be …"]


def test_messages_hold_the_texts_of_constants_and_of_variables():
    assert len(messages()) > 100
    assert f"W must keep the state bounded; the noise-free state passes {ANY} from this start" in messages()  # imported
    assert f"a barrier is {ANY} times the noise: it is passed too rarely for double precision" in messages()
    assert any(message.startswith("f'' does not exist at the fixed point") for message in messages())  # of a function


def test_rows_are_whole_and_name_what_there_is():
    assert all(len(row) == 3 and all(row) for row in rows(PAGE))
    for name in set(re.findall(r"`ct\.([A-Za-z_.]+)", PAGE)):
        attrgetter(name)(ct)
