"""Sessions for every WSGI application: `SessionMiddleware(app)` puts a `Session` at `environ["coatcheck.session"]`.

    application = SessionMiddleware(bottle.app(), SessionManager("sqlite:///sessions.db"))

It loads once, before the application, and commits before the response starts; what a streaming body changes later
is committed when the server closes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ConfigurationError
from ..exchange import Front, Mode
from ..legacy.source import Source
from ..manager import SessionManager
from ..session import Session
from .wsgi_response import App, Environ, StartResponse, answer
from .wsgi_visit import Visit


def session_from(request: Any) -> Session:
    """The session of a WSGI environ, or of a request that has one: Bottle's, Falcon's, Werkzeug's, WebOb's.

    Raises `ConfigurationError` where the middleware is missing or the path is excluded.
    """
    found = environ_of(request).get("coatcheck.session")
    if not isinstance(found, Session):
        raise ConfigurationError("no session here: wrap the application in SessionMiddleware, or see its exclude=")
    return found


def manager_from(request_or_app: Any) -> SessionManager:
    """The manager behind a request, an environ, or an application that `SessionMiddleware` wraps. Raises
    `ConfigurationError` for none."""
    layer, environ = request_or_app, environ_of(request_or_app)
    while not environ and layer is not None and not isinstance(layer, SessionMiddleware):
        layer = getattr(layer, "app", None) or getattr(layer, "wsgi_app", None)
    front = environ.get("coatcheck.front") or getattr(layer, "front", None)
    found = getattr(front, "manager", None)
    if not isinstance(found, SessionManager):
        raise ConfigurationError("no session manager here: wrap the application in SessionMiddleware")
    return found


def environ_of(request: Any) -> Mapping[str, Any]:
    """The WSGI environ of a request; of anything else, nothing."""
    for found in (request, getattr(request, "environ", None), getattr(request, "env", None)):
        if isinstance(found, Mapping) and "wsgi.input" in found:
            return found
    return {}


class SessionMiddleware:
    """Gives every request its session, and answers for it where the application cannot.

    * `manager`: a `SessionManager`; without one, `manager_settings` make it (`store=...`, ...).
    * `csrf`: "origin" refuses unsafe requests from other sites; "token" asks a signed-in session for its
      token as well; "report" only logs; "off" trusts that something else does it.
    * `trusted_origins`: other origins that may make unsafe requests ("https://app.example").
    * `csrf_exempt`: exact raw paths that other sites may post to, such as webhooks.
    * `exclude`: paths without a session; an exact path, or a prefix that ends with "/".
    * `public_paths`: likewise, served anonymously while the store is down, in place of a 503.
    * `header`: "X-Session": a client that sends this header (empty at first) gets its token there, no cookie.
    * `legacy`: sources of old sessions (`coatcheck.legacy`), exchanged at the next request.

    Raises `ConfigurationError` for settings that contradict themselves, for another kind of manager, and for a missing
    secret. `app`, `manager` and `front` are what was given, and what was made of it.
    """

    def __init__(
        self,
        app: App,
        /,
        manager: SessionManager | None = None,
        *,
        csrf: Mode = "origin",
        trusted_origins: Iterable[str] = (),
        csrf_exempt: Iterable[str] = (),
        exclude: Iterable[str] = (),
        public_paths: Iterable[str] = (),
        header: str | None = None,
        legacy: Iterable[Source] = (),
        **manager_settings: Any,
    ) -> None:
        if manager is not None and manager_settings:
            raise ConfigurationError(f"{', '.join(manager_settings)}: belong to the manager that was passed")
        if manager is not None and not isinstance(manager, SessionManager):
            raise ConfigurationError(f"a WSGI application needs a SessionManager, not {type(manager).__name__}")
        self.app = app
        self.manager: SessionManager = manager or SessionManager(**manager_settings)
        self.front: Front[SessionManager] = Front(
            self.manager,
            csrf=csrf,
            trusted_origins=trusted_origins,
            csrf_exempt=csrf_exempt,
            exclude=exclude,
            public_paths=public_paths,
            header=header,
            legacy=legacy,
        )

    def __call__(self, environ: Environ, start_response: StartResponse, /) -> Iterable[bytes]:
        """Serve one request."""
        around = environ.get("coatcheck.front")
        if around is not None:
            around.check_inner(self.front)
            return self.app(environ, start_response)
        visit = Visit(self.front, environ, start_response)
        reply = visit.from_elsewhere()
        if reply is None and visit.excluded:
            return self.app(environ, start_response)
        reply = reply or visit.open() or visit.lacks_token()
        return answer(environ, start_response, reply) if reply else visit.run(self.app)
