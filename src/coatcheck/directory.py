"""Looking sessions up and ending them, by handle and by user: plans for the manager, as in `engine`."""

from __future__ import annotations

from typing import Any

from . import codec
from .change import check_size
from .engine import Engine, Plan
from .info import SessionInfo, info_of
from .loading import named
from .record import Ended, Record, held, words
from .session import Session, UserId, user_id_text
from .store import Held, Stats
from .token import looks_like_handle


class Directory:
    """The sessions of everybody, for the one who may ask."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def sessions(
        self, user_id: UserId, limit: int, after: str | None, current: Session | str | None
    ) -> Plan[list[SessionInfo]]:
        """The user's live sessions, newest first."""
        mine = current.handle if isinstance(current, Session) else current
        start = after if after and looks_like_handle(after) else None
        found: list[Record] = yield "sessions", (user_id_text(user_id), self._engine.now(), max(0, limit), start)
        return [info_of(record, mine) for record in found]

    def info(self, handle: str) -> Plan[SessionInfo | None]:
        """A live session by its handle, or None."""
        if not looks_like_handle(handle):
            return None
        value = held((yield "load", (handle,)), self._engine.now())
        return info_of(value) if isinstance(value, Record) else None

    def revoke(self, handle: str, reason: str, user_id: UserId | None, by: str | None) -> Plan[bool]:
        """End one session; False if it was not live, or not that user's."""
        if not looks_like_handle(handle):
            return False
        value: Held = yield "load", (handle,)
        while isinstance(value, Ended) and value.successor is not None:
            handle = value.successor
            value = yield "load", (handle,)
        if isinstance(value, Record):
            if user_id is not None and value.user_id != user_id_text(user_id):
                return False
            return isinstance((yield from self._engine.end(value, reason, by)), Record)
        if isinstance(value, Ended) and user_id is None:
            # Asked again after an end that nobody acknowledged: only now may it be.
            yield "end", (handle, None, words(reason), self._engine.now())
        return False

    def revoke_user(self, user_id: UserId, keep: Session | str | None, reason: str, by: str | None) -> Plan[int]:
        """End all of a user's sessions but one, and refuse every login that arrived before now. Raises ValueError for a
        `keep` that is no handle."""
        user, now = user_id_text(user_id), self._engine.now()
        spared = self._engine.spared(keep) if isinstance(keep, Session) else keep
        if spared is not None and not looks_like_handle(spared):
            raise ValueError("keep: a Session, or the handle of one")
        until = now + self._engine.policy.absolute_timeout.total_seconds()
        ended: list[str] = yield "revoke_user", (user, spared, words(reason), now, until)
        if isinstance(keep, Session):
            # The reset handler revokes and then logs in: its own request is not older than its revocation.
            self._engine.spare(keep, now)
        for handle in ended:
            self._engine.emit("ended", handle=handle, user_id=user, reason=words(reason), detail=named(by))
        return len(ended)

    def revoke_all(self, before: float | None, reason: str, by: str | None) -> Plan[int]:
        """End every session created up to `before` (None: now)."""
        now = self._engine.now()
        count: int = yield "revoke_all", (now if before is None else before, words(reason), now)
        self._engine.emit("ended", reason=words(reason), detail={"sessions": str(count), "of": "everybody"} | named(by))
        return count

    def update_user(self, user_id: UserId, fields: dict[str, Any]) -> Plan[int]:
        """Write fields into all of a user's live sessions."""
        wires = {name: codec.to_wire(value, name) for name, value in fields.items()}
        check_size(codec.dumps(wires))
        now = self._engine.now()
        until = now + self._engine.policy.absolute_timeout.total_seconds()
        count: int = yield "update_user", (user_id_text(user_id), wires, now, until)
        return count

    def purge(self) -> Plan[int]:
        """Delete what is over and forgotten, in small batches."""
        total = 0
        while done := (yield "purge", (self._engine.now(),)):
            total += done
        return total

    def stats(self, within: float | None) -> Plan[Stats]:
        """Counts of the whole namespace; with `within` (seconds) perhaps estimates."""
        counts: Stats = yield "stats", (self._engine.now(), within)
        return counts
