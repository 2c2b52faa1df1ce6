"""Whether the tests notice mistakes in the formulas: ``python -m benchmarks.mutants``.

Each formula of ``ctrnn_theory/derive/`` is changed at one place at a time, in a temporary copy of the package: a sign
is turned, a product becomes a quotient, a number is raised by one, or a factor or a term is dropped. The tests and
doctests of the module then run in a process of their own. A mistake that they do not notice survives, and is printed
with its line; the reader must decide whether it changes the formula at all.
"""

from __future__ import annotations

import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).resolve().parent.parent
DERIVE = Path("ctrnn_theory/derive")
NO_FORMULAS = ("__init__", "catalogue", "derivation", "compiled", "page", "symbols")
TESTED_BY = {  # modules that are not tested by test_<module>.py
    "hierarchy": ["tests/derive/test_small_noise.py", "tests/derive/test_gain_noise.py"],
    "expansion": ["tests/derive/test_small_noise.py", "tests/derive/test_gain_noise.py"],
    "kink_values": ["tests/derive/test_kinks.py"],
}
SWAPPED: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Div(),
    ast.Div: ast.Mult(),
}
COUNTS = ("diff", "Rational", "Integer")  # functions whose numeric arguments are part of the formula
NOT_FORMULAS = (ast.JoinedStr, ast.Raise, ast.AnnAssign, ast.arguments)


class Mutant(NamedTuple):
    """A module with one mistake."""

    module: str
    """Name of the module."""
    line: int
    """Number of the changed line."""
    before: str
    """Line without the mistake."""
    after: str
    """Line with the mistake."""
    source: str
    """Source of the module with the mistake."""


def changes(node: ast.AST, parent: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that replace a node, one for each mistake."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in SWAPPED:
            yield ast.BinOp(copy.deepcopy(left), SWAPPED[type(op)], copy.deepcopy(right))
            yield copy.deepcopy(left)
            if isinstance(op, ast.Add | ast.Mult):
                yield copy.deepcopy(right)
        case ast.UnaryOp(ast.USub(), operand) if not isinstance(operand, ast.Constant):
            yield copy.deepcopy(operand)
        case ast.Constant(value) if isinstance(value, int | float) and not isinstance(value, bool):
            called = getattr(getattr(parent, "func", None), "attr", "")
            if isinstance(parent, ast.BinOp) or called in COUNTS:
                yield ast.Constant(value + 1)


def places(node: ast.AST, parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the nodes of formulas with their parents, without annotations, messages, indices and ranges."""
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    text = isinstance(node, ast.BinOp) and any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in (node.left, node.right)
    )
    if isinstance(node, NOT_FORMULAS) or name in ("range", "ValueError") or text:
        return
    yield node, parent
    for field, value in ast.iter_fields(node):
        if field in ("decorator_list", "returns", "annotation") or (
            isinstance(node, ast.Subscript) and field == "slice"
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from places(child, node)


def mutants(module: str) -> list[Mutant]:
    """Return all mistakes of these kinds in a module, each once."""
    source = (ROOT / DERIVE / f"{module}.py").read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    raw, found = source.encode(), {}
    tree = ast.parse(source)
    for node, parent in places(tree, tree):
        for change in changes(node, parent):
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            text = f"({ast.unparse(ast.fix_missing_locations(change))})"
            broken = (raw[:begin] + text.encode() + raw[end:]).decode()
            if ast.dump(ast.parse(broken)) != ast.dump(tree):
                first, last = node.lineno - 1, node.end_lineno
                after = broken.splitlines()[first : last + len(broken.splitlines()) - len(lines)]
                before = " ".join(line.strip() for line in lines[first:last])
                found[broken] = Mutant(module, node.lineno, before, " ".join(x.strip() for x in after), broken)
    return list(found.values())


def run(tests: list[str], where: Path, limit: float) -> str:
    """Run the tests in a copy of the package, and return "passed", "failed" or "timeout"."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(where), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return "timeout"
    if done.returncode not in (0, 1, 2):  # 2: the broken module could not be imported
        raise RuntimeError(f"pytest could not run {' '.join(tests)}:\n{done.stdout}{done.stderr}")
    return "passed" if done.returncode == 0 else "failed"


def tried(module: str, where: Path, each: int, seed: int, console: Console) -> tuple[int, int]:
    """Change a module of the copy, print the mistakes that survive, and return how many were caught, of how many."""
    tests = TESTED_BY.get(module, [f"tests/derive/test_{module}.py"])
    tests = [str(DERIVE / f"{module}.py"), *(test for test in tests if (where / test).exists())]  # doctests first
    target = where / DERIVE / f"{module}.py"
    whole = target.read_text(encoding="utf-8")
    if run(tests, where, 600.0) != "passed":  # compiles kernels too
        console.print(f"{module}: its tests fail without a mistake; left out")
        return 0, 0
    begin = perf_counter()
    run(tests, where, 600.0)
    usual = perf_counter() - begin
    chosen = mutants(module)
    possible = len(chosen)
    if each:
        chosen = sorted(random.Random(seed).sample(chosen, min(each, possible)), key=lambda m: m.line)
    survivors = []
    for mutant in track(chosen, description=module, console=Console(stderr=True)):
        target.write_text(mutant.source, encoding="utf-8")
        if run(tests, where, 30.0 + 3.0 * usual) == "passed":
            survivors.append(mutant)
    target.write_text(whole, encoding="utf-8")
    caught = len(chosen) - len(survivors)
    console.print(f"{module}: {caught} of {len(chosen)} caught ({possible} possible), {usual:.1f} s for its tests")
    for mutant in survivors:
        console.print(
            f"  line {mutant.line}", f"    - {mutant.before}", f"    + {mutant.after}", sep="\n", markup=False
        )
    return caught, len(chosen)


@click.command()
@click.option("--module", "modules", multiple=True, help="Module of derive; may be repeated. The default is all.")
@click.option("--each", default=12, show_default=True, help="Number of random mistakes in each module; 0 for all.")
@click.option("--seed", default=0, show_default=True)
def main(modules: tuple[str, ...], each: int, seed: int) -> None:
    """Change the formulas, run their tests, and print the mistakes that survive."""
    console = Console(width=160, highlight=False)
    known = sorted(path.stem for path in (ROOT / DERIVE).glob("*.py") if path.stem not in NO_FORMULAS)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        for name in ("ctrnn_theory", "tests"):
            shutil.copytree(ROOT / name, where / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, where / name)
        counts = [tried(module, where, each, seed, console) for module in modules or known]
    caught, total = map(sum, zip(*counts, strict=True))
    if total:
        console.print(f"caught: {caught} of {total} ({caught / total:.0%})")


if __name__ == "__main__":
    main()
