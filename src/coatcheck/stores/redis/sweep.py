"""The operations on a whole namespace, as plans: they walk through all of its keys, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ...errors import StoreUnavailable
from ...gate import WRONG
from ...record import Ended, Record, held
from .scripts import CLOSE, Call
from .steps import Layout, Pause, Plan, end_all
from .values import Names, load

BATCH = 200
"""Keys that the server looks at for one command, about."""

_WALKS = 6
"""How often all keys are gone through, at most, when another server has them meanwhile: its SCAN counts otherwise, and
a key that moves may be met nowhere."""

_LONGEST_CHAIN = 10
"""Names that a session may take while one sweep meets it."""


class Sweep:
    """What walks through a namespace, in commands."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def revoke_all(self, before: float, reason: str, now: float) -> Plan[int]:
        def members(keys: list[bytes]) -> Plan[int]:
            users = [key.decode() for key in keys]
            doomed = yield [Call(CLOSE, (user,), ("", repr(before), "", "", WRONG)) for user in users]
            ends: dict[str | None, list[str]] = {
                user: [handle.decode() for handle in handles[1:]] for user, handles in zip(users, doomed, strict=True)
            }
            return len((yield from end_all(self._names, ends, reason, now)))

        def sessions(keys: list[bytes]) -> Plan[int]:
            count = 0
            for _ in range(_LONGEST_CHAIN):
                found = yield from self._records(keys, now)
                old = [one.handle for one in found if isinstance(one, Record) and one.created_at <= before]
                ended = yield from end_all(self._names, {None: old}, reason, now)
                count += len(ended)
                # SCAN may miss the new key of a session that `rotate()` renamed meanwhile. The old one names it.
                later = [one.successor for one in found if isinstance(one, Ended) and one.successor]
                keys = [self._names.session(handle).encode() for handle in ({*old} - {*ended}).union(later)]
                if not keys:
                    break
            return count

        count = 0
        for walk in range(_WALKS):
            if walk:
                yield Pause(0.1 * 2**walk)
                yield None
            layout = yield Layout()
            # By user first. A session that is replaced meanwhile gets a new key, which SCAN may miss; its user's key
            # stays. Then what has no user.
            count += yield from self._walk("u", members)
            count += yield from self._walk("s", sessions)
            if layout is not None and layout == (yield Layout()):
                return count
        raise StoreUnavailable(
            f"{count} sessions were ended, and some may be left: Redis was restarted, or the cluster moved keys, while "
            "they were gone through. Ask again when it is done"
        )

    def _walk(self, kind: str, visit: Callable[[list[bytes]], Plan[int]]) -> Plan[int]:
        """The sum of what `visit` says of each batch of keys."""
        count, cursor = 0, None
        while cursor != 0:
            ((cursor, keys),) = yield [("SCAN", cursor or 0, "MATCH", self._names.pattern(kind), "COUNT", BATCH)]
            if keys:
                count += yield from visit(list(dict.fromkeys(keys)))
            yield None
        return count

    def _records(self, keys: list[bytes], now: float) -> Plan[list[Record | Ended]]:
        """What is there at `now` under keys of sessions. A value that nobody can read opens nothing: left out."""
        found: list[Record | Ended] = []
        for key, raw in zip(keys, (yield [("GET", key) for key in keys]) if keys else [], strict=True):
            with suppress(StoreUnavailable):
                value = held(load(self._names.parse(key)[1], raw), now)
                if value is not None:
                    found.append(value)
        return found
