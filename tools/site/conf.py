"""How Sphinx builds the site: `make docs`. Why Sphinx: docs/decisions/0024."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tools.site import commands, navigation  # noqa: E402

project = "Coatcheck"
author = "Coatcheck contributors"
copyright = author  # noqa: A001
extensions = ["myst_parser", "sphinx.ext.autodoc"]

# The repository itself is the source, so that a link that works in a checkout works on the site.
root_doc = navigation.START
include_patterns = ["*.md", "docs/*.md", "docs/**/*.md"]
exclude_patterns = ["bench", "lab", "src", "tests", "tools", "site", "examples", "requirements", ".*"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = ["myst.header"]  # some pages go from a title to a third level

default_role = "code"  # single backticks in docstrings, as in the pages
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "Coatcheck"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False


def setup(app: Any) -> None:
    """Pages are plain Markdown; what only the site has is added as they are read."""
    app.connect("source-read", _complete)
    app.connect("autodoc-process-docstring", _mark_examples)


def _complete(_app: Any, page: str, source: list[str]) -> None:
    source[0] += navigation.appended(page)
    if page == "docs/reference/commands":
        source[0] += "\n\n" + commands.page()


def _mark_examples(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """An indented block of a docstring is an example or a drawing, as in Markdown; reStructuredText wants a mark."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()  # what Python says of a field that has no words of its own
    marked: list[str] = []
    for number, line in enumerate(lines):
        above = next((one for one in reversed(lines[: number - 1]) if one), "") if number else ""
        begins = line.startswith("    ") and not lines[number - 1] and not above.startswith((" ", "*", "-"))
        marked += ["::", "", line] if begins else [line]
    lines[:] = marked
