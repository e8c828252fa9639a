"""`coatcheck move`, over real stores, with its processes killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, MovingStore, SessionManager
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.mover import TICKETS, Mover
from coatcheck.moves import Departed
from coatcheck.moving import Moving
from coatcheck.record import Record
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing.clock import FakeClock
from coatcheck.testing.kit import KEY
from tests.records import NOW, record


def command(*arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "coatcheck", "move", *arguments]


def move(*arguments: str, expect: int = 0) -> str:
    """What `coatcheck move` says."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def manager(url: str, **settings: Any) -> SessionManager:
    """One with a key that guards nothing."""
    return SessionManager(url, secret=KEY, **settings)


def signed_in(one: SessionManager, user: str, **fields: Any) -> str:
    """The token of a new session."""
    session = one.load(None)
    session.login(user)
    session.update(fields)
    return one.commit(session).token or ""


def crowd(url: str, count: int) -> list[Record]:
    """Sessions that are there."""
    made = [record(f"user-{number // 3}", at=time.time() // 1 - 60) for number in range(count)]
    with manager(url) as one:
        store: Any = one.store
        for place in range(0, count, 500):
            store.arrive([Departed(0.0, 0.0, each) for each in made[place : place + 500]], time.time())
    return made


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """An old store."""
    return f"sqlite:///{tmp_path}/sessions.db"


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("cluster", marks=pytest.mark.redis),
        pytest.param("postgresql", marks=pytest.mark.postgresql),
    ]
)
def other(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Another store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.db"
    names = {"redis": "redis_url", "cluster": "cluster_url", "postgresql": "postgres_url"}
    url: str = request.getfixturevalue(names[request.param])
    return url


@pytest.mark.parametrize("forth", [True, False], ids=["to", "from"])
def test_everybody_goes_over_and_back(sqlite: str, other: str, forth: bool) -> None:
    """Sessions, what they write on the way, lists, revocations and used tickets; then the same the other way."""
    old, new = (sqlite, other) if forth else (other, sqlite)
    with manager(old) as before:
        tokens = {name: signed_in(before, name, at="old") for name in ("ada", "bob", "eve")}
        visitor = before.load(None)
        visitor["cart"] = [1]
        cart = before.commit(visitor).token or ""
        ticket = before.tickets.issue("download", {}, session=before.load(tokens["ada"]))
        before.tickets.redeem(ticket, "download")
    for here, there, mark in ((old, new, "forth"), (new, old, "back")):
        with manager(f"{here} -> {there}") as both:
            assert both.stats().sessions == 4 + (mark == "back")
            for name, token in tokens.items():
                with both.open(token) as session:
                    session[mark] = name
            assert "nothing is left" in move(here, there)
            assert "nothing is left" in move(here, there)
            assert "nothing is left" in move("--check", here, there, expect=1)
            assert dict(both.load(cart)) == {"cart": [1]}
            assert [len(both.sessions(name)) for name in tokens] == [1, 2 if mark == "back" else 1, 1]
            late = signed_in(both, "bob", at=mark)
            if mark == "back":
                assert both.revoke_user("eve") == 1
        with manager(there) as after:
            for name, token in tokens.items():
                session = after.load(token)
                assert session.is_new is (name == "eve" and mark == "back")
                if not session.is_new:
                    assert session[mark] == name
            assert after.load(late)["at"] == mark
            assert dict(after.load(cart)) == {"cart": [1]}
        with manager(here) as behind, pytest.raises(StoreUnavailable, match="moved to another store"):
            behind.load(tokens["ada"])


def test_a_move_that_is_killed_goes_on(sqlite: str, tmp_path: Path) -> None:
    """Again and again, at any moment; in the end everybody is there, as they were."""
    new = f"sqlite:///{tmp_path}/new.db"
    made = crowd(sqlite, 6000)
    manager(f"{sqlite} -> {new}").stats()
    kills = 0
    for wait in (0.35, 0.4, 0.45, 0.5, 0.6):
        with subprocess.Popen(command(sqlite, new), stdout=subprocess.DEVNULL) as process:
            time.sleep(wait)
            kills += process.poll() is None
            process.send_signal(signal.SIGKILL)
    assert "nothing is left" in move(sqlite, new)
    with manager(new) as one:
        assert all(one.store.load(each.handle) == each for each in made)
        assert one.stats().authenticated == len(made)


def test_a_move_that_is_stopped_says_how_to_go_on(sqlite: str, tmp_path: Path) -> None:
    """Ctrl-C ends it between two steps."""
    new = f"sqlite:///{tmp_path}/new.db"
    crowd(sqlite, 3000)
    manager(f"{sqlite} -> {new}").stats()
    for wait in (0.3, 0.4, 0.5, 0.7, 1.0, 2.0):
        with subprocess.Popen(
            command(sqlite, new), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as one:
            time.sleep(wait)
            one.send_signal(signal.SIGINT)
            _, said = one.communicate()
        if one.returncode == 130:
            assert said.endswith("Run it again: it goes on from here\n")
        if one.returncode in (0, 130):
            break
    assert "nothing is left" in move(sqlite, new)


def test_a_move_that_nobody_serves_is_refused(sqlite: str, tmp_path: Path) -> None:
    """Who was moved would get 503 from those that know only the old store; nothing is moved."""
    new = f"sqlite:///{tmp_path}/new.db"
    with manager(sqlite) as one:
        token = signed_in(one, "ada")
        assert 'Give "OLD -> NEW" to every process' in move(sqlite, new, expect=2)
        assert "1 sessions are left" in move("--check", sqlite, new, expect=1)
        assert one.load(token).user_id == "ada"
        assert "1 sessions moved" in move("--stopped", sqlite, new)


def test_a_store_is_not_moved_to_itself(sqlite: str, tmp_path: Path) -> None:
    """Under another spelling of its name either: each session would be left for itself."""
    with manager(sqlite) as one:
        token = signed_in(one, "ada")
        itself = f"sqlite:///{tmp_path}/../{tmp_path.name}/sessions.db"
        assert "same store" in move("--stopped", sqlite, itself, expect=2)
        assert "OLD -> NEW" in move("--stopped", sqlite, sqlite, expect=2)
        assert one.load(token).user_id == "ada"


def test_a_move_goes_to_one_store(sqlite: str, tmp_path: Path) -> None:
    """Neither another run nor a process of the application may have another one as the new store."""
    new, third = f"sqlite:///{tmp_path}/new.db", f"sqlite:///{tmp_path}/third.db"
    with manager(sqlite) as one:
        signed_in(one, "ada")
    move("--stopped", sqlite, new)
    assert "begun to another store" in move("--stopped", sqlite, third, expect=2)
    with manager(f"{sqlite} -> {third}") as wrong, pytest.raises(StoreUnavailable, match="to another one"):
        signed_in(wrong, "bob")


def test_the_new_url_waits_for_the_last_ticket() -> None:
    """An hour after nothing is left, and again if something was."""
    clock = FakeClock()
    old, new = MemoryStore(), MemoryStore()
    mover = Mover(MovingStore(old, new), clock)
    mover.begin()
    assert mover.done_since() is None
    since = mover.finish()
    clock.advance(100)
    assert mover.finish() == mover.done_since() == since
    assert TICKETS == 3600
    mover.undone()
    assert mover.finish() == since + 100


def test_settings_name_both_stores(sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one text, wherever a URL may stand; the old store's own secret goes on."""
    new = f"sqlite:///{tmp_path}/new.db"
    with SessionManager(sqlite) as before:
        token = signed_in(before, "ada")
    monkeypatch.setenv("COATCHECK_STORE", f"{sqlite} -> {new}")
    with SessionManager() as both:
        assert isinstance(both.store, MovingStore)
        assert both.load(token).user_id == "ada"
    done = subprocess.run(command(), capture_output=True, text=True, check=True, env=dict(os.environ))
    assert "1 sessions moved" in done.stdout
    assert "sessions.db.key" in done.stdout
    for wrong in (f"{sqlite} -> memory://", f"{sqlite} -> {sqlite}", f"{sqlite} -> {new} -> {sqlite}"):
        with pytest.raises(ConfigurationError, match="OLD -> NEW"):
            SessionManager(wrong)
    with pytest.raises(ConfigurationError, match="no store"):
        SessionManager(f"{sqlite} -> nothing://here")
    assert "AsyncMovingStore" in repr(AsyncSessionManager())


def test_a_pair_of_stores_has_to_fit() -> None:
    """Both of one kind, both movable, and not the same one."""
    one = MemoryStore()
    with pytest.raises(ConfigurationError, match="same store"):
        MovingStore(one, one)
    wrong: Any = object()
    with pytest.raises(ConfigurationError, match="object is none"):
        MovingStore(one, wrong)


def test_who_was_left_on_the_way_comes_back_too() -> None:
    """The mover was killed, and the next one goes the other way."""
    old, new = MemoryStore(), MemoryStore()
    forth, back = MovingStore(old, new), MovingStore(new, old)
    made = [record("ada", at=NOW) for _ in range(5)]
    for one in made:
        forth.login(one, NOW, NOW, None, "")
    clock = FakeClock()
    Mover(forth, clock).begin()
    old.depart([one.handle for one in made[:2]], clock())
    forth.load(made[0].handle)
    forth.drive(Moving().bring([made[2].handle], clock()))
    clock.advance(10)
    mover = Mover(back, clock)
    mover.begin()
    clock.advance(1)
    assert sum(here for _, here in mover.walk()) == 3
    mover.finish()
    assert [old.load(one.handle) for one in made] == made
    assert not new.sessions("ada", NOW, 9, None)


def test_a_use_of_a_ticket_is_known_in_both(sqlite: str, tmp_path: Path) -> None:
    """What was redeemed before its session went over is not redeemed again after it."""
    new = f"sqlite:///{tmp_path}/new.db"
    with manager(f"{sqlite} -> {new}") as both:
        token = signed_in(both, "ada")
        tickets = [both.tickets.issue("download", {"n": n}, session=both.load(token)) for n in range(2)]
        both.tickets.redeem(tickets[0], "download")
        move(sqlite, new)
        with pytest.raises(Exception, match="used before"):
            both.tickets.redeem(tickets[0], "download")
        assert json.dumps(both.tickets.redeem(tickets[1], "download").claims) == '{"n": 1}'
