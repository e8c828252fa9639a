"""The operator's console: who is signed in where, what happened, and an end to it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta
from typing import Any, Unpack

from ..events import logger
from ..session import Session
from ..trail import AuditEntry, outstanding
from . import chart
from .ask import Ask, Steps, cut
from .look import Look
from .settings import LookSettings

SHOWN = 50
"""Sessions, and entries of the trail, on a page."""
CHARTED = 5000
"""Entries of the trail that the chart is drawn from."""
_COUNTED_EVERY = 10.0
_COUNTED_WITHIN = 0.5
"""Seconds, about, for which whoever asks first waits while a large store is counted."""
_MAX_USER = 255

Allowed = Callable[[Session], "bool | Awaitable[bool]"]


class Console:
    """The pages for operators. `allowed` is your own permission: called at each request with the asker's session, it
    returns, or is awaited for, whether that one may look and end. `fresh`: how long ago the asker's sign-in may be for
    ending something; None asks for none. The other settings are those of `Look`.

    With `audit=` on the manager there is also what happened, live and as a chart.
    """

    def __init__(
        self, allowed: Allowed, *, fresh: timedelta | None = timedelta(minutes=30), **look: Unpack[LookSettings]
    ) -> None:
        self._allowed, self._fresh = allowed, fresh
        self._look = Look(**look)
        self._counted: tuple[float, Any] | None = None
        self._pages: dict[tuple[str, str], Callable[[Ask, Any], Steps]] = {
            ("GET", "/"): self._overview,
            ("GET", "/user"): self._user,
            ("POST", "/user"): self._end_user,
            ("GET", "/session"): self._session,
            ("POST", "/session"): self._end_session,
            ("GET", "/events"): self._events,
            ("GET", "/events/new"): self._new_events,
        }

    def steps(self, ask: Ask, manager: Any) -> Steps:
        """As `ask.Page`. `manager` is one of either kind."""
        if reply := self._look.first(ask, manager):
            return reply
        if not (yield self._allowed(ask.session)):
            # ASVS 16.3.2. repr: a user id with a line break must not forge a second line.
            logger.warning("the console was refused to session=%s user=%r", ask.session.handle, ask.session.user_id)
            return self._look.message(ask, 403, "Not allowed", "This page is for those who look after the sessions.")
        page = self._pages.get(("GET" if ask.method == "HEAD" else ask.method, ask.path or "/"))
        if page is None:
            return self._look.not_found(ask)
        if ask.method == "POST" and self._fresh is not None and not ask.session.is_fresh(self._fresh):
            return self._look.not_fresh(ask)
        return (yield from page(ask, manager))

    # -- looking -----------------------------------------------------------------------------------------

    def _overview(self, ask: Ask, manager: Any) -> Steps:
        now = manager.engine.now()
        if self._counted is None or time.monotonic() - self._counted[0] > _COUNTED_EVERY:
            self._counted = time.monotonic(), (yield manager.stats(within=_COUNTED_WITHIN))
        entries: list[AuditEntry] = []
        if manager.audit is not None:
            while not entries or (len(entries) < CHARTED and entries[-1].at > now - chart.HOURS * 3600):
                page = yield manager.history(limit=1000, before=entries[-1].place if entries else None)
                entries += page
                if len(page) < 1000:
                    break
        return self._look.page(
            ask,
            "console.html",
            now=now,
            stats=self._counted[1],
            audited=manager.audit is not None,
            entries=entries[:SHOWN],
            bars=chart.bars(entries, now),
            cut=entries[-1].at if len(entries) >= CHARTED else None,
            tickets=outstanding(entries, now),
        )

    def _user(self, ask: Ask, manager: Any) -> Steps:
        user = ask.query.get("id", "")
        if not 0 < len(user) <= _MAX_USER:
            return self._look.see(ask, "/")
        found = yield manager.sessions(user, limit=SHOWN + 1, after=ask.query.get("after"), current=ask.session)
        sessions, last = cut(found, SHOWN)
        entries = yield from _history(manager, user, limit=SHOWN)
        return self._look.page(
            ask,
            "user.html",
            now=manager.engine.now(),
            user=user,
            sessions=sessions,
            after=last and last.handle,
            entries=entries,
            audited=manager.audit is not None,
            done=ask.query.get("done") == "1",
        )

    def _session(self, ask: Ask, manager: Any) -> Steps:
        handle = ask.query.get("handle", "")
        info = yield manager.info(handle)
        # A session that has ended is found by its name alone.
        entries = yield from _history(manager, info.user_id if info else None, handle, limit=SHOWN)
        if info is None and not entries:
            return self._look.not_found(ask, "No live session is called so, and nothing is known of it.")
        return self._look.page(
            ask,
            "session.html",
            now=manager.engine.now(),
            info=info,
            handle=handle,
            entries=entries,
            audited=manager.audit is not None,
        )

    def _events(self, ask: Ask, manager: Any) -> Steps:
        found = yield from _history(manager, limit=SHOWN + 1, before=ask.query.get("before"))
        entries, last = cut(found, SHOWN)
        return self._look.page(
            ask,
            "events.html",
            entries=entries,
            before=last and last.place,
            first="before" not in ask.query,
            audited=manager.audit is not None,
        )

    def _new_events(self, ask: Ask, manager: Any) -> Steps:
        """What came since, for the script."""
        # A page that is open is not somebody who is there (ASVS 7.3.1).
        manager.engine.unattended(ask.session)
        entries = yield from _history(manager, limit=SHOWN)
        known = ask.query.get("since", "")
        places = [entry.place for entry in entries]
        return self._look.page(
            ask, "rows.html", entries=entries[: places.index(known)] if known in places else entries, audited=True
        )

    # -- ending ------------------------------------------------------------------------------------------

    def _end_user(self, ask: Ask, manager: Any) -> Steps:
        # Of the address, where every character is what it was: a form's line breaks are not.
        user = ask.query.get("id", "")
        if not 0 < len(user) <= _MAX_USER:
            return self._look.see(ask, "/")
        # Who ends all of their own stays where they are.
        keep = ask.session if user == ask.session.user_id else None
        yield manager.revoke_user(user, keep=keep, reason=_reason(ask), by=ask.session.user_id)
        return self._look.see(ask, "/user", id=user, done=1)

    def _end_session(self, ask: Ask, manager: Any) -> Steps:
        handle = ask.form.get("handle", "")
        info = yield manager.info(handle)
        yield manager.revoke(handle, _reason(ask), by=ask.session.user_id)
        if info is None or info.user_id is None:
            return self._look.see(ask, "/")
        return self._look.see(ask, "/user", id=info.user_id, done=1)


def _history(manager: Any, *of: str | None, **settings: Any) -> Generator[Any, Any, list[AuditEntry]]:
    """What the audit trail has; nothing where none is kept."""
    found: list[AuditEntry] = [] if manager.audit is None else (yield manager.history(*of, **settings))
    return found


def _reason(ask: Ask) -> str:
    return ask.form.get("reason", "").strip() or "revoked"
