"""docs/doctor.md is what the code does: every check that is made is a row, and every row is a check that is made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from coatcheck.cli.doctor.subjects import SUBJECTS
from tests.doctor import book

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "coatcheck"
MAKERS = {"Check": 1, "_ok": 1, "_bad": 1, "_private": 0}
"""The functions that make a check, and which of their arguments is its name."""
REQUIREMENTS = (ROOT / "docs" / "security" / "requirements.md").read_text()


def made() -> Iterator[str]:
    """The name of each check that the code makes, where it is written as a constant, or as one of two."""
    for path in [*SOURCE.rglob("*health.py"), *SOURCE.glob("cli/doctor/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                for argument in node.args[MAKERS[node.func.id] :][:1]:
                    either = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
                    for one in either:
                        if isinstance(one, ast.Constant) and isinstance(one.value, str):
                            yield one.value


def test_the_page_has_every_check() -> None:
    """The table is the code's."""
    page = book.PAGE.read_text()
    assert book.renewed(page) == page


def test_every_check_that_the_code_makes_has_its_row_and_no_row_is_idle() -> None:
    """A new check without a reason and a requirement fails here."""
    names = {*made()}
    assert names - {*SUBJECTS} == set()
    assert {*SUBJECTS} - names == set()


def test_every_check_is_named_by_a_test_of_the_doctor() -> None:
    """Those of a site and of a cookie in both outcomes at once, by two tests in test_site.py."""
    text = "".join(
        path.read_text() for path in ROOT.glob("tests/**/test_*.py") if "doctor" in str(path.relative_to(ROOT))
    )
    text += (ROOT / "tests/stores/test_postgresql_tools.py").read_text()
    assert [name for name in SUBJECTS if not re.search(rf'"{re.escape(name)}"', text)] == []


def test_the_requirements_are_those_of_the_page_on_requirements() -> None:
    """Numbers of ASVS as five chapters have them; whichever of cookies' numbers our own page answers, too."""
    for name, subject in SUBJECTS.items():
        for part in filter(None, subject.rule.split("; ")):
            assert re.match(r"(ASVS \d|RFC \d|NIST SP 800-63B-4, )", part), name
    for number in ("3.3.1", "3.3.2", "3.3.3", "3.3.4", "3.3.5", "7.3.1", "7.3.2", "7.4.1", "14.3.2", "11.2.3"):
        assert number in REQUIREMENTS
        assert any(number in subject.rule for subject in SUBJECTS.values()), number
