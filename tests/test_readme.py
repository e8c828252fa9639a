"""The README's first screen does what it shows: its application runs, its transcript is what curl prints."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.servers import AppServer

README = (Path(__file__).parent.parent / "README.md").read_text()
SHORTENED = "Mr0…"
"""How the README writes a token that is different every time."""


def block(language: str) -> str:
    """The first code block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_first_screen_fits_a_screen() -> None:
    """The promise, how to install it, eight lines of code, their transcript, two commands: at most 40 lines."""
    end = README.index("```\n", README.index("make test"))
    assert len(README[:end].splitlines()) + 1 <= 40
    code = [line for line in block("python").splitlines() if line and not line.startswith("from ")]
    assert len(code) == 8


@pytest.mark.curl
def test_the_transcript_is_what_curl_prints(tmp_path: Path) -> None:
    """Each command, run against the README's own application, prints what the README says, but for the token."""
    (tmp_path / "app.py").write_text(block("python"))
    commands = re.split(r"^\$ ", block("console"), flags=re.MULTILINE)[1:]
    assert len(commands) == 3
    token = ""
    with AppServer("app:app", folder=tmp_path) as server:
        for text in commands:
            command, _, expected = text.partition("\n")
            ready = command.replace("localhost:8000", f"{server.host}:{server.port}").replace(SHORTENED, token)
            program, *pipe = (shlex.split(part) for part in ready.split(" | "))
            assert program[0] == "curl"
            printed = subprocess.run(program, capture_output=True, text=True, check=True).stdout
            if pipe:
                assert pipe == [["grep", "-i", "set-cookie"]]
                printed = "".join(line for line in printed.splitlines(keepends=True) if "set-cookie" in line.lower())
                token = printed.partition("=")[2].partition(";")[0]
                printed = printed.replace(token, SHORTENED)
            assert printed.strip() == expected.strip()
    assert len(token) == 86
