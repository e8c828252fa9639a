"""Your devices: where a user is signed in, and an end to any of it (ASVS 7.4.3, 7.5.2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Unpack

from .ask import Ask, Steps, cut
from .look import Look
from .settings import LookSettings

SHOWN = 50
"""Sessions on a page."""
FRESH = timedelta(minutes=10)
REASON = "signed out from another device"


class Devices:
    """The page for a user. `fresh`: how long ago its sign-in may be; None asks for none, and lets whoever finds an open
    browser look. The other settings are those of `Look`."""

    def __init__(self, *, fresh: timedelta | None = FRESH, **look: Unpack[LookSettings]) -> None:
        self._look = Look(**look)
        self._fresh = fresh

    def steps(self, ask: Ask, manager: Any) -> Steps:
        """As `ask.Page`. `manager` is one of either kind."""
        if reply := self._look.first(ask, manager):
            return reply
        if self._fresh is not None and not ask.session.is_fresh(self._fresh):
            return self._look.not_fresh(ask)
        if ask.path not in ("", "/") or ask.method not in ("GET", "HEAD", "POST"):
            return self._look.not_found(ask)
        return (yield from (self._end if ask.method == "POST" else self._list)(ask, manager, str(ask.session.user_id)))

    def _list(self, ask: Ask, manager: Any, user: str) -> Steps:
        found = yield manager.sessions(user, limit=SHOWN + 1, after=ask.query.get("after"), current=ask.session)
        devices, last = cut(found, SHOWN)
        ended = ask.query.get("ended", "")
        return self._look.page(
            ask,
            "devices.html",
            now=manager.engine.now(),
            devices=devices,
            after=last and last.handle,
            ended=int(ended) if ended.isascii() and ended.isdecimal() and len(ended) < 7 else None,
        )

    def _end(self, ask: Ask, manager: Any, user: str) -> Steps:
        handle, session = ask.form.get("handle"), ask.session
        if handle is not None and handle == session.handle:
            session.logout()
            text = "This browser's session has ended."
            return self._look.message(ask, 200, "You are signed out", text, sign_in=True)
        if handle is None and "others" not in ask.form:
            # Of a body that broke off a field may be missing: less than was asked for, never more, is done.
            return self._look.message(ask, 400, "This form is incomplete", "Nothing was changed. Please try again.")
        if handle is None:
            count: int = yield manager.revoke_user(user, keep=session, reason=REASON)
        else:
            count = int((yield manager.revoke(handle, REASON, user_id=user)))
        return self._look.see(ask, "/", ended=count)
