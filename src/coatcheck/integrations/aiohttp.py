"""Sessions for aiohttp.web: `setup(app, manager)`, then `session_from(request)`.

    app = web.Application()
    setup(app, AsyncSessionManager("sqlite:///sessions.db"))

More: docs/frameworks/aiohttp.md
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import ConfigurationError
from ..exchange import Front, Mode
from ..legacy.source import Source
from ..manager import AsyncSessionManager
from ..session import Session
from .aiohttp_gate import ticket_from as ticket_from
from .aiohttp_gate import ticket_gate as ticket_gate
from .aiohttp_visit import Handler, Visit, as_response, current, visit_of

try:
    from aiohttp import StreamReader, web
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('aiohttp is missing: pip install "coatcheck[aiohttp]"') from _error

__all__ = ["manager_from", "session_from", "setup", "ticket_from", "ticket_gate"]

_FRONT: web.AppKey[Front[AsyncSessionManager]] = web.AppKey("coatcheck", Front)


def session_from(request: web.BaseRequest) -> Session:
    """The session of a request or a websocket. Raises `ConfigurationError` without `setup`, or on an excluded path."""
    return visit_of(request).session


def manager_from(request_or_app: web.Request | web.Application) -> AsyncSessionManager:
    """The manager of an application, or of a request's, or one around it. Raises `ConfigurationError` for none."""
    place: Any = request_or_app if isinstance(request_or_app, web.Application) else request_or_app.config_dict
    front = place.get(_FRONT)
    if front is None:
        raise ConfigurationError("no session manager here: call setup(app, manager)")
    manager: AsyncSessionManager = front.manager
    return manager


def setup(
    app: web.Application,
    manager: AsyncSessionManager | None = None,
    *,
    csrf: Mode = "origin",
    trusted_origins: Iterable[str] = (),
    csrf_exempt: Iterable[str] = (),
    exclude: Iterable[str] = (),
    public_paths: Iterable[str] = (),
    header: str | None = None,
    legacy: Iterable[Source] = (),
    **manager_settings: Any,
) -> AsyncSessionManager:
    """Give every request and websocket of an application, and of those in it, its session. Returns the manager.

    `manager` is an `AsyncSessionManager`; without one, `manager_settings` make it (`store=...`, ...), and it is closed
    at the application's cleanup. The other settings are those of `asgi.SessionMiddleware`.

    Raises `ConfigurationError` for settings that contradict themselves, a missing secret, and a second call.
    """
    if manager is not None and manager_settings:
        raise ConfigurationError(f"{', '.join(manager_settings)}: belong to the manager that was passed")
    if manager is not None and not isinstance(manager, AsyncSessionManager):
        raise ConfigurationError(f"aiohttp needs an AsyncSessionManager, not {type(manager).__name__}")
    if _FRONT in app:
        raise ConfigurationError("setup() was called for this application before: take one call out")
    if csrf == "token" and not hasattr(StreamReader, "unread_data"):
        raise ConfigurationError('csrf="token": this version of aiohttp cannot look at a body and hand it on')
    made = manager or AsyncSessionManager(**manager_settings)
    front = app[_FRONT] = Front(
        made,
        csrf=csrf,
        trusted_origins=trusted_origins,
        csrf_exempt=csrf_exempt,
        exclude=exclude,
        public_paths=public_paths,
        header=header,
        legacy=legacy,
    )

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await _serve(front, request, handler)

    app.middlewares.insert(0, middleware)
    app.on_response_prepare.append(_prepare)
    if manager is None:

        async def close(_: web.Application) -> None:
            await made.aclose()

        app.on_cleanup.append(close)
    return made


async def _serve(front: Front[AsyncSessionManager], request: web.Request, handler: Handler) -> web.StreamResponse:
    around = current.get(None)
    if around is not None and around.owns(request):
        around.front.check_inner(front)
        return await handler(request)
    visit = Visit(front, request)
    if reply := visit.from_elsewhere():
        return as_response(reply)
    if visit.excluded:
        return await handler(request)
    if reply := await visit.open():
        return as_response(reply)
    return await visit.run(handler)


async def _prepare(request: web.BaseRequest, response: web.StreamResponse) -> None:
    visit = current.get(None)
    if visit is not None and visit.owns(request):
        await visit.starts(response)
