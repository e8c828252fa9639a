"""The tables, and the statements that the store asks."""

from __future__ import annotations

from ...rows import HEAD, Counts

VERSION = 2
"""Of the tables: in the comment of the first."""

_TABLES = """\
CREATE {kind} "{ns}_sessions" (
    handle text COLLATE "C" PRIMARY KEY,
    user_id bytea,                       -- UTF-8, of a live session; NULL once it has ended
    created_at double precision NOT NULL,
    forget_at double precision NOT NULL, -- a day after its deadline or its end
    reason text,                         -- why it ended
    successor text,                      -- the handle under which it goes on
    version bigint NOT NULL DEFAULT 0,   -- one more at each change
    record bytea                         -- NULL once it has ended
) WITH (fillfactor = 80);
CREATE INDEX "{ns}_sessions_user" ON "{ns}_sessions" (user_id, created_at, handle) WHERE user_id IS NOT NULL;
CREATE INDEX "{ns}_sessions_forget" ON "{ns}_sessions" (forget_at);
CREATE {kind} "{ns}_gates" (
    user_id bytea PRIMARY KEY,
    not_before double precision NOT NULL,
    seq bigint NOT NULL,
    patches bytea NOT NULL,
    forget_at double precision NOT NULL
);
CREATE INDEX "{ns}_gates_forget" ON "{ns}_gates" (forget_at);
CREATE {kind} "{ns}_tickets" (
    jti text COLLATE "C" PRIMARY KEY,
    nonce text NOT NULL,
    note text NOT NULL,
    at double precision NOT NULL,
    forget_at double precision NOT NULL
);
CREATE INDEX "{ns}_tickets_forget" ON "{ns}_tickets" (forget_at);
CREATE {kind} "{ns}_audit" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at double precision NOT NULL,
    name text NOT NULL,
    user_id bytea,
    handle text COLLATE "C",
    reason text,
    detail text NOT NULL                 -- JSON
);
CREATE INDEX "{ns}_audit_user" ON "{ns}_audit" (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX "{ns}_audit_handle" ON "{ns}_audit" (handle, id) WHERE handle IS NOT NULL;
CREATE INDEX "{ns}_audit_at" ON "{ns}_audit" (at);
COMMENT ON TABLE "{ns}_sessions" IS 'coatcheck {version}';
"""

_FEED = """\
CREATE FUNCTION "{ns}_tell"() RETURNS trigger LANGUAGE plpgsql AS \
'BEGIN IF TG_OP = ''TRUNCATE'' THEN PERFORM pg_notify(''{channel}'', ''*''); \
ELSE PERFORM pg_notify(''{channel}'', OLD.handle); END IF; RETURN NULL; END';
CREATE TRIGGER "{ns}_tell" AFTER UPDATE OR DELETE ON "{ns}_sessions" FOR EACH ROW
    WHEN (OLD.record IS NOT NULL) EXECUTE FUNCTION "{ns}_tell"();
CREATE TRIGGER "{ns}_tell_all" AFTER TRUNCATE ON "{ns}_sessions" EXECUTE FUNCTION "{ns}_tell"();
ALTER TABLE "{ns}_sessions" ENABLE ALWAYS TRIGGER "{ns}_tell", ENABLE ALWAYS TRIGGER "{ns}_tell_all";
"""


def channel(namespace: str) -> str:
    """To whom the server tells what changes."""
    return f"{namespace}_changes"


def feed_schema(namespace: str) -> str:
    """The SQL that has the server tell what changes, by NOTIFY."""
    return _FEED.format(ns=namespace, channel=channel(namespace))


def schema(namespace: str = "coatcheck", *, unlogged: bool = False, feed: bool = False) -> str:
    """The SQL that makes the tables, for your own migrations.

    `feed`: the server tells what changes, for a near cache, and to end open connections; it costs each write a NOTIFY.

    `unlogged`: faster writes, and after a crash of the server, or on a replica that was promoted, the tables are
    empty: everybody signs in again, and no ticket is known to have been used.
    """
    tables = _TABLES.format(ns=namespace, kind="UNLOGGED TABLE" if unlogged else "TABLE", version=VERSION)
    return tables + feed_schema(namespace) if feed else tables


def statements(sql: str) -> list[str]:
    """The statements of a schema, one by one."""
    return [one for one in sql.split(";\n") if one]


class Statements:
    """What the store asks of the tables of one namespace. The handle comes last where there is one."""

    def __init__(self, namespace: str) -> None:
        sessions, gates, tickets = (f'"{namespace}_{name}"' for name in ("sessions", "gates", "tickets"))
        row = "record, reason, forget_at, successor"

        self.look: str = (
            "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), "
            "current_setting('default_transaction_isolation'), "
            "(SELECT coalesce(obj_description(oid, 'pg_class'), '') FROM pg_class "
            f"WHERE relname = '{namespace}_sessions' AND relkind = 'r' AND pg_table_is_visible(oid))"
        )
        self.tells: str = (
            "SELECT pg_class.oid FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            f"WHERE relname = '{namespace}_sessions' AND pg_table_is_visible(pg_class.oid) "
            f"AND tgname IN ('{namespace}_tell', '{namespace}_tell_all') AND tgenabled = 'A' "
            "GROUP BY pg_class.oid HAVING count(*) = 2"
        )
        self.clock = "SELECT extract(epoch FROM clock_timestamp())::double precision"

        self.load: str = f"SELECT {row} FROM {sessions} WHERE handle = %s"
        self.get: str = f"SELECT {row}, version FROM {sessions} WHERE handle = %s"
        self.lock: str = f"{self.get} FOR UPDATE"
        self.create: str = (
            f"INSERT INTO {sessions} (handle, user_id, created_at, forget_at, record) "
            "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (handle) DO NOTHING"
        )
        self.put: str = (
            f"UPDATE {sessions} SET record = %s, forget_at = %s, version = version + 1 "
            "WHERE handle = %s AND version = %s"
        )
        ends = "record = NULL, user_id = NULL, reason = %s, successor = %s, forget_at = %s, version = version + 1"
        self.bury: str = f"UPDATE {sessions} SET {ends} WHERE handle = %s AND version = %s"
        self.successor: str = f"SELECT successor FROM {sessions} WHERE handle = %s AND reason = 'replaced'"

        # Locks the gate of a user, also of one never heard of. Whoever takes it takes it before any session's row.
        self.gate: str = (
            f"INSERT INTO {gates} VALUES (%s, 0, 0, '[]', %s) ON CONFLICT (user_id) DO UPDATE "
            f"SET forget_at = greatest({gates}.forget_at, excluded.forget_at) RETURNING not_before, seq, patches"
        )
        self.put_gate: str = f"UPDATE {gates} SET not_before = %s, seq = %s, patches = %s WHERE user_id = %s"
        self.see_gate: str = f"SELECT not_before, seq, patches FROM {gates} WHERE user_id = %s"

        self.place: str = f"SELECT created_at, handle FROM {sessions} WHERE handle = %s"
        self.page: str = (
            f"SELECT handle, record FROM {sessions} WHERE user_id = %s AND forget_at > %s "
            "AND record IS NOT NULL AND (created_at, handle) < (%s, %s) ORDER BY created_at DESC, handle DESC LIMIT %s"
        )
        self.over_limit: str = (
            f"SELECT handle FROM {sessions} WHERE user_id = %s AND forget_at > %s AND handle NOT IN (%s, %s) "
            "AND record IS NOT NULL ORDER BY created_at DESC, handle DESC OFFSET %s"
        )
        self.of_user: str = f"SELECT handle FROM {sessions} WHERE user_id = %s"
        # Rows are locked in the order of their handles everywhere: two who end many never wait for each other.
        self.lock_user: str = (
            f"SELECT handle FROM {sessions} WHERE user_id = %s AND handle <> %s ORDER BY handle FOR UPDATE"
        )
        self.lock_created: str = (
            f"SELECT handle FROM {sessions} WHERE record IS NOT NULL AND created_at <= %s AND handle > %s "
            "ORDER BY handle LIMIT %s FOR UPDATE"
        )
        # An UPDATE locks in the order in which it finds them: then two of these could wait for each other.
        self.lock_all: str = f"SELECT 1 FROM {sessions} WHERE handle = ANY(%s) ORDER BY handle FOR UPDATE"
        self.end_live: str = (
            f"UPDATE {sessions} SET {ends} WHERE handle = ANY(%s) AND record IS NOT NULL AND forget_at > %s "
            "RETURNING handle"
        )
        self.still_live: str = (
            f"SELECT 1 FROM {sessions} WHERE record IS NOT NULL AND created_at <= %s AND forget_at > %s LIMIT 1"
        )

        # The session's row is held until the mark is there: an end comes before both, or after both.
        self.redeem: str = (
            f"WITH session AS (SELECT {row} FROM {sessions} WHERE handle = %s FOR SHARE), "
            f"mark AS (INSERT INTO {tickets} SELECT %s, %s, %s, %s, %s FROM session "
            "WHERE record IS NOT NULL AND forget_at > %s "
            "ON CONFLICT (jti) DO UPDATE SET jti = excluded.jti RETURNING nonce, at, note) "
            "SELECT session.*, mark.* FROM session LEFT JOIN mark ON true"
        )
        self.taken: str = (
            f"SELECT {row}, nonce, at, note FROM {sessions} LEFT JOIN "
            f"(SELECT nonce, at, note FROM {tickets} WHERE jti = %s) mark ON true WHERE handle = %s"
        )

        forgotten = "WHERE forget_at <= %s"
        limit = "LIMIT %s FOR UPDATE SKIP LOCKED"
        self.purges: tuple[str, str, str] = (
            f"DELETE FROM {sessions} WHERE handle IN (SELECT handle FROM {sessions} {forgotten} {limit})",
            f"DELETE FROM {tickets} WHERE jti IN (SELECT jti FROM {tickets} {forgotten} {limit})",
            # A gate stays as long as any session of its user: later patches count on from it.
            f"DELETE FROM {gates} WHERE user_id IN (SELECT user_id FROM {gates} {forgotten} AND NOT EXISTS "
            f"(SELECT FROM {sessions} WHERE {sessions}.user_id = {gates}.user_id) {limit})",
        )
        self.counts: Counts = Counts(sessions, tickets, "%({})s")
        self.size: str = (
            f"SELECT pg_total_relation_size('{sessions}') + pg_total_relation_size('{gates}') "
            f"+ pg_total_relation_size('{tickets}')"
        )
        # Whole pages are drawn, so that it reads no more than it needs.
        self.sample: str = (
            f"SELECT handle, substring(record FROM 1 FOR {HEAD}) FROM {sessions} TABLESAMPLE SYSTEM (%s) "
            "WHERE record IS NOT NULL AND forget_at > %s"
        )
