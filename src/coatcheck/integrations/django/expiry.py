"""`set_expiry` and its kin: Django's one deadline as the idle and the absolute timeout of a session."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from django.utils.timezone import is_naive, make_aware

from ...clock import as_datetime
from ...engine import Commit
from ...errors import CoatcheckError
from .held import Held

EXPIRY = "_session_expiry"
"""Where `set_expiry` keeps what it was told, as in Django."""

_AT_ONCE = timedelta(milliseconds=1)


class Expiring(Held):
    """A store that knows when it ends."""

    def get_session_cookie_age(self) -> int:
        """The idle timeout in seconds, or the absolute one where there is none."""
        policy = self._sync().policy
        return round(policy.idle_seconds or policy.absolute_timeout.total_seconds())

    def get_expire_at_browser_close(self) -> bool:
        """Whether the cookie ends with the browser."""
        return self._ends_with_browser(self._get_session().get(EXPIRY))

    async def aget_expire_at_browser_close(self) -> bool:
        """As `get_expire_at_browser_close`."""
        return self._ends_with_browser((await self._aget_session()).get(EXPIRY))

    def _ends_with_browser(self, expiry: object) -> bool:
        return not self._sync().policy.remember if expiry is None else expiry == 0

    def set_expiry(self, value: float | datetime | timedelta | None) -> None:
        """A number is an idle timeout in seconds, a date or a timedelta an absolute end, 0 the browser's end; None,
        as the settings say."""
        before = self.get_expire_at_browser_close()
        super().set_expiry(value)
        self._expiry_set(before)

    async def aset_expiry(self, value: float | datetime | timedelta | None) -> None:
        """As `set_expiry`."""
        before = await self.aget_expire_at_browser_close()
        await super().aset_expiry(value)
        self._expiry_set(before)

    def _expiry_set(self, before: bool) -> None:
        core = self.followed()
        expiry = core.get(EXPIRY)
        self._live(expiry)
        if self._bound and not core.is_new and self._ends_with_browser(expiry) != before:
            with suppress(CoatcheckError):  # the response has started: this browser keeps the cookie that it has
                core.rotate()  # it has to be given another kind of cookie

    def _live(self, expiry: float | str | None) -> None:
        core, policy = self._get_session(), self._sync().policy
        now, absolute = as_datetime((self._manager or self._sync()).engine.now()), policy.absolute_timeout
        idle = timedelta(seconds=policy.idle_seconds or absolute.total_seconds())
        if not expiry:
            created = core.info.created_at if core.info else now
            core.set_lifetime(idle=idle, absolute=max(created + absolute, now + _AT_ONCE * 2))
        elif isinstance(expiry, str):
            end = max(_instant(expiry), now + _AT_ONCE * 2)
            core.set_lifetime(idle=max(idle, end - now), absolute=end)
        else:
            length = max(timedelta(seconds=expiry), _AT_ONCE)
            core.set_lifetime(idle=length, absolute=length if length > absolute else None)

    def tells(self, result: Commit) -> Commit:
        """What the response has to say of all the request's commits, the last of which gave `result`."""
        if result.action == "keep":
            result = self._told
        if result.action != "set" or self._core is None:
            return result
        expiry = dict.get(self._core, EXPIRY)
        if expiry is None:
            return result
        if expiry == 0:
            return result._replace(max_age=None)
        if isinstance(expiry, str):
            age = (_instant(expiry) - as_datetime(self._sync().engine.now())).total_seconds()
        else:
            # It moves on with each request, and the cookie does not.
            age = max(expiry, self._sync().policy.absolute_timeout.total_seconds())
        return result._replace(max_age=max(1, round(age)))


def _instant(text: str) -> datetime:
    """A date that was stored, aware: without USE_TZ Django's are naive, in the settings' time zone."""
    end = datetime.fromisoformat(text)
    return make_aware(end) if is_naive(end) else end
