"""One request or websocket on its way through `asgi.SessionMiddleware`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from typing import Any, Protocol

from ..csrf import HEADER, SAFE, SCAN_LIMIT, OriginCheck, Refusal, TokenScanner, own_origin, refuse_token
from ..engine import DROP, KEEP, Commit
from ..errors import (
    CoatcheckError,
    ConfigurationError,
    ReauthenticationRequired,
    SessionEnded,
    StoreUnavailable,
)
from ..events import logger
from ..hosts import serves_plain_http
from ..info import Client
from ..manager import AsyncSessionManager
from ..replies import Reply, forbidden, refusal, too_late
from ..session import Session

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CSRF_HEADER = HEADER.lower().encode("ascii")
POLICY_VIOLATION = 1008
TRY_AGAIN = 1013
LONGEST_UPLOAD = 3600.0
"""Seconds for which a proxy may have kept a request with a body before it came here."""


_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


_PIECE = 1024
"""Bytes below which pieces of a body are held as one."""


def keep(held: list[Message], message: Message) -> None:
    """Add a message of a body that is read ahead. A client can send one byte in each frame, or none, for ever
    (CVE-2019-9518): what is held grows with the bytes, not with the frames."""
    last = held[-1] if held else None
    if last is not None and message["type"] == "http.request" and len(last["body"]) < _PIECE:
        held[-1] = {**message, "body": last["body"] + message.get("body", b"")}
    elif message["type"] == "http.request":
        held.append({**message, "body": message.get("body", b"")})
    else:
        held.append(message)


class Paths:
    """Exact raw paths, and prefixes that end with a slash. Never normalised: CVE-2025-47910."""

    def __init__(self, paths: Iterable[str], setting: str) -> None:
        paths = [paths] if isinstance(paths, str) else list(paths)
        for path in paths:
            if not path.startswith("/"):
                raise ConfigurationError(f"{setting}={path!r}: a path starts with '/'")
        self._exact = frozenset(paths)
        self._prefixes = tuple(path for path in paths if path.endswith("/") and path != "/")

    def __bool__(self) -> bool:
        return bool(self._exact)

    def match(self, path: str) -> bool:
        """Whether a raw path is one of them."""
        return path in self._exact or path.startswith(self._prefixes)


class Settings(Protocol):
    """What a visit reads of its middleware."""

    app: App
    manager: AsyncSessionManager
    csrf: str
    origins: OriginCheck
    exempt: frozenset[str]
    exclude: Paths
    public: Paths
    header: bytes | None
    warned: bool


class Visit:
    """One request or websocket on its way through the middleware."""

    session: Session
    started = False
    answered = False
    failed = True
    """Until a response below 500 starts."""
    fault: CoatcheckError | None = None
    error: Exception | None = None

    def __init__(self, middleware: Settings, scope: Scope, receive: Receive, send: Send) -> None:
        self.middleware, self.scope, self.receive, self.send = middleware, scope, receive, send
        pairs = scope["headers"]
        headers: dict[bytes, bytes] = dict(pairs)
        if len(headers) != len(pairs):
            # HTTP/2 splits Cookie; a header that must be single and is not joins to a value nobody trusts.
            headers = {}
            for name, value in pairs:
                glue = b"; " if name == b"cookie" else b", "
                headers[name] = headers[name] + glue + value if name in headers else value
        self.headers = headers
        self.by_header = middleware.header is not None and middleware.header in headers
        # Browsers send Sec-Fetch-* exactly where they take Secure cookies, even behind a proxy that hides https.
        self.secure = (
            scope.get("scheme") in ("https", "wss")
            or b"sec-fetch-mode" in headers
            or b"sec-fetch-site" in headers
            or b"sec-fetch-dest" in headers
            or b"x-forwarded-for" in headers  # a proxy that rewrites Host looks like this machine
            or b"forwarded" in headers
            or not serves_plain_http(headers.get(b"host", b""))
        )

    @property
    def path(self) -> str:
        """The path as it was sent: a decoded or rebuilt one may match what the router does not."""
        raw: bytes | None = self.scope.get("raw_path")
        return raw.decode("latin-1") if raw else str(self.scope["path"])

    # -- before the application --------------------------------------------------------------------------

    async def open(self) -> bool:
        """Load the session; False if the request was answered, for the store is down."""
        middleware, scope = self.middleware, self.scope
        manager = middleware.manager
        # A proxy that waits for the whole of an upload hands it on late: see `rotation.judge`.
        held = 0.0 if scope.get("method", "GET") in SAFE else LONGEST_UPLOAD
        try:
            token = self._token()
            client = partial(_client, self.headers, scope.get("client"))
            self.session = await manager.load(token, client, held=held)
        except (StoreUnavailable, ConfigurationError) as error:
            logger.error("no session could be loaded: %s", error)
            if not middleware.public.match(self.path):
                await self.answer(refusal(error, html=self._wants_html()))
                return False
            self.session, self.fault = Session(manager.engine, manager.engine.now()), error
        scope["session"] = self.session
        scope["coatcheck"] = manager
        return True

    def _token(self) -> str | None:
        middleware, cookie = self.middleware, self.headers.get(b"cookie")
        if self.by_header:
            return self._text(middleware.header or b"") or None
        if cookie is None:
            return None
        read = middleware.manager.cookie.read
        if self.scope["type"] == "websocket" and not self.secure and (token := read(cookie)) is not None:
            # A browser's handshake has no Sec-Fetch headers, and on localhost the Secure cookie all the same.
            self.secure = True
            return token
        return read(cookie, self.secure)

    def from_elsewhere(self) -> Refusal | None:
        """The refusal of a request that another site made, or None."""
        if self.by_header:
            return None
        scope, headers = self.scope, self.headers
        return self.middleware.origins.check(
            scope.get("method", "GET"),
            self.path,
            own_origin(scope.get("scheme", "http"), self._text(b"host")),
            self._text(b"origin") if b"origin" in headers else None,
            self._text(b"sec-fetch-site") if b"sec-fetch-site" in headers else None,
            websocket=scope["type"] == "websocket",
        )

    async def without_token(self) -> Refusal | None:
        """The refusal of a signed-in cookie session's form that lacks its token, or None."""
        session = self.session
        if self.by_header or session.user_id is None or self.path in self.middleware.exempt:
            return None
        engine = self.middleware.manager.engine
        given = self._text(CSRF_HEADER) or await self._token_in_body()
        if given and engine.csrf_matches(session, given):
            return None
        return refuse_token(self.scope["method"], self.path, shown=bool(given))

    async def _token_in_body(self) -> str | None:
        """The form's token, found in the body's first bytes; the application then receives them all again."""
        scanner = TokenScanner(self._text(b"content-type"))
        held: list[Message] = []
        read = 0
        while not scanner.done and read <= SCAN_LIMIT:
            message = await self.receive()
            keep(held, message)
            if message["type"] != "http.request":
                break
            chunk: bytes = message.get("body", b"")
            read += len(chunk)
            more = message.get("more_body", False)
            scanner.feed(chunk[: SCAN_LIMIT + 1], last=not more)
            if not more:
                break
        held.reverse()
        receive = self.receive

        async def replay() -> Message:
            return held.pop() if held else await receive()

        self.receive = replay
        return scanner.token

    async def refused(self, refusal: Refusal | None) -> bool:
        """Answer 403 and say that the request is over; in report mode it is only told."""
        if refusal is None:
            return False
        middleware = self.middleware
        middleware.manager.engine.emit("csrf_refused", reason=refusal.reason, detail={"why": refusal.log})
        if middleware.csrf == "report":
            return False
        await self.answer(forbidden(refusal.public, html=self._wants_html()))
        return True

    # -- around the application --------------------------------------------------------------------------

    async def run(self) -> None:
        """Call the application; commit before its response starts, and once more at its end."""
        try:
            await self.middleware.app(self.scope, self.receive, self.sending)
        except ReauthenticationRequired as error:
            await self._settle(failed=True)
            if self.started:
                raise
            await self.answer(refusal(error, html=self._wants_html()))
            return
        except BaseException as error:
            # A failed request commits nothing but an end. A websocket whose other side has gone has not failed: that
            # is how Starlette and Litestar leave a loop that receives.
            gone = type(error).__name__ == "WebSocketDisconnect"
            await self._settle(failed=self.failed or not gone)
            raise
        if self.error is not None:
            raise self.error
        if not self.answered and self._has_more():
            await self._settle(failed=self.failed)

    async def _settle(self, failed: bool) -> None:
        """The commit after the response: there is nobody left to tell but the log."""
        # In a task of its own: a timeout that cancels the request must not cancel its logout.
        await asyncio.shield(self._commit_late(failed))

    async def _commit_late(self, failed: bool) -> None:
        try:
            await self.middleware.manager.commit(self.session, failed=failed)
        except SessionEnded:
            pass  # reported as an event; what has ended stays ended
        except CoatcheckError as error:
            logger.error("what this request changed after its response had started is lost: %s", error)

    def _has_more(self) -> bool:
        """Whether the request changed something since its response started."""
        try:
            return not self.middleware.manager.engine.unchanged(self.session)
        except CoatcheckError:
            return True  # the commit raises it again, and says so

    async def sending(self, message: Message) -> None:
        """What the application sends, with the session's part in the message that starts the response."""
        if self.answered:
            return
        if not self.started and message["type"] in _STARTS:
            self.started = True
            status = message.get("status", 101)
            self.failed = status >= 500
            session, engine = self.session, self.middleware.manager.engine
            try:
                result = KEEP if engine.idle(session) else await self._commit()
            except Exception as error:  # noqa: BLE001 (raised by `run`: frameworks garble what is raised through send)
                await self._replace_response(error)
                return
            if result is KEEP and engine.shows_end(session) and self._is_navigation() and not 300 <= status < 400:
                result = DROP
            engine.response_started(session)
            message = self._with_headers(message, result)
        await self.send(message)

    async def _commit(self) -> Commit:
        if self.fault is not None:
            # Nobody knows whose session this is: a new one's cookie would sign its owner out.
            raise self.fault
        try:
            return await self.middleware.manager.commit(self.session, failed=self.failed)
        except SessionEnded:
            return KEEP  # no cookie: deleting it by name would kill another tab's new login

    async def _replace_response(self, error: Exception) -> None:
        html = self._wants_html()
        if isinstance(error, (StoreUnavailable, ReauthenticationRequired, ConfigurationError)):
            logger.error("the session could not be committed: %s", error)
            await self.answer(refusal(error, html=html))
        else:
            self.error = error
            await self.answer(too_late(html))

    def _with_headers(self, message: Message, result: Commit) -> Message:
        session, cookie = self.session, self.middleware.manager.cookie
        if result is KEEP and not session.accessed:
            return message
        headers: list[tuple[bytes, bytes]] = list(message.get("headers") or ())
        if self.by_header:
            name = self.middleware.header or b""
            vary = name
            if result.action != "keep":
                headers.append((name, (result.token or "").encode("ascii")))
        else:
            # Where a header may carry the token, a response to none differs from the response to one, too.
            vary = b"Cookie" if self.middleware.header is None else b"Cookie, " + self.middleware.header
            value = cookie.set_cookie(result, self.secure)
            if value is not None:
                headers.append((b"set-cookie", value.encode("latin-1")))
                if result.action == "set":
                    self._watch_plain_http()
        if result.action != "keep":
            headers = [pair for pair in headers if pair[0].lower() != b"cache-control"]
            headers.append((b"cache-control", b"no-store"))
        headers.append((b"vary", vary))
        return {**message, "headers": headers}

    def _watch_plain_http(self) -> None:
        """Say once that the cookie is not Secure, or why logins do not last where a browser will refuse it."""
        middleware = self.middleware
        if middleware.warned or self.scope.get("scheme") in ("https", "wss"):
            return
        cookie = middleware.manager.cookie
        if cookie.name_for(self.secure) == cookie.insecure_name:
            middleware.warned = True
            why = "as the settings ask" if cookie.always_insecure else "plain http to this machine"
            logger.warning("the session cookie goes out without Secure: %s, for development alone", why)
            return
        if any(name in self.headers for name in (b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-dest")):
            return
        middleware.warned = True
        logger.warning(
            "a Secure cookie was set over plain http for the host %r, and browsers refuse it there. Either a proxy "
            "does not pass the scheme on (X-Forwarded-Proto; uvicorn --proxy-headers), or this is a development "
            "host name: use localhost, or set COATCHECK_COOKIE_SECURE=0 for development alone.",
            self._text(b"host")[:100],
        )

    # -- answers of our own ------------------------------------------------------------------------------

    async def answer(self, reply: Reply) -> None:
        """Send a whole response in place of the application's."""
        self.answered = True
        if self.scope["type"] == "http":
            start, body = "http.response.start", "http.response.body"
        elif "websocket.http.response" in (self.scope.get("extensions") or {}):
            start, body = "websocket.http.response.start", "websocket.http.response.body"
        else:
            code = TRY_AGAIN if reply.status == 503 else POLICY_VIOLATION
            await self.send({"type": "websocket.close", "code": code})
            return
        await self.send({"type": start, "status": reply.status, "headers": reply.headers})
        await self.send({"type": body, "body": b"" if self.scope.get("method") == "HEAD" else reply.body})

    def _text(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    def _wants_html(self) -> bool:
        return b"text/html" in self.headers.get(b"accept", b"")

    def _is_navigation(self) -> bool:
        headers = self.headers
        return headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"


def _client(headers: dict[bytes, bytes], peer: tuple[str, int] | None) -> Client:
    """Who asks. It knows nothing of the visit: a session that did would be garbage only the collector finds."""
    agent = headers.get(b"user-agent")
    return Client(peer[0] if peer else None, agent.decode("latin-1") if agent else None)
