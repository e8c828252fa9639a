"""The pages on security name tests as their evidence: each of them exists, and no claim goes without."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "security"
EVIDENCE = re.compile(r"\[([\w.]+)::(\w+)\]\(([^)]+)\)")
ANSWERS = {"met", "partly", "not met", "out of scope"}


@cache
def defined_in(file: Path) -> frozenset[str]:
    """The names of the tests in a file, also in its classes."""
    tree = ast.parse(file.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def missing(text: str) -> list[str]:
    """The tests that a page names and that are not where it says."""
    wrong = []
    for name, test, target in EVIDENCE.findall(text):
        file = PAGES / target
        if file.name != name or not file.is_file() or test not in defined_in(file) or not test.startswith("test_"):
            wrong.append(f"{target}::{test}")
    return wrong


def rows(text: str) -> list[list[str]]:
    """The numbered rows of the tables of requirements: number, requirement, source, answer, sense, evidence."""
    lines = [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("page", ["requirements.md", "threat-model.md"])
def test_every_test_that_a_page_names_exists(page: str) -> None:
    """A renamed or deleted test leaves no claim behind it."""
    text = (PAGES / page).read_text()
    assert len(EVIDENCE.findall(text)) > 30
    assert text.count("::test_") == len(EVIDENCE.findall(text))
    assert missing(text) == []


def test_every_requirement_is_answered_with_evidence_or_a_reason() -> None:
    """Met needs a test; met in part a test and what is missing; anything else a reason. The sums on top are right."""
    text = (PAGES / "requirements.md").read_text()
    table = rows(text)
    assert [row[0] for row in table] == [str(number) for number in range(1, len(table) + 1)]
    answers = [row[3] for row in table]
    for number, _, source, answer, sense, evidence in table:
        assert answer in ANSWERS, number
        assert source, number
        assert bool(EVIDENCE.search(evidence)) is (answer in ("met", "partly")), number
        assert sense or answer == "met", number
    counts = [len(table), *(answers.count(answer) for answer in ("met", "partly", "not met", "out of scope"))]
    assert [int(found) for found in re.findall(r"\b\d+\b", text[text.index("Of ") :])[:5]] == counts


def test_every_defence_of_the_threat_model_has_its_test() -> None:
    """Each attacker has what stops them, each with evidence, and what is left to the application."""
    attackers = (PAGES / "threat-model.md").read_text().split("\n## ")[2:-1]
    assert len(attackers) == 11
    for section in attackers:
        claims = [line for line in section.splitlines() if line.startswith("- ")]
        assert claims, section[:40]
        assert [claim[:60] for claim in claims if not EVIDENCE.search(claim)] == []
        assert "**Not stopped, and left to do:**" in section


def test_a_claim_without_its_test_is_found() -> None:
    """The check can fail: a wrong name, a wrong file, and a function that is no test."""
    for wrong in (
        "[test_token.py::test_gone](../../tests/test_token.py)",
        "[test_token.py::test_a_token_is_short_and_needs_no_quoting](../../tests/test_csrf.py)",
        "[test_token.py::fresh](../../tests/test_token.py)",
        "[test_nothing.py::test_x](../../tests/test_nothing.py)",
    ):
        assert missing(wrong)
