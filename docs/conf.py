"""Settings of the site: ``python -m sphinx -W docs docs/_build``."""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sphinx.util.inspect import TypeAliasForwardRef

import ctrnn_theory
from docs.generate import PARTS, write_pages
from docs.links import DOCS, site_links

project = "ctrnn_theory"
author = "The ctrnn_theory developers"
version = release = ctrnn_theory.__version__
copyright = author

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc", "sphinx_design"]
exclude_patterns = ["_build", "jupyter_execute", "paper"]
default_role = "literal"
highlight_language = "none"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "cache"  # of the tutorials; a notebook is run again when it has changed
nb_execution_cache_path = str(DOCS / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
os.environ["PYTHONPATH"] = os.pathsep.join([sys.path[0], *filter(None, [os.environ.get("PYTHONPATH")])])

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {name: name for name in ("ArrayLike", "FloatArray", "NDArray", "RNGLike")}
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
TypeAliasForwardRef.__repr__ = lambda self: self.name  # which is shown where an alias is a part of a union
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"start": [], "benchmarks": []}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_nav_level": 1,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}

COMMANDS = re.compile(r"^```\n(?=(?:ctrnn-theory|pip|git|dask|python3?) [^\[\n]*\n)", re.MULTILINE)
"""Begin of a block of commands, which may be wrapped."""


def _read(app, name, source):
    """Put the part of a page in that is written by the build, and set its links."""
    if (DOCS / f"{name}.md").exists() and "/" not in name:
        text = source[0].replace("<!-- written here -->", PARTS[name]() if name in PARTS else "")
        text = site_links(text).replace("\n\n```\n", "\n```\n")  # doctests end with an empty line
        source[0] = COMMANDS.sub("```sh\n", text)


def _bars(app, what, name, obj, options, lines):
    """Let bars in docstrings be bars, and no marks of substitutions; examples and literals stay."""
    example, block = False, None
    for i, line in enumerate(lines):
        text, indent = line.strip(), len(line) - len(line.lstrip())
        example = (example and bool(text)) or text.startswith(">>>")
        block = None if block is not None and text and indent <= block else block
        if block is None and not example:
            parts = line.split("``")
            lines[i] = "``".join(part if odd % 2 else part.replace("|", r"\|") for odd, part in enumerate(parts))
        block = indent if text.endswith("::") and block is None else block


def setup(app):
    """Write the generated pages before the build reads pages."""
    app.connect("builder-inited", lambda app: write_pages())
    app.connect("source-read", _read)
    app.connect("env-get-outdated", lambda *_: sorted(PARTS))  # what is written into pages may have changed
    app.connect("autodoc-process-docstring", _bars, priority=900)  # after numpydoc
