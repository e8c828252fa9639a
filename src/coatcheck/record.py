"""What a store keeps of a session: a live `Record`, or the `Ended` that a tombstone says of one.

Both are immutable. The fields stay text here; only a `Session` decodes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from .policy import TOMBSTONE


class Secret(NamedTuple):
    """One step of a session's secret, the `step`'s number and the `hash` (SHA-256) of what the client holds. Issued at
    `issued_at`, in seconds since the epoch."""

    step: int
    hash: str
    issued_at: float


class Record(NamedTuple):
    """A live session. Times are seconds since the epoch, lifetimes are seconds.

    * `handle`: its public name; `user_id`: whose it is, None for nobody's; `label`: what `login` was given, or None.
    * `created_at`, `authenticated_at`, `last_seen_at`: begun, logged in (None: nobody has), last touched.
    * `remember`: whether its cookie survives the browser.
    * `address`: where the last touch came from; None: not known, or not kept.
    """

    handle: str
    user_id: str | None
    created_at: float
    authenticated_at: float | None
    last_seen_at: float
    idle: float | None
    """Idle timeout; None: only `expires_at` ends it."""
    expires_at: float
    """The absolute deadline."""
    remember: bool
    secrets: tuple[Secret, ...]
    """The current one first, then at most two older ones: the settled one, and the one before the current."""
    settled: int
    """The newest step that a client has shown 60 s or more after its issue: what is older was copied."""
    seq: int = 0
    """The newest `update_user` patch that this session has."""
    patched: dict[str, int] = {}  # noqa: RUF012 (never changed in place)
    """Field name -> number of the patch that wrote it last, so that an older reader does not undo it."""
    address: str | None = None
    user_agent: str | None = None
    """As `info.short` keeps it."""
    label: str | None = None
    fields: str = "{}"
    """The session's data, as `codec.dumps` writes it."""

    @property
    def deadline(self) -> float:
        """When it ends if nobody comes, in seconds since the epoch."""
        if self.idle is None:
            return self.expires_at
        return min(self.last_seen_at + self.idle, self.expires_at)

    @property
    def forget_at(self) -> float:
        """When a store may delete it: a day after the deadline, so that the reason can still be told."""
        return self.deadline + TOMBSTONE

    def over(self, now: float) -> Ended | None:
        """The end that time brought by `now`, or None while it lives. Nothing needs to be written for it."""
        idle = self.idle
        if now < self.expires_at and (idle is None or now < self.last_seen_at + idle):
            return None
        # Of two deadlines the first is the reason: it must not change while the tombstone's day goes by.
        deadline = self.deadline
        return Ended("absolute" if deadline == self.expires_at else "idle", deadline)


class Ended(NamedTuple):
    """A session that will never live again: its `reason`, and since when, `at` in seconds since the epoch. It informs;
    no step relies on it."""

    reason: str
    at: float
    by_this: bool = False
    """The very change that was being made ended it (it left an anonymous session empty)."""
    successor: str | None = None
    """The handle under which `rotate()` let it go on: an end that comes to the old one is meant for that."""

    @property
    def forget_at(self) -> float:
        """When a store may forget it."""
        return self.at + TOMBSTONE


MAX_REASON = 60
"""Characters of a reason that are kept: a tombstone stays under 100 bytes."""


def words(reason: str) -> str:
    """A reason as it is kept: bounded, and text that every store and every log can hold."""
    text = reason[:MAX_REASON].encode("utf-8", "replace").decode()
    return "".join(char if char.isprintable() else "?" for char in text)


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_new = tuple.__new__  # a quarter of the time of a named tuple's own constructor


def _no_float(text: str) -> NoReturn:
    # No record has one. NaN compares as False with everything, and 1e400 is infinity: such a deadline never comes.
    raise ValueError(text)


_decoder = json.JSONDecoder(parse_constant=_no_float, parse_float=_no_float)
_scan: Callable[[str, int], tuple[list[Any], int]] = _decoder.scan_once  # type: ignore[attr-defined]


def stamp(now: float) -> float:
    """An instant as a record keeps it: in seconds, to the millisecond, never later than it was."""
    return int(now * 1000) / 1000


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def dump_record(record: Record) -> str:
    """A record as two lines of JSON: what we know of it, and its fields. The handle is its key, not in it.

    Times are whole milliseconds: they are read at every request, and an int is read faster than a float. All but the
    first are counted from that one, which spares a small session a tenth of its room.
    """
    created = _ms(record.created_at)
    about = [
        record.user_id,
        created,
        None if record.authenticated_at is None else _ms(record.authenticated_at) - created,
        _ms(record.last_seen_at) - created,
        None if record.idle is None else _ms(record.idle),
        _ms(record.expires_at) - created,
        record.remember,
        [(secret.step, secret.hash, _ms(secret.issued_at) - created) for secret in record.secrets],
        *record[9:15],
    ]
    return f"{_encode(about)}\n{record.fields}"


def load_record(handle: str, text: str) -> Record:
    """The record that `dump_record` wrote. Raises ValueError for anything else.

    A visitor who comes once comes again soon: what is read as it was read before is not taken apart again.
    """
    return _read_again(handle, text) if len(text) <= _SHORT else _read(handle, text)


def _read(handle: str, text: str) -> Record:
    try:
        about, end = _scan(text, 0)
        user, created, signed_in, seen, idle, expires, remember, steps, settled, seq, patched, address, agent, label = (
            about
        )
        if not steps or not (user is None or type(user) is str):
            raise ValueError("damaged")  # noqa: TRY301 (all of it is one refusal)
        return _new(
            Record,
            (
                handle,
                user,
                created / 1000,
                None if signed_in is None else (created + signed_in) / 1000,
                (created + seen) / 1000,
                None if idle is None else idle / 1000,
                (created + expires) / 1000,
                remember,
                tuple([_new(Secret, (step, digest, (created + at) / 1000)) for step, digest, at in steps]),
                settled,
                seq,
                patched,
                address,
                agent,
                label,
                text[end + 1 :],
            ),
        )
    except (StopIteration, IndexError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError("not a record of Coatcheck") from error


_SHORT, _REMEMBERED = 2048, 1024
"""Characters of a text that is remembered with its record, and how many are: at most 5 MB."""
_read_again = lru_cache(_REMEMBERED)(_read)


def held(value: Record | Ended | None, now: float) -> Record | Ended | None:
    """A stored value as it is at `now`: a record whose time is over is `Ended`."""
    if isinstance(value, Record):
        return value.over(now) or value
    return value
