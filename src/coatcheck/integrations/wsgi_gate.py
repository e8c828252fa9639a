"""The download gate: a WSGI application behind a ticket that is used once.

    mounts["/download"] = TicketGate(send_file)

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form, which keeps it out of
every log (ASVS 14.2.1). `passage` says when it is taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

from ..errors import ConfigurationError
from ..incoming import environ_headers, environ_path
from ..passage import MAX_FORM, GateOptions, GateSettings, Passage, in_environ, in_form
from ..replies import Reply
from ..tickets import Ticket
from .wsgi import environ_of, manager_from, session_from
from .wsgi_input import Ahead
from .wsgi_response import App, Environ, Headers, Response, StartResponse, answer


def ticket_from(request: Any) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = environ_of(request).get("coatcheck.ticket")
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put a TicketGate around this application")
    return found


class TicketGate:
    """Lets one answer of `app` out for each ticket of `purpose`, for the session that asked for it.

    `settings` are those of `coatcheck.passage.GateSettings`; `page` gets the request's environ.
    """

    def __init__(self, app: App, purpose: str = "download", **settings: Unpack[GateOptions]) -> None:
        self.app = app
        self.settings: GateSettings = GateSettings(purpose, **settings)

    def __call__(self, environ: Environ, start_response: StartResponse, /) -> Iterable[bytes]:
        """Serve one request."""
        jwt = self._find(environ)
        passage = Passage(
            self.settings,
            manager_from(environ),
            session_from(environ),
            environ,
            jwt=jwt,
            method=environ["REQUEST_METHOD"],
            path=environ_path(environ),
            headers=environ_headers(environ),
        )
        if reply := manager_from(environ).carry_out(passage.opens()):
            return answer(environ, start_response, reply)
        environ["coatcheck.ticket"] = passage.ticket
        return _Gated(passage, environ, start_response).run(self.app)

    def _find(self, environ: Environ) -> str:
        """The ticket's text, "" for none."""
        found = in_environ(environ, self.settings.parameter)
        if found is not None or environ["REQUEST_METHOD"] != "POST":
            return found or ""
        body, held = Ahead(environ), b""
        while len(held) <= MAX_FORM and (chunk := body.look(MAX_FORM + 1 - len(held))):
            held += chunk
        return in_form(held, self.settings.parameter)


class _Gated(Response):
    """The application's response."""

    def __init__(self, passage: Passage, environ: Environ, start_response: StartResponse) -> None:
        super().__init__(environ, start_response)
        self._passage = passage

    def begins(self, status: int, headers: Headers) -> Headers | Reply:
        """The ticket is taken before the application's success goes out."""
        refusal = manager_from(self.environ).carry_out(self._passage.takes(status))
        return refusal or self._passage.headers(status, headers)

    def failed_with(self, _error: BaseException, /) -> Reply | None:
        """What the application raises is not the gate's."""
        return None

    def ends(self) -> None:
        """Nothing is left to do."""
