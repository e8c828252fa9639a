"""What the two stores are told of a move: that it was begun, where it goes, and when nothing was left. No I/O.

It is in a record of each store, which opens nothing. A plan is as in `moving`.
"""

from __future__ import annotations

from collections.abc import Generator
from hashlib import sha256
from typing import Any, Literal, TypeVar

from .change import Change
from .codec import Wire, dumps, loads_wire
from .errors import ConfigurationError, StoreUnavailable
from .record import Record, Secret
from .store import Held
from .token import hash_secret, made_handle, new_handle, new_secret

Side = Literal["old", "new"]
OLD: Side = "old"
NEW: Side = "new"
T = TypeVar("T")
Plan = Generator[tuple[Side, str, tuple[Any, ...]], Any, T]

FLAG = made_handle(sha256(b"coatcheck move").digest())
"""The handle of the record that says whether sessions are to leave the store that it is in."""
_STATE, _BEGUN, _SERVED, _DONE = "move", "begun", "served", "done"
_ID, _TO = "id", "to"
"""What a store is told from others by, and where the sessions of the old one go."""
_FAR = 9_999_999_999.0
"""Seconds since the epoch: an instant before which no `revoke_all` will ask to end anything."""


def is_begun() -> Plan[bool]:
    """Whether sessions leave the old store. Raises `StoreUnavailable` where they go elsewhere than here."""
    there = yield from _said(OLD)
    if there.get(_STATE) != _BEGUN:
        return False
    if (yield from _said(NEW)).get(_ID) != there.get(_TO):
        raise StoreUnavailable(
            "the sessions of the old store go to another one than this process has as its new store: give it the URLs "
            "that `coatcheck move` was given"
        )
    return True


def _said(side: Side) -> Plan[dict[str, Wire]]:
    value: Held = yield side, "load", (FLAG,)
    return loads_wire(value.fields) if isinstance(value, Record) else {}


def begin(now: float) -> Plan[None]:
    """Let sessions leave the old store from now on, and none the new. Raises `ConfigurationError` where both are one
    store, in which each session would be left for itself, and where it was begun to another one."""
    to = (yield from _said(NEW)).get(_ID)
    if to is None:
        to = new_handle(None)
        yield from _say(NEW, {_ID: to}, now)
    there = yield from _said(OLD)
    if there.get(_ID) == to:
        raise ConfigurationError("OLD and NEW are the same store. Nothing was moved")
    if there.get(_STATE) == _BEGUN:
        if there.get(_TO) != to:
            raise ConfigurationError("this move was begun to another store. Nothing was moved: give that one as NEW")
        return
    if (yield from _said(NEW)).get(_STATE) == _BEGUN:
        yield from _say(NEW, {_STATE: "over"}, now)
    yield from _say(OLD, {_STATE: _BEGUN, _TO: to, _DONE: None}, now)


def serving(now: float) -> Plan[None]:
    """Leave word, once, that somebody serves from both stores: a move that begins before would answer 503 to all whom
    it has moved."""
    if not (yield from _said(OLD)).get(_SERVED):
        yield from _say(OLD, {_SERVED: int(now)}, now)


def served() -> Plan[bool]:
    """Whether anybody ever served from both."""
    return bool((yield from _said(OLD)).get(_SERVED))


def done(now: float | None = None) -> Plan[float | None]:
    """When nothing was left in the old store for the first time since it was begun; `now`: nothing is."""
    since = (yield from _said(OLD)).get(_DONE)
    if now is not None and not isinstance(since, int):
        since = int(now)
        yield from _say(OLD, {_DONE: since}, now)
    return since if isinstance(since, int) else None


def undone(now: float) -> Plan[None]:
    """Something was left after all."""
    yield from _say(OLD, {_DONE: None}, now)


def _say(side: Side, fields: dict[str, Wire], now: float) -> Plan[None]:
    """Keep facts of the move, in a record that opens nothing: nobody knows its secret."""
    if (yield side, "commit", (FLAG, Change(set=fields), now)) is not None:
        return
    secrets = (Secret(0, hash_secret(new_secret(0)), now),)
    record = Record(FLAG, None, _FAR, None, now, None, _FAR, False, secrets, 0, fields=dumps(fields))
    if not (yield side, "create", (record, now)):
        yield side, "commit", (FLAG, Change(set=fields), now)
