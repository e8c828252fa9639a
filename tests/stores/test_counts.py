"""What the stores in SQL count exactly, and what they draw: the same counts whatever is over, ended or deleted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coatcheck.stores import postgresql, sqlite, sqlite_count
from coatcheck.stores.postgresql import plans
from tests.records import DAY, NOW, record

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/121.0"
SPACE = "shop"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """An empty one."""
    if request.param == "sqlite":
        made: Any = sqlite.SQLiteStore(tmp_path / "sessions.db", namespace=SPACE)
    else:
        made = postgresql.open_sync(request.getfixturevalue("postgres_url"), SPACE)
    yield made
    made.close()


def log_in(store: Any, user: str, **changes: Any) -> str:
    """A session's handle."""
    one = store.login(record(user, **changes), NOW, NOW, None, "").record
    return str(one.handle)


def test_users_all_of_whose_sessions_are_over_are_no_users(store: Any) -> None:
    """Time alone ended them, and their rows are still there; a user with one that lives counts once."""
    for user, expires in (("ada", 5.0), ("ada", 9.0), ("bob", 5.0), ("bob", DAY), ("eve", DAY), ("eve", DAY)):
        log_in(store, user, expires_at=NOW + expires)
    store.create(record(), NOW)
    store.end(log_in(store, "dora"), "dora", "logout", NOW)
    found = store.stats(NOW + 10)
    assert (found.sessions, found.authenticated, found.users, found.tombstones) == (4, 3, 2, 4)
    assert (found.exact, found.sampled) == (True, 4)


def test_of_many_sessions_some_are_drawn(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts are exact; ages and browsers are near what they are, also between holes that deletions have left."""
    for module in (plans, sqlite_count):
        monkeypatch.setattr(module, "SAMPLE", 200)
    handles = [
        log_in(
            store,
            f"user-{number % 97}",
            created_at=NOW - (2 * DAY if number % 4 == 0 else 10),
            user_agent=FIREFOX if number % 2 else None,
            fields='{"much":"%s"}' % ("x" * 9000 if number % 50 == 0 else ""),
        )
        for number in range(900)
    ]
    for handle in random.sample(handles, 300):
        store.end(handle, None, "logout", NOW)
    while store.purge(NOW + DAY + 1):
        pass
    found = store.stats(NOW + DAY / 2)
    assert found.sessions == 600
    assert found.users == 97
    assert found.exact
    # With fewer than 100 drawn of 600 one run in a billion would be this far off.
    assert 60 <= found.sampled < 600
    assert sum(found.ages) == sum(found.clients.values()) == 600
    assert found.ages.week < 400
    assert found.clients.keys() == {"Firefox", "none"}


def test_a_session_with_much_data_is_not_read_whole_in_order_to_count(store: Any) -> None:
    """A few with a quarter of a megabyte each would make a count slow: what is known of them comes first."""
    log_in(store, "ada", user_agent=FIREFOX, fields='{"much":"%s"}' % ("\N{SNOWMAN}" * 80_000))
    found = store.stats(NOW)
    assert (found.sampled, found.clients) == (1, {"Firefox": 1})
