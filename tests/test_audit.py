"""The audit trail: who signed in, what ended, why, and by whom; kept for a while, and never in a request's way."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, AuditEntry, AuditTrail, Client, Event, SessionManager
from coatcheck.errors import ConfigurationError, ReauthenticationRequired, StoreUnavailable
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.testing import FakeClock
from coatcheck.trail import outstanding

KEEP = timedelta(days=90)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def manager(tmp_path: Path, clock: FakeClock) -> Iterator[SessionManager]:
    with SessionManager(f"sqlite:///{tmp_path}/s.db", audit=KEEP, clock=clock) as made:
        yield made


def sign_in(manager: SessionManager, user: str = "ada") -> tuple[str, str]:
    """A new session's handle and token."""
    session = manager.load(None)
    session.login(user)
    token = str(manager.commit(session).token)
    return str(session.handle), token


def told(manager: SessionManager, **of: Any) -> list[tuple[str, str | None, str | None]]:
    """What the trail says, oldest first: name, user, reason."""
    assert manager.audit is not None
    assert manager.audit.flush()
    return [(one.name, one.user_id, one.reason) for one in reversed(manager.history(**of))]


def test_logins_and_ends_are_kept_with_who_and_why(manager: SessionManager) -> None:
    """A logout, a revocation with its words and its author, and a user's every session at once."""
    handle, token = sign_in(manager)
    session = manager.load(token)
    session.logout()
    manager.commit(session)
    second, _ = sign_in(manager)
    manager.revoke(second, "phone lost", by="support: eve")
    sign_in(manager, "bob")
    manager.revoke_user("bob", by="bob's boss")
    manager.revoke_all(by="the operator")
    assert told(manager) == [
        ("authenticated", "ada", None),
        ("ended", "ada", "logout"),
        ("authenticated", "ada", None),
        ("ended", "ada", "phone lost"),
        ("authenticated", "bob", None),
        ("ended", "bob", "revoked"),
        ("ended", None, "revoked"),
    ]
    assert [one.reason for one in manager.history(handle=handle)] == ["logout", None]
    assert [one.detail.get("by") for one in manager.history()] == [
        *("the operator", "bob's boss", None, "support: eve", None, None, None)
    ]


def test_a_sign_in_is_kept_with_its_address(manager: SessionManager) -> None:
    """And with the session that it came from (ASVS 16.2.1)."""
    session = manager.load(None, Client("192.0.2.7", "curl/8"))
    session["cart"] = [1]
    visitor = manager.load(manager.commit(session).token, Client("192.0.2.7", "curl/8"))
    visitor.login("ada")
    manager.commit(visitor)
    assert told(manager) == [("authenticated", "ada", None)]
    assert manager.history()[0].detail == {"ip": "192.0.2.7", "from": session.handle}


def test_tickets_are_kept_by_purpose(manager: SessionManager) -> None:
    """Its issue and its use, by its public id; never the ticket."""
    _, token = sign_in(manager)
    session = manager.load(token)
    ticket = manager.tickets.issue("download", {"file": "a"}, session=session)
    manager.tickets.redeem(ticket, "download", session=session)
    assert [name for name, *_ in told(manager)] == ["authenticated", "ticket_issued", "ticket_redeemed"]
    (used, issued, _) = manager.history()
    assert used.detail == {"jti": issued.detail["jti"], "purpose": "download"}


def test_a_ticket_is_outstanding_until_it_is_used_late_or_its_session_is_over(
    manager: SessionManager, clock: FakeClock
) -> None:
    """What the console and `coatcheck stats` count: nothing that could not be redeemed."""

    def left() -> int:
        told(manager)
        return len(outstanding(manager.history(), clock()))

    session = manager.load(sign_in(manager)[1])
    first, second = (manager.tickets.issue("download", {}, session=session) for _ in range(2))
    short = manager.tickets.issue("download", {}, session=session, ttl=timedelta(seconds=30))
    other = manager.load(sign_in(manager, "bob")[1])
    manager.tickets.issue("download", {}, session=other)
    assert short
    assert left() == 4
    manager.tickets.redeem(first, "download", session=session)
    assert left() == 3
    clock.advance(timedelta(seconds=31))
    assert left() == 2
    manager.revoke_user("bob")
    assert left() == 1
    manager.revoke_all()
    assert left() == 0
    assert second


def test_nothing_in_it_is_a_credential(manager: SessionManager, tmp_path: Path) -> None:
    """Who reads the trail, or its file, signs in as nobody (ASVS 16.2.5)."""
    _, token = sign_in(manager)
    session = manager.load(token)
    ticket = manager.tickets.issue("download", {}, session=session)
    assert manager.audit is not None
    manager.audit.flush()
    text = repr(manager.history()) + "".join(path.read_bytes().decode("latin-1") for path in tmp_path.glob("s.db*"))
    secret = token.split(".")[1]
    assert secret not in text
    assert ticket.rpartition(".")[2] not in text


def test_visitors_fill_no_disk(manager: SessionManager) -> None:
    """What anybody can set off without signing in is not kept: carts that come and go, forged tokens and tickets."""
    for _ in range(20):
        session = manager.load(None)
        session["cart"] = [1]
        token = manager.commit(session).token
        session = manager.load(token)
        session.clear()
        manager.commit(session)
        manager.load("x" * 86)
    assert told(manager) == []


def test_a_login_that_was_refused_is_kept(manager: SessionManager, clock: FakeClock) -> None:
    """It is what an attacker with a stolen password leaves behind."""
    session = manager.load(None)
    session.login("ada")
    clock.advance(timedelta(seconds=1))
    manager.revoke_user("ada")
    with pytest.raises(ReauthenticationRequired):
        manager.commit(session)
    assert told(manager) == [("login_refused", "ada", "revoked")]


def test_old_entries_go_when_the_retention_is_over(manager: SessionManager, clock: FakeClock) -> None:
    """Looked after about once an hour, by whoever adds to it."""
    sign_in(manager)
    told(manager)
    clock.advance(KEEP + timedelta(hours=2))
    sign_in(manager, "bob")
    told(manager)
    assert manager.audit is not None
    manager.audit.close()  # the writer has tidied up behind what it wrote
    assert told(manager) == [("authenticated", "bob", None)]


class Slow(MemoryStore):
    """A store whose trail answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.fails = 0

    def append(self, entries: list[AuditEntry], keep: float | None) -> None:
        if self.fails:
            self.fails -= 1
            raise StoreUnavailable("the trail's store is down")
        self.open.wait(30)
        super().append(entries, keep)


def event(n: int) -> Event:
    """The n-th."""
    return Event("ended", 1.9e9 + n, "h", "ada", str(n))


def test_no_request_waits_for_the_trail(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """While its store hangs entries wait, up to a bound; what comes beyond is counted, and said."""
    monkeypatch.setattr("coatcheck.audit._MOST_WAITING", 5)
    store = Slow()
    trail = AuditTrail(store)
    for n in range(9):
        trail(event(n))
    assert not trail.flush(0.0)
    store.open.set()
    assert trail.flush(30)
    trail(event(9))
    assert trail.flush(30)
    assert [one.reason for one in trail.entries()] == ["9", "4", "3", "2", "1", "0"]
    assert "4 entries of the audit trail were lost" in caplog.text
    trail.close()


def test_a_trail_whose_store_is_down_goes_on_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing that waits is lost, and nobody's request fails."""
    caplog.set_level(logging.WARNING, "coatcheck")
    monkeypatch.setattr("coatcheck.audit._PAUSE", 0.001)
    store = Slow()
    store.open.set()
    store.fails = 3
    trail = AuditTrail(store)
    trail(event(0))
    assert trail.flush(30)
    assert [one.reason for one in trail.entries()] == ["0"]
    assert caplog.text.count("the audit trail waits for its store") == 3
    trail.close()


def test_closing_does_not_sleep_through_the_stores_return(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a long outage the next attempt is a minute away; who closes asks for it now."""
    monkeypatch.setattr("coatcheck.audit._PAUSE", 3600.0)
    trail = AuditTrail(Refusing(StoreUnavailable("down")))
    trail(event(0))
    trail.close()
    assert "did not keep" not in caplog.text
    assert [one.reason for one in trail.entries()] == ["0"]


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    """A worker that is told to stop takes nothing with it."""
    url = f"sqlite:///{tmp_path}/s.db"
    with SessionManager(url, audit=KEEP) as manager:
        for n in range(50):
            sign_in(manager, f"user {n}")
    with SessionManager(url, audit=KEEP) as manager:
        assert len(manager.history(limit=100)) == 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_of_fork_writes_its_own_and_not_its_parents(tmp_path: Path) -> None:
    """What waited at the fork is written once."""
    url, held = f"sqlite:///{tmp_path}/s.db", Slow()
    trail = AuditTrail(held)
    trail(event(1))
    child = os.fork()
    if not child:
        code = 1
        try:
            trail._store = SQLiteStore(tmp_path / "s.db")
            trail(event(2))
            code = 0 if trail.flush(20) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    held.open.set()
    assert trail.flush(20)
    assert [one.reason for one in trail.entries()] == ["1"]
    assert [one.reason for one in AuditTrail(url).entries()] == ["2"]
    trail.close()


async def test_an_async_manager_reads_it_without_blocking_its_loop(tmp_path: Path) -> None:
    """The same trail, awaited, on a thread."""
    loop_thread, read_on = threading.get_ident(), list[int]()

    def looked(*of: Any) -> Any:
        read_on.append(threading.get_ident())
        return reading(*of)

    async with AsyncSessionManager(f"sqlite:///{tmp_path}/s.db", audit=KEEP) as manager:
        session = await manager.load(None)
        session.login("ada")
        await manager.commit(session)
        assert manager.audit is not None
        assert manager.audit.flush()
        reading = manager.audit._store.entries
        manager.audit._store.entries = looked
        assert [one.name for one in await manager.history("ada")] == ["authenticated"]
    assert read_on
    assert loop_thread not in read_on


def test_wrong_settings_say_what_to_do() -> None:
    """A retention that is none, a store that keeps none, and history without a trail."""
    with pytest.raises(ConfigurationError, match="above zero"):
        AuditTrail("memory://", retention=timedelta(0))
    with pytest.raises(ConfigurationError, match=r"pass audit=timedelta\(days=90\)"):
        SessionManager("memory://").history()
    for wrong in (True, "90 days", 90):
        with pytest.raises(ConfigurationError, match="audit="):
            SessionManager("memory://", audit=wrong)  # type: ignore[arg-type]


def test_while_sessions_move_the_trail_is_kept_where_they_go(tmp_path: Path) -> None:
    """What was kept in the old store stays there."""
    old, new = (f"sqlite:///{tmp_path}/{name}.db" for name in ("old", "new"))
    with SessionManager(f"{old} -> {new}", audit=KEEP, secret="a secret of this test, and of it alone") as manager:
        sign_in(manager)
    assert [one.user_id for one in AuditTrail(new).entries()] == ["ada"]


class Refusing(MemoryStore):
    """A store that raises what a test says, once each."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)

    def append(self, entries: list[AuditEntry], keep: float | None) -> None:
        if self.errors:
            raise self.errors.pop(0)
        super().append(entries, keep)


@pytest.mark.parametrize("errors", [1, 2])
def test_an_error_that_nobody_expects_loses_at_most_one_entry(errors: int, caplog: pytest.LogCaptureFixture) -> None:
    """The writer that died of it would be the last: what came after would wait for ever."""
    trail = AuditTrail(Refusing(*[ValueError("surrogates not allowed")] * errors))
    for n in range(3):
        trail(event(n))
    assert trail.flush(30)
    assert [one.reason for one in trail.entries()] == ["2", "1", "0"][: 4 - errors]
    assert caplog.text.count("an entry of the audit trail was lost") == errors - 1
    trail.close()


def test_a_thread_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a limit of threads no request is told, and nothing is lost when the limit is over."""
    trail = AuditTrail(MemoryStore())
    with monkeypatch.context() as limit:

        def fails(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        limit.setattr(threading.Thread, "start", fails)
        trail(event(0))
        assert not trail.flush(0.0)
    trail(event(1))
    assert trail.flush(30)
    assert [one.reason for one in trail.entries()] == ["1", "0"]
    trail.close()


def test_an_event_that_comes_while_it_closes_is_kept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the store hangs meanwhile: two writers would write the same entries, and take away each other's."""
    monkeypatch.setattr("coatcheck.audit._PATIENCE", 0.05)
    store = Slow()
    trail = AuditTrail(store)
    for n in range(3):
        trail(event(n))
    trail.close()
    trail(event(3))
    store.open.set()
    for n in range(4, 6):
        trail(event(n))
    assert trail.flush(30)
    assert [one.reason for one in trail.entries()] == ["5", "4", "3", "2", "1", "0"]
    trail.close()


def test_what_is_not_kept_at_the_end_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A store that is down when the process ends: how many nobody will find."""
    monkeypatch.setattr("coatcheck.audit._PATIENCE", 0.05)
    trail = AuditTrail(Refusing(*[StoreUnavailable("down")] * 9))
    for n in range(3):
        trail(event(n))
    trail.close()
    assert "did not keep 3 entries that wait" in caplog.text


def test_a_store_that_fails_half_way_is_given_one_entry_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each attempt would keep the first half of a batch once more, for as long as the rest fails."""
    monkeypatch.setattr("coatcheck.audit._PAUSE", 0.001)
    monkeypatch.setattr("coatcheck.audit._SHORTEST_PAUSE", 0.001)
    given: list[int] = []

    class Half(MemoryStore):
        def append(self, entries: list[AuditEntry], keep: float | None) -> None:
            given.append(len(entries))
            if len(given) == 1:
                held.wait(30)
            for one in entries:
                if one.reason == "3" and len(given) < 12:
                    raise StoreUnavailable("this node is down")
                super().append([one], keep)

    held = threading.Event()
    trail = AuditTrail(Half())
    trail(event(0))
    for n in range(1, 6):
        trail(event(n))
    held.set()
    assert trail.flush(30)
    kept = [one.reason for one in trail.entries()]
    assert sorted(map(str, set(kept))) == ["0", "1", "2", "3", "4", "5"]
    assert max(kept.count(one) for one in kept) <= 3
    trail.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_of_multiprocessing_writes_what_waits_before_it_ends(tmp_path: Path) -> None:
    """Its exit is os._exit, without what atexit was told in its parent."""
    url = f"sqlite:///{tmp_path}/s.db"
    code = f"""
import multiprocessing
from datetime import timedelta
from coatcheck import SessionManager
manager = SessionManager({url!r}, audit=timedelta(days=90))
def work():
    session = manager.load(None)
    session.login("ada")
    manager.commit(session)
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert [one.name for one in AuditTrail(url).entries()] == ["authenticated"]
