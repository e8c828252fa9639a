"""Sessions for Pyramid: `request.session` as an `ISession`, with flash queues and CSRF tokens.

    config.include("coatcheck.integrations.pyramid")
    config.set_session_factory(session_factory(SessionManager("sqlite:///sessions.db")))

Without the second line the factory is made from the settings `coatcheck.store`, `coatcheck.secret` and
`coatcheck.csrf`, else from the environment.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

from ..errors import ConfigurationError
from ..manager import SessionManager
from ..session import Session, UserId
from .wsgi import SessionMiddleware
from .wsgi import manager_from as manager_from
from .wsgi import session_from as session_from

# Neither Pyramid nor zope.interface has types.
try:
    from pyramid.events import ApplicationCreated  # type: ignore[import-untyped]
    from pyramid.interfaces import ISession, ISessionFactory  # type: ignore[import-untyped]
    from pyramid.threadlocal import manager as threadlocals  # type: ignore[import-untyped]
    from zope.interface import implementer  # type: ignore[import-untyped]
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('Pyramid is missing: pip install "coatcheck[pyramid]"') from _error

__all__ = ["PyramidSession", "SessionFactory", "includeme", "manager_from", "session_factory", "session_from"]

CSRF = "_csrft_"
"""The field of the CSRF token, as in Pyramid's own sessions."""
FLASH = "_f_"
"""What the field of a flash queue begins with, likewise."""


@implementer(ISession)
class PyramidSession(Session):
    """A `Session` with the verbs of Pyramid. Its fields have the names that Pyramid's own sessions use."""

    @property
    def created(self) -> int:
        """When it was stored first, in seconds since the epoch; the request's time for one that is not stored."""
        info = self.info
        return int(info.created_at.timestamp() if info else self._began)

    @property
    def new(self) -> bool:
        """As `is_new`."""
        return self.is_new

    def changed(self) -> None:
        """Allowed, and never needed: nested changes are noticed."""
        self.modified = True

    def invalidate(self) -> None:
        """As `logout`: what is stored afterwards is another session's."""
        self.logout()

    # -- messages for the next page ----------------------------------------------------------------------

    def flash(self, msg: Any, queue: str = "", allow_duplicate: bool = True) -> None:
        """Add a message to a queue."""
        waiting = self.get(FLASH + queue, [])
        if allow_duplicate or msg not in waiting:
            self[FLASH + queue] = [*waiting, msg]

    def pop_flash(self, queue: str = "") -> list[Any]:
        """Take a queue's messages."""
        taken: list[Any] = self.pop(FLASH + queue, [])
        return taken

    def peek_flash(self, queue: str = "") -> list[Any]:
        """A queue's messages, which stay."""
        waiting: list[Any] = self.get(FLASH + queue, [])
        return waiting

    # -- the token of Pyramid's own CSRF check, which compares for equality: it cannot be masked -----------

    def new_csrf_token(self) -> str:
        """Store and return a new token."""
        self[CSRF] = token = secrets.token_urlsafe(32)
        return token

    def get_csrf_token(self) -> str:
        """The token; a new one where there is none."""
        token: str = self.get(CSRF) or self.new_csrf_token()
        return token

    def login(
        self,
        user_id: UserId,
        remember: bool | None = None,
        label: str | None = None,
        carry: bool | Collection[str] = True,
    ) -> None:
        """As `Session.login`. The CSRF token from before does not serve after it."""
        super().login(user_id, remember, label, carry)
        self.pop(CSRF, None)

    def rotate(self) -> None:
        """As `Session.rotate`. The CSRF token from before does not serve after it."""
        super().rotate()
        self.pop(CSRF, None)


class SessionFactory:
    """What `config.set_session_factory` takes. See `session_factory`."""

    def __init__(self, manager: SessionManager | None, settings: dict[str, Any]) -> None:
        self._manager, self._settings = manager, settings

    def __call__(self, request: Any) -> Session:
        """The session of a request; a subrequest has that of the request around it. Raises `ConfigurationError` where
        there is none."""
        around = [entry["request"] for entry in reversed(threadlocals.stack) if entry["request"] is not None]
        for one in (request, *around):
            if "coatcheck.session" in one.environ:
                return session_from(one)
        raise ConfigurationError(
            'no session here: config.include("coatcheck.integrations.pyramid") beside set_session_factory, or take '
            "this path out of exclude="
        )

    def wrap(self, router: Any) -> None:
        """Put sessions around all that an application does with a request."""
        inner = router.execution_policy

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            return inner(environ, router)(environ, start_response)

        middleware = SessionMiddleware(app, self._manager, **self._settings)
        middleware.manager.engine.adopt(PyramidSession)
        # A router calls what its policy returns as it calls a response: with environ and start_response.
        router.execution_policy = lambda _environ, _router: middleware


def session_factory(manager: SessionManager | None = None, **settings: Any) -> SessionFactory:
    """For `config.set_session_factory(...)`. The settings are those of `wsgi.SessionMiddleware`; without a manager
    they also make it (`store=...`, ...). What contradicts itself raises when the application is made.
    """
    return SessionFactory(manager, settings)


def includeme(config: Any) -> None:
    """For `config.include("coatcheck.integrations.pyramid")`: sessions are loaded before every view, and committed
    before its response goes out.

    `config.make_wsgi_app()` then raises `ConfigurationError` if the session factory is another one, or has no store.
    """
    config.add_subscriber(_wrap, ApplicationCreated)


def _wrap(event: Any) -> None:
    registry = event.app.registry
    factory = registry.queryUtility(ISessionFactory)
    if factory is None:
        factory = session_factory(**_settings(registry.settings or {}))
        registry.registerUtility(factory, ISessionFactory)
    if not isinstance(factory, SessionFactory):
        raise ConfigurationError(
            f"the session factory is {factory!r}: config.set_session_factory(session_factory(manager)), or leave "
            "coatcheck.integrations.pyramid out"
        )
    factory.wrap(event.app)


_IN_FILE = {"store", "csrf", "namespace", "secret"}


def _settings(found: dict[str, Any]) -> dict[str, Any]:
    """The application's settings file, as far as it is about sessions."""
    given = {name.removeprefix("coatcheck."): value for name, value in found.items() if name.startswith("coatcheck.")}
    if unknown := sorted(given.keys() - _IN_FILE):
        raise ConfigurationError(
            f"coatcheck.{unknown[0]}: no such setting in a file. There are {', '.join(sorted(_IN_FILE))}; all others "
            "are arguments of session_factory"
        )
    if secret := given.get("secret"):
        given["secret"] = secret.split()
    return given
