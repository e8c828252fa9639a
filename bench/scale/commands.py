"""What an operator waits for: whole commands, the start of their process included, over a store that is full."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from tools import marks

from .page import PAGE
from .stock import PER_USER, user

BEGIN = "<!-- the commands: make bench-scale ARGS='--commands --write' -->"
END = "<!-- the end of the commands -->"
RUNS = 9
WITHIN = 1.0
"""Seconds in which each has to answer, but the last."""
COMMANDS = ("--help", "list --user", "revoke-user", "stats", "stats --exact")
"""The first is the start of the process alone. The last may take its time."""


class Timed(NamedTuple):
    """One store: the seconds of each command's runs."""

    kind: str
    sessions: int
    times: dict[str, list[float]]


def measure(kind: str, url: str, namespace: str, sessions: int) -> Timed:
    """Run them over a store of so many sessions, each run for another user. Raises RuntimeError for one that fails."""
    times: dict[str, list[float]] = {command: [] for command in COMMANDS}
    for number in range(RUNS + 1):
        for command in COMMANDS[: None if number <= 1 else -1]:
            whom = user(random.randrange(sessions // PER_USER))
            words = [*command.split(), *([whom] if command in ("list --user", "revoke-user") else [])]
            seconds = _run([*words, *(["--json", "--namespace", namespace] if command != "--help" else [])], url)
            if number:  # the first round warms up
                times[command].append(seconds)
    return Timed(kind, sessions, times)


def _run(words: Sequence[str], url: str) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "coatcheck", *words],
        env=os.environ | {"COATCHECK_STORE": url},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 1):  # 1: that user was revoked before
        message = f"coatcheck {words[0]}: {done.stderr}"
        raise RuntimeError(message)
    return seconds


def slow(found: Timed) -> list[str]:
    """The commands that take longer than they may."""
    return [name for name in COMMANDS[:-1] if statistics.median(found.times[name]) > WITHIN]


def table(found: Sequence[Timed]) -> str:
    """All of it, as Markdown."""
    lines = [["command", *(f"{one.kind}, {one.sessions:,}" for one in found)], ["---", *["---:"] * len(found)]]
    lines += [
        [f"`coatcheck {name}`", *(f"{statistics.median(one.times[name]):.2f} s" for one in found)] for name in COMMANDS
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def write(found: Sequence[Timed]) -> None:
    """Put it into the page. Raises ValueError for one without the marks."""
    PAGE.write_text(marks.put(PAGE.read_text(), BEGIN, END, f"\n\n{table(found)}\n"))
