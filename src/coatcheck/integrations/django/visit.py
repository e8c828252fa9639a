"""One request on its way through our middleware: what is neither the manager's I/O nor the view's."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from http.cookies import Morsel
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import mail
from django.http import HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import is_same_domain

from ...engine import Commit
from ...events import logger
from ...exchange import CACHE_RULES, Exchange, Front, Told
from ...incoming import environ_headers, environ_path, joined
from ...replies import Reply
from .shield import Shield
from .store import SessionStore

NO_STORE = "private, no-store"
"""Before 5.2.15 Django's own cache heeded the first word alone: it would give a cookie, or a file, to the next."""


class Visit(Exchange[Any]):
    """A request, at `request.coatcheck`."""

    store: SessionStore | None = None
    """None: its path has no session."""
    failed: bool = False
    _shown: str | None = None

    def __init__(self, front: Front[Any], request: Any) -> None:
        scope, meta = getattr(request, "scope", None), request.META
        headers = environ_headers(meta) if scope is None else joined(scope["headers"])
        if settings.USE_X_FORWARDED_HOST and (host := headers.get(b"x-forwarded-host")):
            headers[b"host"] = host
        headers.setdefault(b"host", str(meta.get("SERVER_NAME", "")).encode("latin-1"))  # as `get_host`; test clients
        raw = scope.get("raw_path") if scope else None
        super().__init__(
            front,
            headers,
            method=request.method or "GET",
            path=raw.decode("latin-1") if raw else environ_path(meta),
            scheme=request.scheme,  # as SECURE_PROXY_SSL_HEADER says
            peer=meta.get("REMOTE_ADDR"),
        )
        # Django's test client knows one cookie, by that name. Nothing that the network sends can set this mark, and
        # where applications set it, for want of forms' tokens, there is no test environment.
        tested = hasattr(request, "_dont_enforce_csrf_checks") and hasattr(mail, "outbox")
        self._tested = settings.SESSION_COOKIE_NAME if tested else None
        self._test_token = request.COOKIES.get(self._tested) if tested else None
        front.warned = front.warned or tested
        request.coatcheck = self  # and this does not know the request: a circle would wait for the collector
        request.exception_reporter_filter = Shield(front)
        request.session = SessionStore()
        request.session.excluded = True

    # -- before the view ---------------------------------------------------------------------------------

    def token(self) -> str | None:
        """The token that was sent, or None."""
        self._shown = super().token() if self.by_header else self._test_token or super().token()
        return self._shown

    def opened(self, request: Any, reply: Reply | None) -> HttpResponse | None:
        """Give the request its session; the answer where none could be loaded."""
        if reply is not None:
            return to_response(reply)
        token = None if self.fault else self.moved or self._shown
        self.store = request.session = SessionStore.of_request(self.front.manager, self.session, token)
        return None

    def from_elsewhere(self) -> Reply | None:
        """As in `Exchange`; an Origin that `CSRF_TRUSTED_ORIGINS` names with a star is one of ours."""
        try:
            sent = urlsplit(self.text(b"origin"))
        except ValueError:  # "http://[": anybody sends anything
            sent = urlsplit("")
        for trusted in map(urlsplit, settings.CSRF_TRUSTED_ORIGINS if sent.netloc else ()):
            host = trusted.netloc.lstrip("*")
            if host != trusted.netloc and sent.scheme == trusted.scheme and is_same_domain(sent.netloc, host):
                return None
        return super().from_elsewhere()

    # -- the response ------------------------------------------------------------------------------------

    def fails(self, response: HttpResponse) -> bool:
        """Whether a request with that response commits nothing but an end."""
        self.failed = self.failed or response.status_code >= 500
        return self.failed

    def replaced(self, request: Any) -> SessionStore | None:
        """What was the request's session, if a view or a middleware has put another one in its place, which counts from
        now on: `request.session = SessionStore(key)`."""
        put = getattr(request, "session", None)
        if put is self.store or not isinstance(put, SessionStore):
            return None
        before, self.store = self.store, put
        return before

    def without_session(self, request: Any, response: HttpResponse) -> HttpResponse:
        """The response of a path that is excluded."""
        if request.session.modified:
            logger.error("%s is in COATCHECK['exclude'], and wrote to its session: that is lost", self.path)
        return response

    def instead(self, error: Exception, response: HttpResponse) -> HttpResponse:
        """The answer in place of a response whose commit failed; raises what Django is to make a 500 of."""
        if not self.is_ours(error):
            raise error
        reply = to_response(self.replacement(error))
        # Closed with the new one: closing it now would tell Django that the request is over.
        reply._resource_closers.extend(response._resource_closers)  # noqa: SLF001 (Django's own handler does it too)
        return reply

    def finish(self, result: Commit, response: HttpResponse) -> HttpResponse:
        """The response, with the session's part."""
        if self.store is not None:
            told = self.told(self.store.core, self.store.tells(result), response.status_code)
            if told.vary is not None:
                self._tell(response, told, told.vary)
        return response

    def _tell(self, response: HttpResponse, told: Told, vary: str) -> None:
        for name, value in told.add:
            if name == "set-cookie":
                own = value.partition("=")[0] == self.front.manager.cookie.name_for(self.secure)
                if self._tested and not own:
                    continue  # the test client has our cookie under the old one's name
                line = _Line(value, self._tested)
                # Two old cookies of one name and different domains are two lines. The key is for Python alone.
                taken = f"{line.key} {len(response.cookies)}" if line.key in response.cookies else line.key
                response.cookies[taken] = line
            else:
                response.headers[name] = value
        if told.no_store:
            for name in [name for name in response.headers if name.lower().endswith(CACHE_RULES)]:
                del response.headers[name]
            response.headers["Cache-Control"] = NO_STORE
        patch_vary_headers(response, vary.split(", "))


class _Line(Morsel[str]):
    """A Set-Cookie line as it is: Python before 3.14 knows no Partitioned, and quotes what needs none."""

    def __init__(self, line: str, name: str | None) -> None:
        super().__init__()
        pair, *attributes = line.split("; ")
        own, _, value = pair.partition("=")
        self.line = f"{name or own}={value}; " + "; ".join(attributes)
        self.set(name or own, value, value)
        for attribute in attributes:
            key, _, text = attribute.partition("=")
            if self.isReservedKey(key):
                self[key] = text or True  # a flag; test cases look at it

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802 (the name is Python's)
        """The line; of a copy, which has lost it, what Python makes of the rest."""
        return getattr(self, "line", "") or super().OutputString(attrs)


def to_response(reply: Reply) -> HttpResponse:
    """An answer of ours, as Django's."""
    return HttpResponse(reply.body, status=reply.status, headers=dict(reply.text_headers))
