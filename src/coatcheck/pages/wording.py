"""Facts as a person reads them: a device, a moment, what happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ..browsers import browser, system
from ..tally import rounded
from ..trail import AuditEntry

_HAPPENED = {
    "authenticated": "Signed in",
    "exchanged": "Came over from another library's session",
    "ended": "Session ended",
    "login_refused": "Sign-in refused: everything of this user was ended meanwhile",
    "token_unknown": "A token with an unknown secret was shown",
    "ticket_issued": "Ticket issued",
    "ticket_redeemed": "Ticket used",
}
_REASONS = {
    "logout": "signed out",
    "idle": "not used for too long",
    "absolute": "its time was over",
    "revoked": "revoked",
    "replaced": "continued as another one, after a login",
    "stolen": "an old copy of its token was used: somebody may have taken it",
}
_UNITS = (
    (86_400, "%(n)d day ago", "%(n)d days ago"),
    (3_600, "%(n)d hour ago", "%(n)d hours ago"),
    (60, "%(n)d minute ago", "%(n)d minutes ago"),
)


class Wording:
    """In one language, at one instant: `translate` is called with each English text, `now` is in seconds since the
    epoch."""

    def __init__(self, translate: Callable[[str], str], now: float) -> None:
        self._: Callable[[str], str] = translate
        self._now = now

    def device(self, user_agent: str | None) -> str:
        """A user agent, as in "Firefox on Linux". Anybody can claim to be any browser: it is there to recognise one."""
        text = user_agent or ""
        name, where = browser(text) or self._("An unknown browser"), system(text)
        return self._("%(browser)s on %(system)s") % {"browser": name, "system": where} if where else name

    def number(self, count: int, exact: bool) -> str:
        """A count, as in "1,234"; where it is an estimate, as in "about 1,230"."""
        if exact:
            return f"{count:,}"
        return self._("about %(n)s") % {"n": f"{rounded(count):,}"}

    def ago(self, then: datetime) -> str:
        """How long ago that was."""
        seconds = self._now - then.timestamp()
        for length, one, many in _UNITS:
            if count := int(seconds // length):
                return self._(one if count == 1 else many) % {"n": count}
        return self._("just now")

    def moment(self, then: datetime | float) -> str:
        """A date and time in UTC."""
        at = then if isinstance(then, datetime) else datetime.fromtimestamp(then, UTC)
        return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

    def happened(self, entry: AuditEntry) -> str:
        """An entry's name."""
        return self._(_HAPPENED.get(entry.name, entry.name))

    def why(self, entry: AuditEntry) -> str:
        """An entry's reason and its author."""
        if entry.name == "login_refused":
            return ""
        reason = self._(_REASONS[entry.reason]) if entry.reason in _REASONS else (entry.reason or "")
        by = self._("by %(who)s") % {"who": entry.detail["by"]} if "by" in entry.detail else ""
        extra = entry.detail.get("purpose") or entry.detail.get("ip") or ""
        if entry.detail.get("of") == "everybody":
            extra = self._("everybody: %(n)s sessions") % {"n": entry.detail.get("sessions", "?")}
        return ", ".join(filter(None, (reason, extra, by)))
