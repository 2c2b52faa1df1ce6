"""Small pictures for the gallery: ``python -m docs.pictures FOLDER``.

FOLDER is where ``ctrnn-theory figures --out FOLDER`` wrote figures. Those that ``paper_figs`` keeps are left out; the
others are made smaller and are kept in ``docs/figures``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from docs.links import DOCS, ROOT
from paper_figs import FIGURES

WIDTH, COLOURS = 1100, 64


def write_pictures(folder: Path) -> list[str]:
    """Write the small pictures of a folder of figures, and return their names."""
    from PIL import Image

    (DOCS / "figures").mkdir(exist_ok=True)
    kept = {path.stem for path in (ROOT / "paper_figs").glob("*.png")}
    names = [name for name in FIGURES if name not in kept and (folder / f"{name}.png").exists()]
    for name in names:
        with Image.open(folder / f"{name}.png") as image:
            size = (WIDTH, round(image.height * WIDTH / image.width))
            small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        small.quantize(COLOURS, dither=Image.Dither.NONE).save(DOCS / "figures" / f"{name}.png", optimize=True)
    return names


if __name__ == "__main__":
    print(*write_pictures(Path(sys.argv[1])))
