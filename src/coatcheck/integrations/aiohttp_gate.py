"""The download gate: a handler behind a ticket that is used once.

    @routes.get("/download")
    @ticket_gate()
    async def download(request):
        return web.FileResponse(ticket_from(request).claims["file"])

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form. `passage` says when it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from ..clock import as_datetime
from ..errors import ConfigurationError, StoreUnavailable, TicketError
from ..exchange import CACHE_RULES
from ..passage import MAX_FORM, SAFE_HEADERS, Passage, early, in_form, in_query, with_page
from ..replies import Reply
from ..tickets import Spent, Ticket
from .aiohttp_visit import Handler, as_response, visit_of

try:
    from aiohttp import web
    from yarl import URL
except ImportError as error:  # pragma: no cover
    raise ConfigurationError('aiohttp is missing: pip install "coatcheck[aiohttp]"') from error

Page = Callable[[web.Request, TicketError, int], str]
"""Makes the HTML of a refusal from the request, the error and the status."""

_KEY: Any = web.RequestKey("coatcheck.ticket", object) if hasattr(web, "RequestKey") else "coatcheck.ticket"
_REPLACED = (*SAFE_HEADERS, *CACHE_RULES)
_OF_THE_ADDRESS = ("rel_url", "url", "path_qs", "raw_path", "query", "query_string")


def ticket_from(request: web.BaseRequest) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = request.get(_KEY)
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put @ticket_gate() on this handler")
    return found


def ticket_gate(
    purpose: str = "download",
    *,
    parameter: str = "ticket",
    resume: timedelta = timedelta(minutes=5),
    page: Page | None = None,
    attachment: bool = True,
) -> Callable[[Handler], Handler]:
    """A decorator of a handler: one answer of it for each ticket of `purpose`, for the session that asked for it. The
    settings are those of `coatcheck.integrations.gate.TicketGate`.

    It is for answers, such as files: of requests that come at once each may run the handler, and one gets its answer.
    An action that must happen once calls `manager_from(request).tickets.redeem` before it acts.
    """

    def decorator(handler: Handler) -> Handler:
        @wraps(handler)
        async def gated(request: web.Request) -> web.StreamResponse:
            way = _Way(request, purpose, resume, attachment)
            try:
                if reply := await way.opens(parameter):
                    return as_response(reply)
                return await way.through(handler)
            except (TicketError, StoreUnavailable) as error:
                answer = way.passage.answer(error)
                if page is not None and isinstance(error, TicketError) and way.passage.html:
                    answer = with_page(answer, page(request, error, answer.status))
                return as_response(answer)

        return gated

    return decorator


class _Way:
    """One request on its way through the gate."""

    jwt = ""
    opened = taken = False

    def __init__(self, request: web.Request, purpose: str, resume: timedelta, attachment: bool) -> None:
        self.request, self.purpose, self.resume, self.attachment = request, purpose, resume, attachment
        self.visit = visit_of(request)
        self.visit.before = self.starts
        self.passage = Passage(self.visit.path.encode("latin-1", "replace"), self.visit.headers, resume)

    async def opens(self, parameter: str) -> Reply | None:
        """The answer to what never spends a ticket, or None: the handler may run. Raises a refusal."""
        request, tickets = self.request, self.visit.front.manager.tickets
        self.jwt = await _find(request, parameter)
        if reply := early(request.method, self.visit.headers):
            return reply
        try:
            self.passage.ticket = await tickets.peek(self.jwt, self.purpose, self.visit.session, resume=self.resume)
        except Spent as error:
            if not self._seen(error):
                raise
        if request.method == "HEAD":
            return Reply(200, [], b"")
        request[_KEY], self.opened = self.passage.ticket, True
        return None

    async def through(self, handler: Handler) -> web.StreamResponse:
        """The handler's response, its ticket taken. Raises a refusal."""
        raised: web.HTTPException | None = None
        try:
            response = await handler(self.request)
        except web.HTTPException as answer:
            response = raised = answer
        if isinstance(response, web.Response):
            await self.take(response.status)
        else:
            # A file learns its status, and is sent, as it is prepared; later a refusal could not be told any more.
            await response.prepare(self.request)
            # aiohttp prepares it once more, and a file that has been sent does not bear that.
            setattr(response, "prepare", _prepared)  # noqa: B010 (its type allows no assignment)
        if raised is not None:
            raise raised
        return response

    async def take(self, status: int) -> None:
        """Spend the ticket on a success. Raises what then goes out in place of the response."""
        if self.taken or not self.opened:
            return
        tickets, note = self.visit.front.manager.tickets, self.passage.note
        try:
            if self.passage.step(status) == "redeem":
                await tickets.redeem(self.jwt, self.purpose, self.visit.session, note=note, resume=self.resume)
        except Spent as error:
            # Of parallel ranges one came first; the others resume.
            if not self._seen(error):
                raise
            self.passage.step(status)
        self.taken = True

    def _seen(self, error: Spent) -> bool:
        return self.passage.seen(error, as_datetime(self.visit.front.manager.engine.now()))

    async def starts(self, response: web.StreamResponse) -> None:
        """What every answer has; a success that the handler starts itself has its ticket taken here."""
        if response.status < 400:
            await self.take(response.status)
        headers = response.headers
        for name in {name for name in headers if name.lower().endswith(_REPLACED)}:
            headers.popall(name)
        for name, value in SAFE_HEADERS.items():
            headers[name.title()] = value
        if self.opened and self.attachment and self.passage.attaches(response.status, set()):
            said = headers.get("Content-Disposition", "attachment")
            headers["Content-Disposition"] = re.sub(r"(?i)^\s*inline\b", "attachment", said)


async def _prepared(_: web.BaseRequest) -> None:
    """There is nothing left to do."""


async def _find(request: web.Request, parameter: str) -> str:
    """The ticket's text, "" for none. The address loses it: it is logged when the response is over."""
    found = in_query(request.rel_url.raw_query_string, parameter)
    if found is not None:
        address = URL(f"{request.rel_url.raw_path}?{found[1]}", encoded=True)
        # The access log asks this very request, so a clone would not do.
        hidden: Any = request
        hidden._message = request._message._replace(path=str(address), url=address)  # noqa: SLF001
        hidden._rel_url = address  # noqa: SLF001
        for name in _OF_THE_ADDRESS:
            hidden._cache.pop(name, None)  # noqa: SLF001
        return found[0]
    length = request.content_length
    if request.method != "POST" or length is None or length > MAX_FORM:
        return ""
    return in_form(await request.read(), parameter)
