"""One request and its response, as every integration sees them: without a framework, without I/O.

A `Front` is what an application set up once. An `Exchange` reads a request's headers, judges where it came from,
and says which headers and which answers of our own belong to its response. Drivers load, commit and send.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import Generic, Literal, NamedTuple, TypeVar

from .csrf import HEADER, SAFE, OriginCheck, Refusal, own_origin, refuse_token
from .engine import DROP, KEEP, Commit
from .errors import (
    CoatcheckError,
    ConfigurationError,
    CSRFError,
    ReauthenticationRequired,
    StoreUnavailable,
    TicketError,
)
from .events import logger
from .hosts import serves_plain_http
from .info import Client, ClientSource
from .legacy.source import Source
from .manager import AsyncSessionManager, SessionManager
from .paths import Paths
from .replies import Reply, forbidden, refusal, too_late
from .session import Session

M = TypeVar("M", SessionManager, AsyncSessionManager)

Mode = Literal["origin", "token", "report", "off"]
_MODES = ("origin", "token", "report", "off")

ANSWERED = (StoreUnavailable, ReauthenticationRequired, TicketError, CSRFError)
"""What a handler may raise, or let through, and the middleware answers: `replies.refusal`."""

CSRF_HEADER = HEADER.lower().encode("ascii")

_SWIFT = 0.25
"""Seconds after its arrival in which a page may still delete a cookie by its name."""

LONGEST_UPLOAD = 3600.0
"""Seconds for which a proxy may have kept a request with a body before it came here."""


class Told(NamedTuple):
    """The session's part in a response. Header values are text that Latin-1 holds."""

    vary: str | None = None
    """To be added to Vary."""
    add: tuple[tuple[str, str], ...] = ()
    """Headers to add: the cookie, or the token's header."""
    no_store: bool = False
    """`Cache-Control: no-store`, in place of whatever the application says."""


NOTHING = Told()


class Front(Generic[M]):
    """The settings of a middleware or an extension: `asgi.SessionMiddleware` says what each is for.
    Raises `ConfigurationError` for those that contradict themselves."""

    def __init__(
        self,
        manager: M,
        *,
        csrf: Mode = "origin",
        trusted_origins: Iterable[str] = (),
        csrf_exempt: Iterable[str] = (),
        exclude: Iterable[str] = (),
        public_paths: Iterable[str] = (),
        header: str | None = None,
        legacy: Iterable[Source] = (),
    ) -> None:
        if csrf not in _MODES:
            raise ConfigurationError(f"csrf={csrf!r}: one of {', '.join(_MODES)}")
        if not hasattr(manager.store, "own_secret"):
            manager.engine.verify("")  # a missing secret shows at start-up and not at the first request
        self.manager: M = manager
        self.csrf: Mode = csrf
        origins = trusted_origins if isinstance(trusted_origins, str) else tuple(trusted_origins)
        exempt = csrf_exempt if isinstance(csrf_exempt, str) else tuple(csrf_exempt)
        self.origins: OriginCheck = OriginCheck(origins, exempt)
        self.exempt: frozenset[str] = frozenset(exempt)
        self.exclude: Paths = Paths(exclude, "exclude")
        self.public: Paths = Paths(public_paths, "public_paths")
        self.legacy: tuple[Source, ...] = _checked(legacy, manager)
        self.header: bytes | None = _own_header(header).lower().encode("ascii") if header else None
        # Where a header may carry the token, a response to none differs from the response to one, too.
        name = (header or "").lower()
        self.looked: Told = Told(f"Cookie, {name}" if name else "Cookie")
        """What a response says that looked at a session from a cookie, and changed nothing."""
        self.looked_by_header: Told = Told(name)
        self.warned = False
        self._settings: dict[str, object] = {
            "manager": manager,
            "csrf": csrf,
            "trusted_origins": frozenset(origins),
            "csrf_exempt": self.exempt,
            "exclude": self.exclude.given,
            "public_paths": self.public.given,
            "header": self.header,
            "legacy": self.legacy,
        }

    def check_inner(self, inner: Front[M]) -> None:
        """Raises `ConfigurationError` where another one inside of this has other settings: they would not count, and
        whoever set up a stricter one must not go on in the belief that they do."""
        names = [name for name, value in self._settings.items() if inner._settings[name] != value]
        if names:
            raise ConfigurationError(
                "sessions are set up twice, one around the other, with different settings: give the inner one the "
                f"outer one's {', '.join(f'{name}=' for name in names)}, or put its paths into the outer one's exclude="
            )


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, 5.6.2)."""
_SENT_ANYWAY = re.compile(
    r"accept(-.*)?|authorization|cache-control|connection|content-.*|cookie|date|dnt|forwarded|host|if-.*|origin|pragma"
    r"|priority|proxy-.*|range|referer|sec-.*|te|transfer-encoding|upgrade.*|user-agent|via|x-forwarded-.*|x-real-ip"
)
"""Names that browsers or proxies send by themselves, or let another site's page set."""


def _own_header(name: str) -> str:
    """Raises `ConfigurationError` for a name that is none, or no proof that a script of one's own has sent it."""
    if not _TOKEN.fullmatch(name):
        raise ConfigurationError(f"header={name!r}: a header's name, such as X-Session")
    if _SENT_ANYWAY.fullmatch(name.lower()):
        raise ConfigurationError(
            f"header={name!r}: browsers send that one by themselves, and a request with it is not checked for another "
            "site's. Choose a name of your own, such as X-Session"
        )
    return name


def _checked(legacy: Iterable[Source], manager: SessionManager | AsyncSessionManager) -> tuple[Source, ...]:
    """Sources of old sessions. Raises `ConfigurationError` for what is none, or reads for too long."""
    sources = (legacy,) if isinstance(legacy, Source) else tuple(legacy)
    absolute = manager.policy.absolute_timeout
    for source in sources:
        if not isinstance(source, Source):
            raise ConfigurationError(f"legacy: sources such as StarletteCookie(...), not a {type(source).__name__}")
        left = source.until - manager.engine.now()
        if left > absolute.total_seconds():
            raise ConfigurationError(
                f"{source!r}: until= lies further ahead than Policy(absolute_timeout) of {absolute}, for which "
                "revoke_user bars old sessions. Bring it nearer, or lengthen the other"
            )
        if left <= 0:
            logger.warning("%r: its period is over, nothing is read any more. Take it out of legacy=", source)
        source.check()
    return sources


CACHE_RULES = ("cache-control", "surrogate-control")
"""How the names of headers end that tell a cache to keep a response: `CDN-Cache-Control` counts for more than
`Cache-Control` there (RFC 9213)."""


class Exchange(Generic[M]):
    """One request. `headers` have lower-case names; one that came more than once is joined."""

    session: Session
    """Set by `arrival`."""
    fault: CoatcheckError | None = None
    """Why a public path is served to a visitor."""
    came_as: str | None = None
    """Who was signed in when the request came."""
    moved: str | None = None
    """The token of the session that an old credential stands for, which the client does not hold yet."""
    moved_by_header = False
    """That credential came in a header which no browser sends by itself."""

    def __init__(
        self,
        front: Front[M],
        headers: dict[bytes, bytes],
        method: str,
        path: str,
        scheme: str,
        peer: str | None,
        websocket: bool = False,
    ) -> None:
        """`path` is the raw one, as it came; `peer` the address of who connects."""
        self.front: Front[M] = front
        self.headers = headers
        self.method: str = method
        self.path: str = path
        self.scheme: str = scheme
        self.websocket: bool = websocket
        self.unsafe: bool = websocket or method not in SAFE
        self.held: float = LONGEST_UPLOAD if self.unsafe and not websocket else 0.0
        """Seconds for which a proxy that waits for the whole of an upload may have kept it: see `rotation.judge`."""
        # It knows nothing of this exchange: a session that did would be garbage only the collector finds.
        self.client: ClientSource = partial(_client, headers, peer)
        """Who asks, to be found out when it is to be kept."""
        self.excluded: bool = front.exclude.match(path)
        """Whether this path has no session."""
        self.by_header: bool = front.header in headers
        # Browsers send Sec-Fetch-* exactly where they take Secure cookies, even behind a proxy that hides https.
        self.secure: bool = (
            scheme in ("https", "wss")
            or b"sec-fetch-mode" in headers
            or b"sec-fetch-site" in headers
            or b"sec-fetch-dest" in headers
            or b"x-forwarded-for" in headers  # a proxy that rewrites Host looks like this machine
            or b"x-forwarded-proto" in headers
            or b"x-real-ip" in headers
            or b"forwarded" in headers
            or not serves_plain_http(headers.get(b"host", b""))
        )

    # -- before the application --------------------------------------------------------------------------

    def token(self) -> str | None:
        """The token that was sent, or None."""
        front, cookie = self.front, self.headers.get(b"cookie")
        if self.by_header:
            return self.text(front.header or b"") or None
        if cookie is None:
            return None
        read = front.manager.cookie.read
        if self.websocket and not self.secure and (token := read(cookie)) is not None:
            # A browser's handshake has no Sec-Fetch headers, and on localhost the Secure cookie all the same.
            self.secure = True
            return token
        return read(cookie, self.secure)

    def from_elsewhere(self) -> Reply | None:
        """The answer to an unsafe request that another site made, or None: it may go on."""
        if not self.unsafe or self.front.csrf == "off" or self.by_header:
            return None
        headers = self.headers
        return self._refused(
            self.front.origins.check(
                self.method,
                self.path,
                own_origin(self.scheme, self.text(b"host")),
                self.text(b"origin") if b"origin" in headers else None,
                self.text(b"sec-fetch-site") if b"sec-fetch-site" in headers else None,
                websocket=self.websocket,
            )
        )

    def asks_token(self, session: Session) -> bool:
        """Whether this request has to show the session's form token."""
        front = self.front
        if not self.unsafe or front.csrf != "token" or self.websocket or self.by_header or self.moved_by_header:
            return False
        return session.user_id is not None and self.path not in front.exempt

    @property
    def token_in_header(self) -> str:
        """The form token that a script sends, or ""."""
        return self.text(CSRF_HEADER)

    def without_token(self, session: Session, given: str | None) -> Reply | None:
        """The answer to a request that lacks the form token or has a wrong one, or None."""
        if given and self.front.manager.engine.csrf_matches(session, given):
            return None
        return self._refused(refuse_token(self.method, self.path, shown=bool(given)))

    def _refused(self, refusal: Refusal | None) -> Reply | None:
        """403, and an event; in report mode it is only told."""
        if refusal is None:
            return None
        self.front.manager.engine.emit("csrf_refused", reason=refusal.reason, detail={"why": refusal.log})
        return None if self.front.csrf == "report" else forbidden(refusal.public, html=self.html)

    def without_store(self, error: CoatcheckError) -> Reply | None:
        """The answer where no session could be loaded; None: the path is served to a visitor all the same."""
        logger.error("no session could be loaded: %s", error)
        self.session, self.fault = self.visitor(), error
        return None if self.front.public.match(self.path) else refusal(error, html=self.html)

    def visitor(self) -> Session:
        """A session for whom nothing was loaded."""
        engine = self.front.manager.engine
        return engine.session_class(engine, engine.now())

    # -- the response ------------------------------------------------------------------------------------

    def replacement(self, error: Exception) -> Reply:
        """The answer in place of a response whose commit failed. An error that `is_ours` is then reported here, any
        other is for the driver to raise."""
        if self.is_ours(error):
            if not isinstance(error, ReauthenticationRequired):
                logger.error("the session could not be committed: %s", error)
            return refusal(error, html=self.html)  # type: ignore[arg-type]
        return too_late(self.html)

    @staticmethod
    def is_ours(error: BaseException) -> bool:
        """Whether an error is answered and not raised."""
        return isinstance(error, (StoreUnavailable, ReauthenticationRequired, ConfigurationError))

    def told(self, session: Session, result: Commit, status: int) -> Told:
        """What a response of that status says of the commit."""
        front = self.front
        engine = front.manager.engine
        if self.moved is not None and result.action == "keep" and status < 500:
            result = engine.retold(session)
        if result is KEEP and engine.shows_end(session) and self._is_navigation() and not 300 <= status < 400:
            # By name: on a slow page the cookie of that name may be, by now, that of another tab's new login.
            result = DROP if engine.now() - engine.began(session) < _SWIFT else KEEP
        engine.response_started(session)
        if result is KEEP and not session.accessed:
            return NOTHING
        looked = front.looked_by_header if self.by_header else front.looked
        if result.action == "keep":
            return looked
        if self.by_header:
            return Told(looked.vary, ((looked.vary or "", result.token or ""),), True)
        if result.action == "set":
            self._watch_plain_http()
        line: str = front.manager.cookie.set_cookie(result, self.secure) or ""
        return Told(looked.vary, (("set-cookie", line), *self._old_cookies(line, session)), True)

    def _old_cookies(self, line: str, session: Session) -> list[tuple[str, str]]:
        """What deletes the old cookies that came with this request: each is a second credential. A visitor's session
        leaves alone those that another path is to exchange; a login or a logout does not."""
        visiting = session.user_id is None and not session.is_new and self.came_as is None
        return [
            ("set-cookie", source.deletion(line))
            for source in self.front.legacy
            if source.cookie not in (None, line.partition("=")[0])
            and (source.shown(self.headers, self.path) if visiting else source.sent(self.headers))
        ]

    def _watch_plain_http(self) -> None:
        """Say once that the cookie is not Secure, or why logins do not last where a browser will refuse it."""
        front = self.front
        if front.warned or self.scheme in ("https", "wss"):
            return
        cookie = front.manager.cookie
        if cookie.name_for(self.secure) == cookie.insecure_name:
            front.warned = True
            why = "as the settings ask" if cookie.always_insecure else "plain http to this machine"
            logger.warning("the session cookie goes out without Secure: %s, for development alone", why)
            return
        if any(name in self.headers for name in (b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-dest")):
            return
        front.warned = True
        logger.warning(
            "a Secure cookie was set over plain http for the host %r, and browsers refuse it there. Either a proxy "
            "does not pass the scheme on (X-Forwarded-Proto; uvicorn --proxy-headers), or this is a development "
            "host name: use localhost, or set COATCHECK_COOKIE_SECURE=0 for development alone.",
            self.text(b"host")[:100],
        )

    # -- parts -------------------------------------------------------------------------------------------

    def text(self, name: bytes) -> str:
        """A header's value, "" for none."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def html(self) -> bool:
        """Whether a person reads the answer."""
        return b"text/html" in self.headers.get(b"accept", b"")

    def _is_navigation(self) -> bool:
        headers = self.headers
        return headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"


def _client(headers: dict[bytes, bytes], peer: str | None) -> Client:
    agent = headers.get(b"user-agent")
    return Client(peer, agent.decode("latin-1") if agent else None)
