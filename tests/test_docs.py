"""The documentation is right: its links lead somewhere and its examples run."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tests.quiet  # noqa: F401 (Pyramid's page)
from coatcheck.stores import memory

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
LINK = re.compile(r"\]\(([^)\s]+)\)")
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_link_between_documents_leads_to_a_file(document: Path) -> None:
    """A reader who follows a relative link finds what it names."""
    links = LINK.findall(document.read_text())
    files = [link.partition("#")[0] for link in links if "://" not in link and not link.startswith("#")]
    assert [name for name in files if not (document.parent / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_python_example_runs(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ```python blocks of a document run in their order, as one module, in an empty folder; then its tests do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "_shared", {})  # memory:// is the process's, and other tests are in it
    text = document.read_text()
    module = ModuleType(f"page_{document.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # some frameworks look up who calls them
    for example in EXAMPLE.finditer(text):
        above = "\n" * text.count("\n", 0, example.start(1))  # so that a traceback names the document's line
        exec(compile(above + example[1], str(document), "exec", dont_inherit=True), module.__dict__)
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    for own in [one for one in tests if not inspect.iscoroutinefunction(one)]:  # a page awaits its others by itself
        own()


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_code_fence_is_closed_and_says_its_language(document: Path) -> None:
    """An example whose fence names no language would never be run."""
    fences = re.findall(r"^ *```(.*)$", document.read_text(), re.MULTILINE)
    assert len(fences) % 2 == 0
    assert "" not in fences[::2]
