"""A PostgreSQL that is slow, down, strange or misconfigured: plain words, in time, and no harm done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from coatcheck.change import Change
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.record import Ended
from coatcheck.stores import postgresql as postgresql_store
from coatcheck.stores.postgresql import PostgreSQLStore, open_async, open_sync, plans, schema
from coatcheck.token import new_handle
from tests.faults.cast import until
from tests.records import DAY, NOW, record
from tests.servers import PostgresServer
from tests.stores.faulty import SECRET, Load, loading, told

IN_ALL = 2.2
"""Seconds that any call may take, with a little for a busy machine."""

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """A server of this module's own, to be paused and stopped."""
    with PostgresServer() as server:
        server.sql(schema())
        yield server


@pytest.fixture
def server(own: PostgresServer) -> PostgresServer:
    """The same, with tables."""
    own.empty()
    own.sql(schema())
    return own


@pytest.fixture(params=["sync", "async"])
def load(request: pytest.FixtureRequest) -> Iterator[Load]:
    """Over either store."""
    with loading(request.param, postgresql_store, "coatcheck") as over:
        yield over


# -- slow, gone, back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True], ids=["first call", "later call"])
def test_a_paused_server_is_given_up_within_two_seconds(server: PostgresServer, load: Load, known: bool) -> None:
    """It holds the connection and answers nothing; when it goes on, so do we."""
    read, handle = load(server.url), new_handle(None)
    if known:
        read(handle)
    server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"did not answer in time|no connection"):
            read(handle)
        assert time.monotonic() - began < IN_ALL
    finally:
        server.resume()
    assert _soon(read, handle) is None


def _soon(read: Callable[[str], Any], handle: str) -> Any:
    """What is read once the pool has connected again, for which it may take a moment."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return read(handle)
        except StoreUnavailable:
            assert time.monotonic() < deadline


def test_every_thread_hears_of_a_paused_server_in_time(server: PostgresServer) -> None:
    """Also those that wait for one of the ten connections."""
    store, subject = open_sync(server.url, "coatcheck"), record()
    store.create(subject, NOW)
    waits: list[float] = []

    def work(number: int) -> None:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            store.commit(subject.handle, Change(set={"n": number}), NOW)
        waits.append(time.monotonic() - began)

    server.pause()
    try:
        with ThreadPoolExecutor(40) as threads:
            list(threads.map(work, range(40)))
    finally:
        server.resume()
        store.close()
    assert len(waits) == 40
    assert max(waits) < IN_ALL


def test_a_server_that_was_restarted_is_used_again(server: PostgresServer, load: Load) -> None:
    """Stale connections are noticed before anything is sent: no request fails for them, and none is sent twice."""
    read, handle = load(server.url), new_handle(None)
    assert read(handle) is None
    server.stop()
    server.start()
    assert read(handle) is None
    server.kill()
    with pytest.raises(StoreUnavailable, match=r"cannot be reached|is shutting down or starting"):
        read(handle)
    server.start()
    assert _soon(read, handle) is None


def test_a_transaction_that_breaks_off_leaves_nothing(server: PostgresServer) -> None:
    """The connection dies between two statements of a login: neither the session nor its gate is there, and no lock."""
    store = open_sync(server.url, "coatcheck")
    subject = record("ada")
    plan = store._plans.login(subject, NOW, NOW, None, "", None)
    with psycopg.connect(server.url, autocommit=True) as connection:
        step = next(plan)
        for _ in range(2):
            cursor = connection.execute(*step)
            step = plan.send(cursor.fetchall() if cursor.description else cursor.rowcount)
    plan.close()
    assert store.load(subject.handle) is None
    assert store.login(subject, NOW, NOW, None, "").record == subject
    store.close()


# -- not fit ---------------------------------------------------------------------------------------------------


def test_missing_tables_are_named_with_the_command_that_makes_them(server: PostgresServer, load: Load) -> None:
    """And once they are there, the same store serves."""
    server.empty()
    read, handle = load(server.url), new_handle(None)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="coatcheck migrate"):
            read(handle)
    server.sql(schema())
    assert read(handle) is None


def test_tables_that_are_made_at_the_first_use_are_made_once(server: PostgresServer) -> None:
    """`?create=1`, by many threads of several stores at the same time."""
    server.empty()
    stores = [open_sync(f"{server.url}?create=1", "coatcheck") for _ in range(4)]
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda number: stores[number % 4].load(new_handle(None)), range(32))) == {None}
    for store in stores:
        store.close()


def test_tables_of_another_version_are_refused(server: PostgresServer, load: Load) -> None:
    """What a newer release made, an older one must not write to."""
    server.sql("COMMENT ON TABLE coatcheck_sessions IS 'coatcheck 99'")
    with pytest.raises(ConfigurationError, match="of another version"):
        load(server.url)(new_handle(None))


def test_a_stricter_isolation_is_refused_by_name(server: PostgresServer, load: Load) -> None:
    """Under it, whoever waited for a lock would be sent away."""
    server.sql("ALTER DATABASE postgres SET default_transaction_isolation = 'repeatable read'")
    try:
        with pytest.raises(ConfigurationError, match="read committed"):
            load(server.url)(new_handle(None))
    finally:
        server.sql("ALTER DATABASE postgres RESET default_transaction_isolation")


def test_a_client_that_vanishes_in_the_middle_holds_its_locks_for_seconds(server: PostgresServer) -> None:
    """A transaction says so itself: the default is for ever, and a user's gate would be shut as long."""
    store = open_sync(server.url, "coatcheck")
    plan = store._plans.login(record("ada"), NOW, NOW, None, "", None)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(*next(plan))
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("5s",)
    store.close()


def test_what_takes_long_is_given_the_time(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`revoke_all`, `revoke_user` and `update_user` of many sessions: two seconds are for each step, not for all."""
    store = open_sync(server.url, "coatcheck")
    for _ in range(60):
        store.login(record("ada"), NOW, NOW, None, "")
    monkeypatch.setattr(plans, "_ENDED_AT_ONCE", 5)
    began, waited = time.monotonic(), [0.0]
    # As if each statement took a fifth of a second.
    monkeypatch.setattr(time, "monotonic", lambda: began + waited[0])
    carry = psycopg.Cursor.execute

    def slow(self: Any, *arguments: Any, **keywords: Any) -> Any:
        waited[0] += 0.2
        return carry(self, *arguments, **keywords)

    monkeypatch.setattr(psycopg.Cursor, "execute", slow)
    assert store.update_user("ada", {"role": "editor"}, NOW, NOW + DAY) == 60
    assert store.revoke_all(NOW, "revoked", NOW + 1) == 60
    assert waited[0] > 20
    monkeypatch.undo()
    store.close()


@pytest.mark.parametrize("credentials", ["postgres:wrong-pa55", "somebody:wrong-pa55"])
def test_a_wrong_password_is_said_without_the_password(server: PostgresServer, load: Load, credentials: str) -> None:
    """The wrong one, or a user that is not there."""
    url = f"postgresql://{credentials}@127.0.0.1:{server.port}/postgres"
    with pytest.raises(StoreUnavailable, match="refused the user or the password") as refused:
        load(url)(new_handle(None))
    assert "pa55" not in told(refused.value)


def test_a_database_that_is_not_there_is_named_as_the_fault(server: PostgresServer, load: Load) -> None:
    """With what to do."""
    with pytest.raises(StoreUnavailable, match="createdb"):
        load(server.url.removesuffix("postgres") + "nowhere")(new_handle(None))


def test_a_user_without_rights_is_told_which(server: PostgresServer) -> None:
    """And what was to be stored is not in the error."""
    server.sql("DROP ROLE IF EXISTS reader")
    server.sql("CREATE ROLE reader LOGIN PASSWORD 'secret'")
    server.sql("GRANT USAGE ON SCHEMA public TO reader")
    server.sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    store = open_sync(server.url.replace("postgres:secret", "reader:secret"), "coatcheck")
    with pytest.raises(StoreUnavailable, match="SELECT, INSERT, UPDATE and DELETE") as refused:
        store.create(record(fields=f'{{"note":"{SECRET}"}}'), NOW)
    assert SECRET not in told(refused.value)
    store.close()


def test_a_database_that_takes_no_writes_is_named_as_the_fault(server: PostgresServer) -> None:
    """As after a failover, for whoever is still connected to the old primary."""
    server.sql("ALTER DATABASE postgres SET default_transaction_read_only = on")
    store = open_sync(server.url, "coatcheck")
    try:
        with pytest.raises(StoreUnavailable, match="primary"):
            store.create(record(), NOW)
    finally:
        store.close()
        server.sql("BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT")


def test_a_replica_is_never_read(server: PostgresServer, load: Load) -> None:
    """Neither by a store that begins there, nor by one whose server has become one: it may not know who was ended."""
    known, handle = load(server.url), new_handle(None)
    assert known(handle) is None
    signal = server.folder / "data" / "standby.signal"
    server.stop()
    signal.touch()
    server.start()
    try:
        for read in (known, load(server.url)):
            with pytest.raises(StoreUnavailable, match="replica"):
                read(handle)
    finally:
        server.stop()
        signal.unlink()
        server.start()
    assert _soon(known, handle) is None


# -- others' locks ---------------------------------------------------------------------------------------------


def test_a_lock_that_somebody_holds_is_given_up_in_time(server: PostgresServer) -> None:
    """An operator's transaction on a session's row: the request gets a 503, which says that nobody knows."""
    store, subject = open_sync(server.url, "coatcheck"), record()
    store.create(subject, NOW)
    with psycopg.connect(server.url) as operator:
        operator.execute("SELECT 1 FROM coatcheck_sessions FOR UPDATE")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            store.end(subject.handle, None, "logout", NOW)
        assert time.monotonic() - began < IN_ALL
    assert store.end(subject.handle, None, "logout", NOW) in (subject, Ended("logout", NOW))
    store.close()


def test_two_who_end_many_never_wait_for_each_other_for_ever(server: PostgresServer) -> None:
    """`revoke_all`, `revoke_user` and purges of many sessions at once: rows are locked in one order."""
    store: PostgreSQLStore = open_sync(server.url, "coatcheck")
    for number in range(200):
        store.login(record(f"user-{number % 5}"), NOW, NOW, None, "")

    def work(number: int) -> int:
        if number % 2:
            return store.revoke_all(NOW, "all", NOW + 1)
        return len(store.revoke_user(f"user-{number % 5}", None, "one", NOW + 1, NOW + DAY))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(work, range(16))) == 200
    assert store.stats(NOW + 2).sessions == 0
    store.close()


def test_a_login_over_the_limit_and_revoke_all_do_not_wait_for_each_other(server: PostgresServer) -> None:
    """An UPDATE of several rows locks them as it finds them, here from the last that was written to the first: it takes
    them in the order of all others before."""
    store: PostgreSQLStore = open_sync(server.url, "coatcheck")
    for _ in range(60):
        store.login(record("ada"), NOW, NOW, None, "")
    handles = [handle for (handle,) in server.sql("SELECT handle FROM coatcheck_sessions ORDER BY ctid")]
    # Somebody holds one row: whoever comes has locked those before it, and waits.
    held = min(handles[1:12])
    with psycopg.connect(server.url) as holder, ThreadPoolExecutor(2) as threads:
        holder.execute("SELECT 1 FROM coatcheck_sessions WHERE handle = %s FOR UPDATE", (held,))

        def waiting(count: int) -> bool:
            ((found,),) = server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return bool(found == count)

        all_ended = threads.submit(store.revoke_all, NOW, "all", NOW + 1)
        until(lambda: waiting(1))
        login = threads.submit(store.login, record("ada", at=NOW + 2), NOW + 2, NOW + 2, 1, "over")
        until(lambda: waiting(2))
        holder.rollback()
        assert login.result().record is not None
        assert all_ended.result() + len(login.result().over_limit) == 60
    store.close()


# -- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret-pa55@db:port/x",
        "postgresql://u:top@s3cret-pa55@db/x",
        "postgresql://u:s3cret-pa55@db/x?sslmoed=require",
        "postgresql://u:s3cret-pa55@db/x?pool_size=many",
        "postgresql://u:s3cret-pa55@db/x?pool_size=0",
        "postgresql://u:s3cret-pa55@[db/x",
        "postgresql://u:s3cret%pa55@db/x",
    ],
)
@pytest.mark.parametrize("opener", [open_sync, open_async])
def test_a_url_that_makes_no_sense_is_refused_without_its_password(opener: Callable[..., Any], url: str) -> None:
    """At once, not at the first request."""
    with pytest.raises(ConfigurationError, match="percent-encoded") as refused:
        opener(url, "coatcheck")
    assert "pa55" not in told(refused.value)
