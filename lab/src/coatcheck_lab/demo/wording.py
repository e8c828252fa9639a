"""Facts as a person reads them: a browser, a moment, a size, why a session ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from coatcheck import browsers

from .settings import POLICY

PASSWORD_CHANGED = "password changed"  # noqa: S105 - a reason
SIGNED_OUT_ELSEWHERE = "signed out from another device"
SIGNED_OUT_BY_ADMINISTRATOR = "signed out by an administrator"

_IDLE = (POLICY.idle_timeout or POLICY.absolute_timeout) // timedelta(hours=1)

_REASONS = {
    PASSWORD_CHANGED: "You were signed out because the password was changed.",
    SIGNED_OUT_ELSEWHERE: "You were signed out from another of your devices.",
    SIGNED_OUT_BY_ADMINISTRATOR: "You were signed out by an administrator.",
    "idle": f"You were signed out because you had not been here for {_IDLE} hours.",
    "absolute": f"You were signed out because you signed in {POLICY.absolute_timeout.days} days ago.",
    "stolen": (
        "You were signed out because an old copy of your session's token was used. Somebody may have taken it: "
        "sign in, look at your devices, and change the password."
    ),
    "logout": "",
    "replaced": "",
}


def browser(user_agent: str | None) -> str:
    """A user agent, as in "Firefox on Linux". Anybody can claim to be any browser: only to recognise."""
    name, where = browsers.browser(user_agent or "") or "An unknown browser", browsers.system(user_agent or "")
    return f"{name} on {where}" if where else name


def why_ended(reason: str | None) -> str:
    """Why the last session is no more, or "" where there is nothing to say."""
    if reason is None:
        return ""
    return _REASONS.get(reason, "You were signed out.")


def ago(then: datetime, now: datetime | None = None) -> str:
    """How long ago that was."""
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def moment(then: datetime) -> str:
    """A date and time in UTC, to the minute."""
    return then.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")


def size(count: int) -> str:
    """A number of bytes."""
    return f"{count} bytes" if count < 1_000 else f"{count / 1_000:.1f} kB"
