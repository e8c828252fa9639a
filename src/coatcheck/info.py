"""What may be told of a session in a list, a page or a log: everything but its data and its secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from .clock import as_datetime
from .record import Record

MAX_TEXT = 256
"""Characters of a user agent, an address or a label that are kept."""


class Client(NamedTuple):
    """Who asked, as far as the request tells: for the user's own list of devices, never for a decision. `ip` is the
    address as text, `user_agent` the browser's own words; None where nobody knows."""

    ip: str | None = None
    user_agent: str | None = None


ClientSource = Client | Callable[[], Client] | None
"""Who asked, or how to find out when it is to be kept; None: nobody knows."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A live session, to look at. Times are aware UTC.

    * `handle`: its public name, good for `revoke`, useless as a credential.
    * `user_id`: whose it is; None: nobody is logged in.
    * `created_at`, `last_seen_at`, `authenticated_at`: when it began, was last used (up to a `touch_interval` ago), and
      when its user logged in; None: nobody has.
    * `client`: who came last; `label`: what `login` was given, or None.
    """

    handle: str
    user_id: str | None
    created_at: datetime
    last_seen_at: datetime
    authenticated_at: datetime | None
    expires_at: datetime
    """When it ends if it is not used again."""
    client: Client
    label: str | None
    current: bool = False
    """It is the session that asks."""


def info_of(record: Record, current: str | None = None) -> SessionInfo:
    """A record as its `SessionInfo`; `current` is the handle of the session that asks."""
    return SessionInfo(
        handle=record.handle,
        user_id=record.user_id,
        created_at=as_datetime(record.created_at),
        last_seen_at=as_datetime(record.last_seen_at),
        authenticated_at=None if record.authenticated_at is None else as_datetime(record.authenticated_at),
        expires_at=as_datetime(record.deadline),
        client=Client(record.address, whole(record.user_agent)),
        label=record.label,
        current=record.handle == current,
    )


_USUAL = (
    ("Mozilla/5.0 (", "\ue000"),
    (") AppleWebKit/537.36 (KHTML, like Gecko) ", "\ue001"),
    (") AppleWebKit/605.1.15 (KHTML, like Gecko) ", "\ue002"),
    (" Safari/537.36", "\ue003"),
)
"""What nearly every browser says, and a character of private use that stands for it in the store: none comes in from
outside, see `clip`."""


def short(user_agent: str | None) -> str | None:
    """A user agent as it is kept, in half the room."""
    for usual, sign in _USUAL if user_agent else ():
        user_agent = str(user_agent).replace(usual, sign)
    return user_agent


def whole(user_agent: str | None) -> str | None:
    """What `short` was given."""
    for usual, sign in _USUAL if user_agent else ():
        user_agent = str(user_agent).replace(sign, usual)
    return user_agent


def clip(text: str | None) -> str | None:
    """A text from the network, bounded and without control characters; None for nothing."""
    if not text:
        return None
    text = text[:MAX_TEXT]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
