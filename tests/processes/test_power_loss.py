"""SQLite and power cuts: what is on disk at any instant opens clean, and holds all that was acknowledged."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coatcheck import SessionManager
from coatcheck.testing.kit import KEY
from tests.processes import table, victim
from tests.processes.history import History, State, observe
from tests.processes.power import Copy, cut, taken, tear, whole
from tests.processes.team import Hand

SPACE = "power"
COPIES = max(3, int(os.environ.get("COATCHECK_CRASHES", "0")) // 10)
TAILS = 3
"""Ways in which the end of each copy's log is lost."""
CUTS = 4
"""Places at which each log is cut."""


@contextmanager
def at_work(folder: Path, fault: str | None = None) -> Iterator[tuple[Hand, History, Path]]:
    """A worker that writes without a pause."""
    folder.mkdir()
    database = folder / "sessions.db"
    hand = Hand(victim.work, f"sqlite:///{database}", SPACE, 7, None, fault, direct=True)
    history = History()
    try:
        yield hand, history, database
    finally:
        hand.kill()
        hand.close()


def copies(folder: Path, count: int, fault: str | None = None) -> Iterator[tuple[History, Copy]]:
    """Copies at random moments. Each has a worker of its own, so that its history stays short."""
    choose = random.Random(3)
    for number in range(count):
        with at_work(folder / f"worker-{number}", fault) as (hand, history, database):
            # Every other log is so long that a checkpoint has begun.
            for _ in range(choose.randrange(600, 800) if number % 2 else choose.randrange(40, 400)):
                history.take(hand.next("try", "did"))
            end = time.monotonic() + choose.random() * 0.003
            while (left := end - time.monotonic()) > 0:
                if (message := hand.hear(left)) is not None:
                    history.take(message)
            yield history, taken(hand, history, database, folder / f"copy-{number}")


def age(copy: Copy, history: History) -> int:
    """After how many operations the world was as it is in the copy, the latest first. Raises AssertionError for a
    file that is damaged, or that holds what never was."""
    whole(copy, SPACE)
    with SessionManager(f"sqlite:///{copy.folder}/sessions.db", secret=KEY, namespace=SPACE) as manager:
        seen: State = observe(manager, history)
    ages = [number for number, state in enumerate(history.states()) if state == seen]
    assert ages, "it holds a world that never was"
    return ages[-1]


def lost_tails(history: History, copy: Copy, folder: Path) -> Iterator[tuple[Copy, int]]:
    """Copies whose log lost what was not yet synced, wholly or in part, or holds garbage in its place."""
    choose = random.Random(len(history.done))
    length = copy.log.stat().st_size
    for number in range(TAILS):
        start = choose.randint(copy.synced, length)
        other = copy.again(folder / f"tail-{number}")
        if number == 0:
            cut(other, copy.synced)
        elif number % 3 == 0:
            cut(other, start)
        else:
            tear(other, start, choose.randbytes(length) if number % 3 == 1 else bytes(512))
        yield other, start


def test_what_is_on_disk_at_any_moment_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    """The database and its log, without the index in shared memory, as after a crash of the machine. And with the
    log cut off, torn, or zeroed by a sector, anywhere behind what was synced for the last acknowledgement."""
    for number, (history, copy) in enumerate(copies(tmp_path, COPIES)):
        folder = tmp_path / f"tails-{number}"
        folder.mkdir()
        others = [*lost_tails(history, copy, folder)]
        assert age(copy, history) >= len(history.done)
        for other, start in others:
            assert age(other, history) >= len(history.done), f"lost behind {start}, synced up to {copy.synced}"


def test_a_log_that_is_cut_anywhere_loses_its_end_and_nothing_else(tmp_path: Path) -> None:
    """Also where it was synced, as when a disk lies: the world is as it was after an earlier operation."""
    ages = []
    for number, (history, copy) in enumerate(copies(tmp_path, COPIES // 3)):
        length, choose = copy.log.stat().st_size, random.Random(number)
        places = sorted(choose.randint(copy.needed, length) for _ in range(CUTS))
        found = []
        for place in places:
            other = copy.again(tmp_path / f"cut-{number}-{place}")
            cut(other, place)
            found.append(age(other, history) - len(history.done))
        assert found == sorted(found)
        ages += found
    assert min(ages) < 0


def test_what_must_last_is_committed_under_full(tmp_path: Path) -> None:
    """docs/races.md says of each operation at which level its connection really commits it."""
    assert table.level_table(tmp_path) == table.part("levels")


def test_commits_that_do_not_wait_for_the_disk_are_caught(tmp_path: Path) -> None:
    """The harness can fail: with `synchronous=NORMAL` everywhere what was acknowledged is lost with the tail."""
    for number, (history, copy) in enumerate(copies(tmp_path, 1, "unsynced")):
        folder = tmp_path / f"tails-{number}"
        folder.mkdir()
        other, _ = next(lost_tails(history, copy, folder))
        assert age(other, history) < len(history.done)
