"""A message for the next page, kept in the session until it is shown."""

from __future__ import annotations

from coatcheck import Session

_FIELD = "flash"


def flash(session: Session, text: str) -> None:
    """Show this on the next page."""
    session[_FIELD] = [*session.get(_FIELD, []), text]


def take(session: Session) -> list[str]:
    """The messages, and forget them."""
    if _FIELD not in session:
        return []  # a `pop` would count as a write
    messages: list[str] = session.pop(_FIELD)
    return messages
