"""What one request does to a session, and the one function that applies it.

Every store calls `apply` on the record as it is at that moment, inside its own atomic step (a lock, a
transaction, a compare-and-set): requests merge, and what has ended stays ended, in the same way everywhere.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from .codec import MAX_BYTES, Wire, dumps, to_bytes
from .errors import SessionDataError
from .record import Ended, Record
from .rotation import Step, older


class Change(NamedTuple):
    """One request's effect on a session. The default changes nothing.

    * `set`, `delete`: fields that get a value in its wire form, and fields that go.
    * `address`, `user_agent`: who came, to be kept with a touch; None: as it was.
    * `settle`: the step of the secret that a client has shown for long enough; None: no news.
    * `step`: the secret's next step, issued by this change; None: it stays.
    * `idle`, `expires_at`: other lifetimes, in seconds and in seconds since the epoch; None: as they were.
    """

    set: dict[str, Wire] = {}  # noqa: RUF012 (never changed in place)
    delete: tuple[str, ...] = ()
    seen_seq: int = 0
    """The newest patch that the session had when it was loaded: fields patched later are left alone."""
    seen_at: float | None = None
    """A touch: `last_seen_at` grows to it."""
    address: str | None = None
    user_agent: str | None = None
    settle: int | None = None
    step: Step | None = None
    idle: float | None = None
    expires_at: float | None = None
    remember: bool | None = None
    """Whether its cookie survives the browser; None: as it was."""
    patch: int | None = None
    """The number of the `update_user` patch that this is; None for a request's own change."""

    @property
    def lazy(self) -> bool:
        """Losing it in a power cut loses nothing but recency: a touch alone."""
        verbs = self.step or self.idle or self.expires_at or self.settle or self.remember is not None
        return not (self.set or self.delete or verbs)


def merge(fields: str, change: Change, patched: dict[str, int]) -> str:
    """The fields with the change's own on top. Raises `SessionDataError` when a request makes that over 256 KiB."""
    late = {name for name, seq in patched.items() if seq > change.seen_seq} if change.patch is None else set()
    merged: dict[str, Wire] = json.loads(fields)
    for name in change.delete:
        if name not in late:
            merged.pop(name, None)
    merged.update((name, wire) for name, wire in change.set.items() if name not in late)
    text = dumps(merged)
    # A user who fills a session must not thereby ward off a patch that takes a role away.
    if change.patch is None:
        check_size(text)
    return text


def check_size(fields: str) -> None:
    """Raises `SessionDataError` when the fields of a session are over 256 KiB."""
    size = len(to_bytes(fields))
    if size > MAX_BYTES:
        raise SessionDataError(
            f"the session would hold {size} bytes and may hold {MAX_BYTES}. "
            "Keep large things in your own database, and their ids in the session."
        )


def apply(record: Record, change: Change, now: float) -> Record | Ended:
    """The record after the change, or `Ended` if its time is over or the change left nothing to keep.

    Raises `SessionDataError` when the merged fields are too large; then nothing is changed.
    """
    if over := record.over(now):
        return over
    new: dict[str, object] = {}
    if change.patch is not None:
        if change.patch <= record.seq:
            return record
        new["seq"] = change.patch
        new["patched"] = record.patched | dict.fromkeys((*change.set, *change.delete), change.patch)
    if change.set or change.delete:
        new["fields"] = fields = merge(record.fields, change, record.patched)
        if fields == "{}" and record.user_id is None and change.patch is None:
            return Ended("logout", now, by_this=True)
    if change.seen_at is not None and change.seen_at > record.last_seen_at:
        new["last_seen_at"] = change.seen_at
        if change.address is not None or change.user_agent is not None:
            new["address"], new["user_agent"] = change.address, change.user_agent
    lasts = {"idle": change.idle, "expires_at": change.expires_at, "remember": change.remember}
    new |= {name: value for name, value in lasts.items() if value is not None}
    settled = record.settled
    if change.settle is not None and change.settle > settled:
        new["settled"] = settled = change.settle
    if change.step is not None and change.step.from_hash == record.secrets[0].hash:
        new["secrets"] = (change.step.to, *older(record.secrets, settled))
    return record._replace(**new)  # type: ignore[arg-type]
