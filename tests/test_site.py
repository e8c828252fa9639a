"""The site leads to every page, and its pages name every command and every setting."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest

import coatcheck
from coatcheck import CookieSettings, Policy, SessionManager
from coatcheck.exchange import Front
from tests.test_docs import DOCUMENTS, ROOT
from tools import comparison
from tools.marks import between
from tools.site import commands, navigation

PAGES = {str(path.relative_to(ROOT).with_suffix("")): path.read_text() for path in DOCUMENTS}
GENERATED = "docs/reference/"
TEXT = "\n".join(text for page, text in PAGES.items() if not page.startswith((GENERATED, "CHANGELOG")))
"""What authors wrote: the reference repeats all names by itself."""


def settings_of(function: object) -> list[str]:
    """The names of what may be given to it."""
    return [name for name in inspect.signature(function).parameters if name not in {"self", "manager"}]  # type: ignore[arg-type]


NAMES = [
    *(("manager", name) for name in settings_of(SessionManager)),
    *(("policy", one.name) for one in fields(Policy) if one.init),
    *(("cookie", one.name) for one in fields(CookieSettings)),
    *(("middleware", name) for name in settings_of(Front)),
]


def test_every_page_is_in_the_navigation_once() -> None:
    """Nobody has to know a page's address to find it, and no link of the sidebar leads nowhere."""
    named = [page for _, pages in navigation.NAVIGATION for page in pages]
    below = [page for page in PAGES if re.fullmatch(r"docs/decisions/\d{4}-.*", page)]
    assert sorted([*named, *below]) == sorted(PAGES)


def test_every_decision_is_in_their_list() -> None:
    """A record is found from the page of records."""
    known = re.findall(r"\]\((\d{4}-[^)]*)\.md\)", PAGES["docs/decisions/README"])
    assert [f"docs/decisions/{name}" for name in known] == sorted(page for page in PAGES if "/0" in page)


@pytest.mark.parametrize("name", commands.names())
def test_every_command_is_explained(name: str) -> None:
    """The pages say what a command is for, beside the generated reference."""
    assert re.search(rf"coatcheck {name}\b|\[?`{name}`", TEXT)


@pytest.mark.parametrize(("whose", "name"), NAMES, ids=["-".join(one) for one in NAMES])
def test_every_setting_is_explained(whose: str, name: str) -> None:
    """A setting that only its docstring knows is a setting that nobody finds."""
    assert re.search(rf"`{name}`|\b{name}=", TEXT)


def test_the_reference_has_every_public_name() -> None:
    """A new name of the package, or a new framework, that the reference leaves out is not public for its readers."""
    page = PAGES["docs/reference/coatcheck"]
    assert [name for name in coatcheck.__all__ if not re.search(rf"^\.\. auto\w+:: {name}\b", page, re.MULTILINE)] == []
    here = ROOT / "src/coatcheck/integrations"
    frameworks = {path.name.removesuffix(".py") for path in here.iterdir() if "_" not in path.name}
    shown = set(re.findall(r"^## coatcheck\.integrations\.(\w+)$", PAGES["docs/reference/integrations"], re.MULTILINE))
    assert shown == frameworks


def test_the_reference_of_commands_has_each_with_its_options() -> None:
    """It is what argparse says, so it cannot be out of date; an empty one would mean that it was not asked."""
    page = commands.page()
    sections = re.findall(r"^## `coatcheck ([a-z-]+)`\n\n```text\nusage: coatcheck \1 ", page, re.MULTILINE)
    assert sections == commands.names()
    assert {"keygen", "doctor", "revoke-user"} <= set(sections)
    assert "--namespace" in page


def test_the_comparison_tells_the_figures_of_the_pages_that_measured_them() -> None:
    """A copied figure would outlive the run that it is from: `python -m tools.comparison --write` renews it."""
    page = PAGES["docs/comparison"]
    for path, made in comparison.PAGES.items():
        assert between(path.read_text(), comparison.BEGIN, comparison.END).strip() == made().strip(), path
    assert f"Coatcheck: {' and '.join(comparison.races()['Coatcheck, Redis'])}, on Redis and on SQLite" in page
    assert comparison.races()["Coatcheck, Redis"] == comparison.races()["Coatcheck, SQLite"]
