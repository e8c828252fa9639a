"""How long a session lives, how often it is touched and rotated, how many a user may have."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from .errors import ConfigurationError

SETTLING = 60.0
"""Seconds after which a new secret that is shown again counts as kept by the browser.

Chromium writes its cookie jar to disk about every 30 s: a browser killed in between comes back with the
old cookie, even if it had shown the new one before.
"""

TOMBSTONE = 86_400.0
"""Seconds for which a session's end, and why, is remembered after it."""

PATCH_MEMORY = 60.0
"""Seconds for which `update_user` also binds logins that may have read the user's old data."""

MAX_COOKIE_AGE = 34_560_000
"""Seconds, 400 days: browsers cap a cookie's lifetime there (RFC 6265bis, section 5.5)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Lifetimes and limits. The defaults stay within NIST SP 800-63B-4's AAL1.

    Raises `ConfigurationError` for values that contradict each other.
    """

    idle_timeout: timedelta | None = timedelta(days=14)
    """Ends a session that nobody used for so long; None: only `absolute_timeout` does. A request moves it
    on, at most every `touch_interval`, so it may end a session up to that much earlier, never later."""
    absolute_timeout: timedelta = timedelta(days=30)
    """Ends a session this long after the login (or creation), however busy it is."""
    remember: bool = True
    """What `login(remember=None)` means: True, a cookie that survives the browser's restart; False, one that
    ends with the browser."""
    remember_timeout: timedelta | None = None
    """Idle and absolute timeout of remembered sessions in place of the two above; None: as those say."""
    touch_interval: timedelta | None = None
    """How stale `last_seen_at` may be: reads within it write nothing. None: a tenth of the idle timeout."""
    rotation_interval: timedelta | None = timedelta(days=1)
    """Age at which a secret is replaced by its successor, gracefully; None: only at login and `rotate()`."""
    max_sessions: int | None = None
    """How many sessions a user may have; a login above it ends the oldest. None: no limit. ASVS 7.1.2."""

    # Computed once: the engine compares them at every request.
    idle_seconds: float | None = field(init=False, repr=False, compare=False)
    """`idle_timeout` in seconds."""
    touch_seconds: float = field(init=False, repr=False, compare=False)
    """`touch_interval` in seconds, with its default worked out."""
    rotation_seconds: float = field(init=False, repr=False, compare=False)
    """`rotation_interval` in seconds; infinite for None."""

    def __post_init__(self) -> None:
        for name in (
            "idle_timeout",
            "absolute_timeout",
            "remember_timeout",
            "touch_interval",
            "rotation_interval",
        ):
            value = getattr(self, name)
            if value is None and name != "absolute_timeout":
                continue
            if not isinstance(value, timedelta) or value <= timedelta(0):
                raise ConfigurationError(f"Policy({name}={value!r}): give a timedelta above zero")
        if self.idle_timeout is not None and self.idle_timeout > self.absolute_timeout:
            raise ConfigurationError(
                f"Policy: idle_timeout ({self.idle_timeout}) is longer than absolute_timeout "
                f"({self.absolute_timeout}) and could never happen. Shorten it, or lengthen the other."
            )
        if self.idle_timeout and self.touch_interval and self.touch_interval >= self.idle_timeout:
            raise ConfigurationError("Policy: touch_interval must be shorter than idle_timeout")
        if self.max_sessions is not None and self.max_sessions < 1:
            raise ConfigurationError("Policy: max_sessions is None or at least 1")
        touch = self.touch_interval or (self.idle_timeout or self.absolute_timeout) / 10
        rotation = self.rotation_interval
        put = object.__setattr__
        put(self, "idle_seconds", self.idle_timeout.total_seconds() if self.idle_timeout else None)
        put(self, "touch_seconds", touch.total_seconds())
        # A secret younger than the settling time has no successor: see `SETTLING`.
        put(self, "rotation_seconds", max(rotation.total_seconds(), SETTLING) if rotation else float("inf"))

    def lifetimes(self, remember: bool) -> tuple[float | None, float]:
        """Idle (None: none) and absolute timeout, in seconds, of a session that is remembered or not."""
        if remember and self.remember_timeout is not None:
            seconds = self.remember_timeout.total_seconds()
            return (None if self.idle_seconds is None else seconds), seconds
        return self.idle_seconds, self.absolute_timeout.total_seconds()


NIST_AAL1 = Policy(idle_timeout=None, absolute_timeout=timedelta(days=30))
"""NIST SP 800-63B-4, 2.1.3: overall at most 30 days, inactivity optional."""

NIST_AAL2 = Policy(idle_timeout=timedelta(hours=1), absolute_timeout=timedelta(hours=24), remember=False)
"""NIST SP 800-63B-4, 2.2.3: overall at most 24 hours, inactivity at most 1 hour."""

NIST_AAL3 = Policy(idle_timeout=timedelta(minutes=15), absolute_timeout=timedelta(hours=12), remember=False)
"""NIST SP 800-63B-4, 2.3.3: overall at most 12 hours, inactivity at most 15 minutes."""

OWASP_LOW_RISK = Policy(idle_timeout=timedelta(minutes=30), absolute_timeout=timedelta(hours=8), remember=False)
"""OWASP Session Management Cheat Sheet: 15 to 30 minutes idle, 4 to 8 hours in all."""

OWASP_HIGH_VALUE = Policy(idle_timeout=timedelta(minutes=5), absolute_timeout=timedelta(hours=4), remember=False)
"""OWASP Session Management Cheat Sheet: 2 to 5 minutes idle, 4 to 8 hours in all."""

TEST_ONLY = Policy(
    idle_timeout=timedelta(minutes=10),
    absolute_timeout=timedelta(hours=1),
    touch_interval=timedelta(minutes=1),
    rotation_interval=timedelta(minutes=5),
)
"""Only for testing: everything happens within the hour. Not a recommendation of anybody's."""
