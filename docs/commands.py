"""The commands that the pages show: ``python -m docs.commands [PROGRAM]`` runs them, in a folder of its own.

PROGRAM is the ``ctrnn-theory`` that runs, by default that of the path. Every command line in README.md, CONTRIBUTING.md
and ``docs/*.md`` counts, unless it has a part to be filled in, such as FILE. A command is run once. Left out are
those for a cluster, and figures at full strength, which take half an hour.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from docs.links import ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
TO_FILL_IN = re.compile(r"\b[A-Z]{3,}\b|[\[|]|\.\.\.")


def commands(page: Path) -> list[str]:
    """Return the lines of ``ctrnn-theory`` that a page shows, in their order."""
    text = page.read_text(encoding="utf-8")
    whole = re.finditer(r"^(?P<line>(?:.*&& \S*)?ctrnn-theory .*)$|`(?P<word>ctrnn-theory [^`]*)`", text, re.MULTILINE)
    found = [re.sub(r"^.*&& \S*(?=ctrnn-theory)", "", one["line"] or " ".join(one["word"].split())) for one in whole]
    lines = [re.sub(r"\s+#.*", "", line) for line in found]
    return [line for line in lines if not TO_FILL_IN.search(line) and len(shlex.split(line)) > 1]


def files(folder: Path) -> None:
    """Write the files that commands read: specifications of sweeps as their page shows them, a network and inputs."""
    import numpy as np

    sweeps = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    grids = re.findall(r"```toml\n(.*?)```", sweeps, re.DOTALL)
    for name, grid in zip(("spec.toml", "map.toml"), grids, strict=True):
        (folder / name).write_text(grid, encoding="utf-8")
    network = ROOT / "paper_figs" / "torch_networks" / "relu.npz"
    (folder / "weights.npz").write_bytes(network.read_bytes())
    u = np.linspace(-1.0, 1.0, 5)[:, None]
    np.savez(folder / "inputs.npz", inputs=u, targets=np.sin(np.pi * u))


def to_run() -> Iterator[tuple[str, str]]:
    """Give each command once, with the page that shows it first."""
    seen: set[str] = set()
    for page in PAGES:
        for line in commands(page):
            full_figures = line.startswith("ctrnn-theory figures") and "--quick" not in line
            if line not in seen and not full_figures:
                seen.add(line)
                yield page.name, line


def main() -> None:
    """Run the commands, and exit with status 1 if one failed."""
    program, failed = (sys.argv[1:] or ["ctrnn-theory"])[0], 0
    with tempfile.TemporaryDirectory() as place:
        files(Path(place))
        for page, line in to_run():
            begin, arguments = perf_counter(), shlex.split(line)[1:]
            if "figures" in arguments:
                call = [program, *arguments, *(() if "list" in arguments else ("--out", place))]
                done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
            else:
                done = subprocess.run([program, *arguments], cwd=place, capture_output=True, text=True, check=False)
            failed += done.returncode != 0
            end = "" if done.returncode == 0 else f"  FAILED: {done.stderr.strip()}"
            print(f"{perf_counter() - begin:7.1f} s  {page}: {line}{end}", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
