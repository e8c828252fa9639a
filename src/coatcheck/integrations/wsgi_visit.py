"""One request on its way through `wsgi.SessionMiddleware`."""

from __future__ import annotations

from ..arrival import arrive
from ..csrf import TokenScanner
from ..departure import commit, has_more, settle
from ..exchange import ANSWERED, CACHE_RULES, Exchange, Front, Told
from ..incoming import environ_headers, environ_path, is_handshake
from ..manager import SessionManager
from ..replies import Reply, refusal
from ..streams import Stream, ends_with
from .wsgi_input import Ahead
from .wsgi_response import Environ, Headers, Response, StartResponse

_CHUNK = 8192


class Visit(Exchange[SessionManager], Response):
    """One request on its way through the middleware."""

    failed: bool = True
    """Until a response below 500 starts."""
    _settled = False

    def __init__(self, front: Front[SessionManager], environ: Environ, start_response: StartResponse) -> None:
        Response.__init__(self, environ, start_response)
        super().__init__(
            front,
            environ_headers(environ),
            method=environ["REQUEST_METHOD"],
            path=environ_path(environ),
            scheme=environ["wsgi.url_scheme"],
            peer=environ.get("REMOTE_ADDR") or None,
            websocket=is_handshake(environ),
        )

    # -- before the application --------------------------------------------------------------------------

    def open(self) -> Reply | None:
        """Load the session; the answer where the store is down."""
        if reply := arrive(self):
            return reply
        self.environ["coatcheck.session"] = self.session
        self.environ["coatcheck.front"] = self.front
        return None

    def lacks_token(self) -> Reply | None:
        """The answer to a request that needs the form's token and does not have it."""
        if not self.asks_token(self.session):
            return None
        return self.without_token(self.session, self.token_in_header or self._token_in_body())

    def _token_in_body(self) -> str | None:
        """The form's token, found in the body's first bytes; the application then reads them all again."""
        scanner = TokenScanner(self.text(b"content-type"))
        if scanner.done:
            return None
        body = Ahead(self.environ)
        while not scanner.feed(body.look(_CHUNK), last=body.at_end):
            pass
        return scanner.token

    # -- the response's turns ----------------------------------------------------------------------------

    def begins(self, status: int, headers: Headers) -> Headers | Reply:
        """Commit, before the headers go out."""
        self.failed = status >= 500
        session = self.session
        try:
            result = commit(self, session, failed=self.failed)
        except Exception as error:
            self.failed = True
            if not self.is_ours(error):
                raise
            return self.replacement(error)
        told = self.told(session, result, status)
        kind = next((value for name, value in headers if name.lower() == "content-type"), None)
        self._pieces = iter(ends_with(self.front.manager, session, kind, self._pieces))
        return _with(headers, told)

    def failed_with(self, error: BaseException, /) -> Reply | None:
        """A failed request commits nothing but an end."""
        self.failed = True
        self._settle()
        if isinstance(error, ANSWERED):
            return refusal(error, html=self.html)
        return None

    def ends(self) -> None:
        """Commit what the body changed while it went out. There is nobody left to tell but the log."""
        if isinstance(self._pieces, Stream):
            self._pieces.close()
        if not self.answered and (not self.started or has_more(self, self.session)):
            self._settle()

    def _settle(self) -> None:
        if self._settled:
            return
        self._settled = True
        settle(self.front.manager, self.session, failed=self.failed)


def _with(headers: Headers, told: Told) -> Headers:
    """A response's headers, with what the session adds."""
    if told.vary is None:
        return headers
    headers = [*headers, *told.add]
    if told.no_store:
        headers = [pair for pair in headers if not pair[0].lower().endswith(CACHE_RULES)]
        headers.append(("Cache-Control", "no-store"))
    headers.append(("Vary", told.vary))
    return headers
