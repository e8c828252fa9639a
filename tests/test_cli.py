"""`coatcheck keygen`, which every error about a missing secret names."""

from __future__ import annotations

import subprocess
import sys

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


def test_a_wrong_command_says_what_there_is() -> None:
    """Exit code 2 and a usage line, no traceback."""
    done = subprocess.run([sys.executable, "-m", "coatcheck", "kyes"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "keygen" in done.stderr
    assert "Traceback" not in done.stderr
