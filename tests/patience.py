"""Stores without their time limits, for tests that are not about time on a machine that may be busy."""

from __future__ import annotations

import pytest

from coatcheck.stores import sqlite_async, sqlite_file
from coatcheck.stores.postgresql import asynchronous as postgresql_async
from coatcheck.stores.postgresql import blocking as postgresql
from coatcheck.stores.redis import asynchronous, blocking, client, lane, line, talk

LONG = 60.0
"""Seconds in place of each limit."""

LIMITS = {"CONNECT", "REPLY", "AGAIN", "SLOW_LOOK", "CALL", "PATIENCE"}
MODULES = (
    *(sqlite_file, sqlite_async),
    *(postgresql, postgresql_async),
    *(talk, lane, line, client, blocking, asynchronous),
)


def patient(monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Take the limits away: for a test, or, without `monkeypatch`, for good in a process of the tests' own."""
    change = monkeypatch.setattr if monkeypatch else setattr
    for module in MODULES:
        for name in LIMITS & {*vars(module)}:
            change(module, name, LONG)
