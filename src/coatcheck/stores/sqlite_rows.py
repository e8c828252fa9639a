"""The tables of the SQLite store."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS "{ns}_sessions" (
    handle TEXT PRIMARY KEY,
    user_id TEXT,               -- of a live session, NULL once it has ended
    created_at REAL NOT NULL,
    forget_at REAL NOT NULL,    -- a day after its deadline or its end
    reason TEXT,                -- why it ended
    successor TEXT,             -- the handle under which it goes on
    record BLOB                 -- NULL once it has ended
);  -- with its rowid: a B-tree of whole rows would put every record above a kilobyte on pages of its own
CREATE INDEX IF NOT EXISTS "{ns}_sessions_user" ON "{ns}_sessions" (user_id, created_at, handle)
    WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS "{ns}_sessions_forget" ON "{ns}_sessions" (forget_at);
CREATE TABLE IF NOT EXISTS "{ns}_gates" (
    user_id TEXT PRIMARY KEY,
    not_before REAL NOT NULL,
    seq INTEGER NOT NULL,
    patches TEXT NOT NULL,
    forget_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "{ns}_gates_forget" ON "{ns}_gates" (forget_at);
CREATE TABLE IF NOT EXISTS "{ns}_tickets" (
    jti TEXT PRIMARY KEY,
    nonce TEXT NOT NULL,
    note TEXT NOT NULL,
    at REAL NOT NULL,
    forget_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "{ns}_tickets_forget" ON "{ns}_tickets" (forget_at);
CREATE TABLE IF NOT EXISTS "{ns}_audit" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    name TEXT NOT NULL,
    user_id TEXT,
    handle TEXT,
    reason TEXT,
    detail TEXT NOT NULL        -- JSON
);
CREATE INDEX IF NOT EXISTS "{ns}_audit_user" ON "{ns}_audit" (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS "{ns}_audit_handle" ON "{ns}_audit" (handle) WHERE handle IS NOT NULL;
CREATE INDEX IF NOT EXISTS "{ns}_audit_at" ON "{ns}_audit" (at);
"""
