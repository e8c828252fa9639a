"""A session that this version cannot read, as after a roll-back: it keeps its user from nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from coatcheck import Policy, SessionManager
from coatcheck.errors import StoreUnavailable
from coatcheck.testing.kit import KEY
from tests.redis_tools import connected

Break = Callable[[str], None]


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[SessionManager, Break]:
    """A manager over each store, and a way to damage one session in it."""
    if request.param == "sqlite":
        path = tmp_path / "sessions.db"

        def damage(handle: str) -> None:
            with sqlite3.connect(path) as db:
                db.execute("UPDATE coatcheck_sessions SET record = ? WHERE handle = ?", (b'{"v":2}', handle))

        return SessionManager(f"sqlite:///{path}", secret=KEY, policy=Policy(max_sessions=3)), damage
    url = request.getfixturevalue("redis_url")
    namespace = tmp_path.name

    def spoil(handle: str) -> None:
        with connected(url) as client:
            [key] = client.keys(f"{namespace}:*:s:{handle}")
            raw = client.get(key)
            assert isinstance(raw, bytes)
            client.set(key, raw[:22] + b'{"v":2}', keepttl=True)

    return SessionManager(url, secret=KEY, namespace=namespace, policy=Policy(max_sessions=3)), spoil


def sign_in(manager: SessionManager) -> str:
    """The token of a new session of ada's."""
    session = manager.load(None)
    session["role"] = "admin"
    session.login("ada")
    return manager.commit(session).token or ""


def test_an_unreadable_session_keeps_its_user_from_nothing_else(stored: tuple[SessionManager, Break]) -> None:
    """She signs in, up to the limit, sees the others, loses a role in them, and can be signed out everywhere."""
    manager, damage = stored
    first, second = sign_in(manager), sign_in(manager)
    damage(first[:22])
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        manager.load(first)
    third = sign_in(manager)
    assert {info.handle for info in manager.sessions("ada")} == {second[:22], third[:22]}
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        manager.update_user("ada", {"role": "reader"})
    assert [manager.load(token)["role"] for token in (second, third)] == ["reader", "reader"]
    assert manager.revoke_user("ada") == 3
    assert [manager.load(token).user_id for token in (first, second, third)] == [None] * 3
    manager.close()
