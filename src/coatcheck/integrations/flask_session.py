"""The session as Flask and Quart know it: `permanent` and `new` beside the verbs of ours."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..html import Html, csrf_headers, csrf_input
from ..session import Session, UserId

try:
    from flask.sessions import NullSession, SessionMixin
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Flask is missing: pip install "coatcheck[flask]"') from _error


class FlaskSession(Session, SessionMixin):  # pyright: ignore[reportIncompatibleMethodOverride]  # it is a dict first
    """What `flask.session` is: a `Session`, and a `SessionMixin` for the extensions that look for one."""

    _asked: bool | None = None
    """What this request set `permanent` to."""

    @property
    def new(self) -> bool:  # type: ignore[override]
        """Whether it is not in the store yet."""
        return self.is_new

    @property
    def permanent(self) -> bool:
        """Whether its cookie survives the browser: what `login(remember=...)` sets. It is no field."""
        if self._remember is not None:
            return self._remember
        return self._record.remember if self._record else bool(self._around.policy.remember)

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self._asked = bool(value)
        # A hook that sets it at every request must neither write nor send a cookie each time.
        if bool(value) != self.permanent:
            self._persist(bool(value))

    def login(
        self,
        user_id: UserId,
        remember: bool | None = None,
        label: str | None = None,
        carry: bool | Collection[str] = True,
    ) -> None:
        """As `Session.login`; without `remember`, a permanent session stays one, unless it was somebody else's."""
        if remember is None:
            owner = self._record.user_id if self._record else None
            remember = self.permanent if owner in (None, str(user_id)) else self._asked
        super().login(user_id, remember, label, carry)
        self._persist(remember)

    def _named(self, key: str) -> None:
        if key != "csrf_token":  # Flask-WTF's field, beside our attribute of that name
            super()._named(key)


class NoSession(NullSession):
    """What a path in `COATCHECK_EXCLUDE` has: it can be read, and is empty."""

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise ConfigurationError("no session here: take this path out of COATCHECK_EXCLUDE")

    if not TYPE_CHECKING:  # for a type checker they stay as Flask has them
        __setitem__ = __delitem__ = clear = pop = popitem = update = setdefault = _fail


def helpers(current: Callable[[], Session]) -> dict[str, Callable[[], Html]]:
    """`csrf_input()` and `csrf_headers()` for templates. They look at the session when they are called, and not
    before: a page that does not is the same for everybody."""
    return {"csrf_input": lambda: csrf_input(current()), "csrf_headers": lambda: csrf_headers(current())}
