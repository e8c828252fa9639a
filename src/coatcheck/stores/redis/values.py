"""What the keys are called, and what they hold. Lua reads only the heads, which have a fixed width.

    ns:{3fa2}:s:<handle>    a session: L nonce(8) deadline(13, ms) record, with A for L where the absolute timeout is
                            its deadline; once it has ended: E nonce(8) instant successor(or -) reason;
                            M or X where it goes to another store: see `moves`
    ns:{3fa2}:u:<digest>    a user, a hash: nb, seq, patches as in `Gate`; m:<handle> -> created_at of each
                            member, with a D (revoked) or an O (over the limit) in front once it is doomed
    ns:{3fa2}:t:<jti>       a ticket that was taken: [nonce, at, note, until] as JSON
    ns:{3fa2}:x:<nonce>     for three seconds, what an ended session held

The nonce is the version: whoever writes makes a new one, so a script that is sent again knows its own work.
The bucket in braces is the hash tag: a user's sessions, their tickets and the user itself share a slot.
"""

from __future__ import annotations

import json
import re
import secrets
from binascii import b2a_base64
from hashlib import sha256
from math import ceil
from typing import NamedTuple

from ...codec import from_bytes, to_bytes
from ...errors import ConfigurationError, SessionMoved, StoreUnavailable
from ...policy import TOMBSTONE
from ...record import Ended, Record, dump_record, load_record
from ...store import Held
from ...token import bucket_of

DAY = int(TOMBSTONE * 1000)
"""Milliseconds for which a tombstone stays."""

HEAD = 22
"""Bytes before a live session's record."""

_LATEST = 9_999_999_999.0
"""Seconds: the last deadline that 13 digits of milliseconds can hold."""

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class Names:
    """The keys of one namespace."""

    def __init__(self, namespace: str) -> None:
        # A namespace may hold neither braces (the hash tag) nor what SCAN takes for a pattern.
        if not _NAMESPACE.fullmatch(namespace):
            raise ConfigurationError(f"namespace={namespace!r}: use 1 to 40 letters, digits, '_', '.' or '-'")
        self.start = f"{namespace}:{{"
        """What all of them begin with."""

    def bucket(self, number: int) -> str:
        """What the keys of one bucket begin with."""
        return f"{self.start}{number:04x}}}"

    def session(self, handle: str) -> str:
        return f"{self.start}{bucket_of(handle)}}}:s:{handle}"

    def user(self, user_id: str) -> str:
        digest = sha256(to_bytes(user_id)).digest()
        name = b2a_base64(digest[:16], newline=False).translate(bytes.maketrans(b"+/", b"-_"), b"=").decode()
        return f"{self.start}{digest[:2].hex()}}}:u:{name}"

    def together(self, handle: str, key: str) -> bool:
        """Whether a session lies in the slot of a key."""
        return key.startswith(f"{self.start}{bucket_of(handle)}}}:")

    def ticket(self, handle: str, jti: str) -> str:
        return f"{self.start}{bucket_of(handle)}}}:t:{jti}"

    def remains(self, handle: str, nonce: bytes) -> str:
        """Where what a session held at its end can be found again by a script that is sent twice."""
        return f"{self.start}{bucket_of(handle)}}}:x:{nonce.decode()}"

    def trail(self, user_id: str | None) -> str:
        """The audit trail of a user, or of everybody: see `trail`."""
        everybody = f"{self.start[:-2]}:audit"
        return everybody if user_id is None else f"{everybody}:{self.user(user_id).rpartition(':')[2]}"

    def pattern(self, kind: str = "?") -> str:
        """What SCAN finds all keys of a kind by: "s", "u" or "t"."""
        return f"{self.start}????}}:{kind}:*"

    def parse(self, key: bytes) -> tuple[str, str]:
        """The kind of a key and what it is a key of."""
        kind, _, name = key.decode()[len(self.start) + 6 :].partition(":")
        return kind, name


def new_nonce() -> bytes:
    """8 random characters: 48 bits, to tell the versions of one value apart."""
    return secrets.token_urlsafe(6).encode()


def nonce_of(raw: bytes) -> bytes:
    """The version of a session's value."""
    return raw[1:9]


def ms(instant: float) -> int:
    """An instant as Lua compares it: whole milliseconds since the epoch."""
    return int(min(max(instant, 0.0), _LATEST) * 1000)


def lasting(until: float, now: float) -> int:
    """Milliseconds from `now` to `until`, at least one: a key's time to live."""
    return max(1, ceil(min(until - now, _LATEST) * 1000))


def dump(value: Record | Ended, nonce: bytes) -> bytes:
    """A session's value."""
    if isinstance(value, Record):
        deadline = value.deadline
        kind = b"A" if deadline == value.expires_at else b"L"
        return b"%b%b%013d%b" % (kind, nonce, ms(deadline), to_bytes(dump_record(value)))
    return b"E%b%b" % (nonce, to_bytes(f"{value.at!r} {value.successor or '-'} {value.reason}"))


def load(handle: str, raw: bytes | None) -> Held:
    """What a value says. Raises `StoreUnavailable` for one that this version does not understand."""
    if raw is None:
        return None
    try:
        if raw[:1] in (b"L", b"A"):
            return load_record(handle, from_bytes(raw[HEAD:]))
        if raw[:1] == b"E":
            at, successor, reason = from_bytes(raw[9:]).split(" ", 2)
            return Ended(reason, float(at), successor=None if successor == "-" else successor)
    except ValueError:
        pass
    if raw[:1] in (b"M", b"X") and raw[9:HEAD].isdigit():
        raise SessionMoved(handle)
    raise StoreUnavailable(
        f"the session {handle} cannot be read: a newer version wrote it, or something else uses these keys. "
        "Give each application a namespace of its own."
    )


def refused(handle: str, raw: bytes | None, now: float) -> Ended | None:
    """As `load`, for a session that a script found dead at `now`: Lua counts in whole milliseconds."""
    value = load(handle, raw)
    return value.over(max(now, value.deadline)) if isinstance(value, Record) else value


class Mark(NamedTuple):
    """A ticket that was taken."""

    nonce: str
    at: float
    note: str
    until: float


def dump_mark(mark: Mark) -> bytes:
    """A mark as JSON."""
    return to_bytes(json.dumps(mark, ensure_ascii=False, separators=(",", ":")))


def load_mark(raw: bytes) -> Mark:
    """The mark that `dump_mark` wrote."""
    return Mark._make(json.loads(from_bytes(raw)))
