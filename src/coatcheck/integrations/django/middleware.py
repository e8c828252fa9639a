"""In place of Django's own `SessionMiddleware`: loads before the view, commits before the response leaves.

A subclass of Django's, so that its checks and the admin's pass. Under ASGI it is a coroutine to the end, on an
`AsyncSessionManager`; under WSGI it uses a `SessionManager`.
"""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.utils.module_loading import import_string

from ...arrival import aarrive, arrive
from ...departure import acommit, asettle, commit, settle, to_its_end
from ...errors import ConfigurationError
from ...events import logger
from ...exchange import ANSWERED, Front
from ...manager import AsyncSessionManager, SessionManager
from ...replies import refusal
from ...session import Session
from ...streams import aends_with, ends_with
from . import managers
from .store import SessionStore
from .visit import Visit, to_response

ENGINE = "coatcheck.integrations.django"
DJANGOS = "django.contrib.sessions.middleware.SessionMiddleware"


def session_from(request: Any) -> Session:
    """The `coatcheck.Session` behind `request.session`. Raises `ConfigurationError` where there is none."""
    store = getattr(request, "session", None)
    if not isinstance(store, SessionStore):
        raise ConfigurationError(
            f'no session of Coatcheck here: set SESSION_ENGINE = "{ENGINE}", and put "{ENGINE}.SessionMiddleware" in '
            f"MIDDLEWARE in place of Django's own"
        )
    return store.followed()


def manager_from(_request: Any = None) -> SessionManager:
    """The manager for synchronous code. `settings` say which: it takes a request as other frameworks' do."""
    return managers.sync_manager()


def async_manager_from(_request: Any = None) -> AsyncSessionManager:
    """The manager for asynchronous code."""
    return managers.async_manager()


def front(manager: Any) -> Front[Any]:
    """What `settings` say of requests. Raises `ConfigurationError` where that contradicts itself."""
    own: dict[str, Any] = {name: value for name, value in managers.given().items() if name in managers.OF_FRONT}
    if own.get("csrf") == "token":
        raise ConfigurationError(
            'COATCHECK["csrf"] = "token": django.middleware.csrf.CsrfViewMiddleware asks for the token; ours stays at '
            '"origin"'
        )
    exact = [origin for origin in settings.CSRF_TRUSTED_ORIGINS if "*" not in origin]
    own["trusted_origins"] = [*own.get("trusted_origins", ()), *exact]
    return Front(manager, **own)


def places(kind: type, but: tuple[type, ...] = ()) -> list[int]:
    """Where in MIDDLEWARE a class, or one that is made from it, stands."""
    classes = [import_string(path) for path in settings.MIDDLEWARE]
    return [
        place
        for place, one in enumerate(classes)
        if isinstance(one, type) and issubclass(one, kind) and not issubclass(one, but)
    ]


class SessionMiddleware(DjangoMiddleware):  # type: ignore[misc]  # untyped base
    """Gives each request its session, and answers for it where the view cannot: 401, 403 and 503.

    `manager` and `front` are made of `settings.COATCHECK`; Django calls `process_view` before each view. Raises
    `ConfigurationError` for settings that would undo it.
    """

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        if settings.SESSION_ENGINE != ENGINE:
            raise ConfigurationError(f'SESSION_ENGINE is {settings.SESSION_ENGINE!r}: set it to "{ENGINE}"')
        if DJANGOS in settings.MIDDLEWARE:
            raise ConfigurationError(f'"{DJANGOS}" stands beside ours in MIDDLEWARE and would win: take it out')
        if len(places(SessionMiddleware)) > 1:
            raise ConfigurationError(f'"{ENGINE}.SessionMiddleware" stands in MIDDLEWARE twice: take one out')
        if not apps.is_installed(ENGINE):
            logger.warning(
                'put "%s" in INSTALLED_APPS: without it who signs in again keeps the session, and nothing is checked',
                ENGINE,
            )
        super().__init__(get_response)
        self.manager: Any = managers.async_manager() if self.async_mode else managers.sync_manager()
        self.front: Front[Any] = front(self.manager)
        # A plain function would cost a thread per request there.
        self.process_view: Callable[..., Any] = self._aview if self.async_mode else self._view

    # -- around the view ---------------------------------------------------------------------------------

    def __call__(self, request: Any) -> Any:
        """Serve one request."""
        if self.async_mode:
            return self.__acall__(request)
        if (reply := self.process_request(request)) is not None:
            return reply
        try:
            response = self.get_response(request)
        except BaseException:
            _late(request.coatcheck, failed=True)
            raise
        return self.process_response(request, response)

    async def __acall__(self, request: Any) -> Any:
        """As `__call__`."""
        visit = Visit(self.front, request)
        if not visit.excluded and (reply := visit.opened(request, await aarrive(visit))) is not None:
            return reply
        try:
            response = await self.get_response(request)
        except BaseException:
            await _alate(visit, failed=True)
            raise
        if visit.store is None:
            return visit.without_session(request, response)
        try:
            if (before := visit.replaced(request)) is not None:
                await visit.store.acore()
                ended = await to_its_end(self.manager.commit(before.prepare(), failed=True))
                visit.store.follow(before, ended, visit.fails(response))
            result = await acommit(visit, visit.store.prepare(), failed=visit.fails(response))
        except Exception as error:  # noqa: BLE001 (answered, or raised again, by `instead`)
            return visit.instead(error, response)
        return _streams(visit, visit.finish(result, response))

    def process_request(self, request: Any) -> Any:
        """Load the session; a response if the store is down."""
        visit = Visit(self.front, request)
        return None if visit.excluded else visit.opened(request, arrive(visit))

    def _view(self, request: Any, view: Any, _args: Any, _kwargs: Any) -> Any:
        """403 for a request that another site made, unless the view is `csrf_exempt`: webhooks, SAML."""
        if getattr(view, "csrf_exempt", False):
            return None
        reply = request.coatcheck.from_elsewhere()
        return None if reply is None else to_response(reply)

    async def _aview(self, request: Any, view: Any, args: Any, kwargs: Any) -> Any:
        return self._view(request, view, args, kwargs)

    def process_exception(self, request: Any, error: Exception) -> Any:
        """Answer what a view let pass, before Django makes a 500 of it."""
        if not isinstance(error, ANSWERED):
            return None
        visit: Visit = request.coatcheck
        visit.failed = True
        return to_response(refusal(error, html=visit.html))

    def process_response(self, request: Any, response: Any) -> Any:
        """Commit, and tell the client."""
        visit: Visit | None = getattr(request, "coatcheck", None)
        if visit is None:
            return response
        if visit.store is None:
            return visit.without_session(request, response)
        try:
            if (before := visit.replaced(request)) is not None:
                ended = self.manager.commit(before.prepare(), failed=True)
                visit.store.follow(before, ended, visit.fails(response))
            result = commit(visit, visit.store.prepare(), failed=visit.fails(response))
        except Exception as error:  # noqa: BLE001 (answered, or raised again, by `instead`)
            return visit.instead(error, response)
        return _streams(visit, visit.finish(result, response))


# -- after the response has started --------------------------------------------------------------------------


def _streams(visit: Visit, response: Any) -> Any:
    """The response, which commits once more at the end of its body if it has one that may still write."""
    # A file's would lose the server's sendfile by it, and writes nothing.
    if not response.streaming or getattr(response, "file_to_stream", None) is not None:
        return response
    kind, body = response.headers.get("Content-Type"), response.streaming_content
    if response.is_async:
        if visit.store:
            # `streaming_content` is a generator of Django's around the view's body, which closes that body in no order.
            body = aends_with(managers.async_manager(), visit.store.core, kind, response._iterator)  # noqa: SLF001
        response.streaming_content = _awhile(visit, body)
    else:
        body = ends_with(managers.sync_manager(), visit.store.core, kind, body) if visit.store else body
        response.streaming_content = _while(visit, body)
    return response


def _while(visit: Visit, body: Iterable[bytes]) -> Iterator[bytes]:
    failed = True
    try:
        yield from body
        failed = False
    finally:
        _late(visit, failed)


async def _awhile(visit: Visit, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    failed = True
    try:
        async for part in body:
            yield part
        failed = False
    finally:
        await _alate(visit, failed)


def _late(visit: Visit, failed: bool) -> None:
    if visit.store is not None:
        settle(managers.sync_manager(), visit.store.prepare(), failed=failed or visit.failed)


async def _alate(visit: Visit, failed: bool) -> None:
    if visit.store is not None:
        await asettle(managers.async_manager(), visit.store.prepare(), failed=failed or visit.failed)
