"""What PostgreSQL is set to, as far as sessions depend on it: for `coatcheck doctor`."""

from __future__ import annotations

import time
from collections.abc import Generator

from ...errors import CoatcheckError
from ...health import Check, clock, on_this_machine
from .plans import Ask, Plan
from .server import Server

_SETTINGS = ("server_version", "synchronous_commit", "fsync", "full_page_writes")


def look(server: Server, namespace: str) -> Plan[list[Check]]:
    """What was looked at, on a server that answers."""
    began = time.monotonic()
    rows = yield Ask("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(_SETTINGS),))
    found = [Check("ok", "reachable", f"{server.where}, {(time.monotonic() - began) * 1000:.1f} ms")]
    settings = dict(rows)
    try:
        yield from server.look()
    except CoatcheckError as error:
        return [*found, Check("fail", "server", str(error))]
    found.append(Check("ok", "server", f"PostgreSQL {settings.get('server_version')}, and the tables are there"))
    ((kind, encrypted),) = yield Ask(
        "SELECT (SELECT relpersistence = 'u' FROM pg_class WHERE relname = %s AND pg_table_is_visible(oid)), "
        "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())",
        (f"{namespace}_sessions",),
    )
    found += _durability(settings, unlogged=bool(kind))
    before = time.time()
    ((there,),) = yield Ask(server.sql.clock)
    found.append(clock(there, before, time.time()))
    if encrypted or on_this_machine(server.where):
        found.append(Check("ok", "encryption", "the connection is encrypted" if encrypted else "on this machine"))
    else:
        text, remedy = "every session can be read on the way", "Add ?sslmode=verify-full to the store's URL"
        found.append(Check("warn", "encryption", text, remedy))
    return found


def _durability(settings: dict[str, str], *, unlogged: bool) -> Generator[Check, None, None]:
    if unlogged:
        text = "the tables are UNLOGGED: after a crash, or on a promoted replica, everybody signs in again"
        yield Check("warn", "durability", text, "ALTER TABLE ... SET LOGGED, unless that was meant")
    elif settings.get("synchronous_commit") == "off":
        text = "synchronous_commit is off: a crash may lose acknowledged revocations"
        yield Check("warn", "durability", text, "Set it to on for this user")
    elif "off" in (settings.get("fsync"), settings.get("full_page_writes")):
        text = "fsync or full_page_writes is off: a power cut may destroy the database"
        yield Check("warn", "durability", text, "Set both to on, in postgresql.conf")
    else:
        yield Check("ok", "durability", f"synchronous_commit {settings.get('synchronous_commit')}")
