"""`coatcheck keygen`, which every error about a missing secret names."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from coatcheck.cli import main
from coatcheck.keyring import Keyring


def test_keygen_prints_a_secret_that_is_accepted() -> None:
    """One line, different every time, and long enough."""
    printed = {
        subprocess.run([sys.executable, "-m", "coatcheck", "keygen"], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(printed) == 2
    for line in printed:
        assert Keyring(line.split(), namespace="test").keys("token")


def test_the_help_begins_with_what_is_needed_at_night(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each command, its name and what it does; the order is that of need."""
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    ([a-z-]+)(.*)$", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, _ in listed][:4] == ["list", "show", "revoke", "revoke-user"]
    assert [name for name, text in listed if not text] == []


def test_a_wrong_command_says_what_there_is() -> None:
    """Exit code 2 and a usage line, no traceback."""
    done = subprocess.run([sys.executable, "-m", "coatcheck", "kyes"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "keygen" in done.stderr
    assert "Traceback" not in done.stderr
