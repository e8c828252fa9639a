"""Sessions as stores hold them, for tests that go past the verbs."""

from __future__ import annotations

from typing import Any

from coatcheck.record import Record, Secret
from coatcheck.token import new_handle

NOW = 1_900_000_000.0
DAY = 86_400.0


def record(user_id: str | None = None, *, at: float = NOW, **changes: Any) -> Record:
    """A session that was made at that instant: 14 days idle, 30 days in all."""
    made = Record(
        handle=new_handle(user_id),
        user_id=user_id,
        created_at=at,
        authenticated_at=None if user_id is None else at,
        last_seen_at=at,
        idle=14 * DAY,
        expires_at=at + 30 * DAY,
        remember=True,
        secrets=(Secret(0, "x" * 43, at),),
        settled=0,
        fields='{"cart":[1]}',
    )
    return made._replace(**changes)
