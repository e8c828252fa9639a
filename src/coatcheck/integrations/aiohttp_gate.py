"""The download gate: a handler behind a ticket that is used once.

    @routes.get("/download")
    @ticket_gate()
    async def download(request):
        return web.FileResponse(ticket_from(request).claims["file"])

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form. `passage` says when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Unpack

from ..errors import ConfigurationError
from ..passage import GateOptions, GateSettings, Passage, in_form, in_query, is_short_form
from ..replies import Reply
from ..tickets import Ticket
from .aiohttp_visit import Handler, as_response, visit_of

try:
    from aiohttp import web
    from yarl import URL
except ImportError as _error:  # pragma: no cover
    raise ConfigurationError('aiohttp is missing: pip install "coatcheck[aiohttp]"') from _error

_KEY: Any = web.RequestKey("coatcheck.ticket", object) if hasattr(web, "RequestKey") else "coatcheck.ticket"
_OF_THE_ADDRESS = ("rel_url", "url", "path_qs", "raw_path", "query", "query_string")


def ticket_from(request: web.BaseRequest) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = request.get(_KEY)
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put @ticket_gate() on this handler")
    return found


def ticket_gate(purpose: str = "download", **settings: Unpack[GateOptions]) -> Callable[[Handler], Handler]:
    """A decorator of a handler: one answer of it for each ticket of `purpose`, for the session that asked for it.
    `settings` are those of `coatcheck.passage.GateSettings`; `page` gets aiohttp's request."""
    wanted = GateSettings(purpose, **settings)

    def decorator(handler: Handler) -> Handler:
        @wraps(handler)
        async def gated(request: web.Request) -> web.StreamResponse:
            way = _Way(request, wanted, await _find(request, wanted.parameter))
            try:
                return await way.answer(handler)
            except _RefusedError as refused:
                return as_response(refused.reply)

        return gated

    return decorator


class _RefusedError(Exception):
    """Stops a response that must not go out; the answer in its place."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


class _Way:
    """One request on its way through the gate."""

    def __init__(self, request: web.Request, settings: GateSettings, jwt: str) -> None:
        visit = visit_of(request)
        self.request, self.manager = request, visit.front.manager
        self.passage = Passage(
            settings,
            visit.front.manager,
            visit.session,
            request,
            jwt=jwt,
            method=request.method,
            path=visit.path,
            headers=visit.headers,
        )
        visit.before = self.starts

    async def answer(self, handler: Handler) -> web.StreamResponse:
        """The handler's response, its ticket taken, or ours."""
        if reply := await self.manager.carry_out(self.passage.opens()):
            return as_response(reply)
        self.request[_KEY] = self.passage.ticket
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
        """Take the ticket. Raises what stops the response."""
        if reply := await self.manager.carry_out(self.passage.takes(status)):
            raise _RefusedError(reply)

    async def starts(self, response: web.StreamResponse) -> None:
        """What every answer has; a success that the handler starts itself has its ticket taken here."""
        if response.status < 400:
            await self.take(response.status)
        safe = self.passage.headers(response.status, response.headers.items())
        response.headers.clear()
        response.headers.extend(safe)


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
    if not is_short_form(request.method, request.content_length):
        return ""
    return in_form(await request.read(), parameter)
