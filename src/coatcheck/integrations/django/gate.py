"""The download gate: a view behind a ticket that is used once.

    @ticket_required("download")
    def download(request):
        return FileResponse(open(ticket_from(request).claims["file"], "rb"))

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form. `passage` says when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction  # Django stands on it, and marks its class-based views by it

from ...clock import as_datetime
from ...errors import ConfigurationError, StoreUnavailable, TicketError
from ...exchange import CACHE_RULES
from ...passage import SAFE_HEADERS, Passage, early, in_query, with_page
from ...replies import Reply
from ...tickets import Spent, Ticket
from . import managers
from .middleware import session_from
from .visit import NO_STORE, to_response

View = Callable[..., Any]
Page = Callable[[Any, TicketError, int], str]
"""Makes the HTML of a refusal from the request, the error and the status."""

_REPLACED = (*SAFE_HEADERS, *CACHE_RULES)


def ticket_from(request: Any) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = getattr(request, "coatcheck_ticket", None)
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put @ticket_required() around this view")
    return found


def ticket_required(
    purpose: str = "download",
    *,
    parameter: str = "ticket",
    resume: timedelta = timedelta(minutes=5),
    page: Page | None = None,
    attachment: bool = True,
) -> Callable[[View], View]:
    """Let one answer of a view out for each ticket of `purpose`, for the session that asked for it.

    For answers, such as files: of requests that come at once each may run the view, and one gets its answer. An
    action that must happen once calls `tickets.redeem` before it acts. `resume`: for so long after the first use that
    session may go on with the same path by Range. `page`: your own page of a refusal. `attachment`: send it as a
    download unless the view says otherwise (ASVS 3.2.1).
    """

    def around(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def behind(request: Any, *args: Any, **kwargs: Any) -> Any:
                way = _Way(request, purpose, parameter, resume, page, attachment)
                return await _adrive(way.plan(), lambda: view(request, *args, **kwargs))

            return behind

        @wraps(view)
        def behind_sync(request: Any, *args: Any, **kwargs: Any) -> Any:
            way = _Way(request, purpose, parameter, resume, page, attachment)
            return _drive(way.plan(), lambda: view(request, *args, **kwargs))

        return behind_sync

    return around


Plan = Generator[Callable[[Any], Any] | None, Any, Any]
"""Yields what to ask of the tickets, or None for the view; is sent what that gave; returns the response."""


def _drive(plan: Plan, view: Callable[[], Any]) -> Any:
    tickets = managers.sync_manager().tickets
    try:
        asked = next(plan)
        while True:
            try:
                result = view() if asked is None else asked(tickets)
            except (TicketError, StoreUnavailable) as error:
                asked = plan.throw(error)
            else:
                asked = plan.send(result)
    except StopIteration as done:
        return done.value


async def _adrive(plan: Plan, view: Callable[[], Any]) -> Any:
    tickets = managers.async_manager().tickets
    try:
        asked = next(plan)
        while True:
            try:
                result = await (view() if asked is None else asked(tickets))
            except (TicketError, StoreUnavailable) as error:
                asked = plan.throw(error)
            else:
                asked = plan.send(result)
    except StopIteration as done:
        return done.value


class _Way:
    """One request on its way through the gate."""

    def __init__(
        self, request: Any, purpose: str, parameter: str, resume: timedelta, page: Page | None, attachment: bool
    ) -> None:
        self.request, self.purpose, self.resume, self.page, self.attachment = request, purpose, resume, page, attachment
        self.session, visit = session_from(request), request.coatcheck
        self.jwt = _find(request, parameter)
        self.passage = Passage(visit.path.encode("latin-1"), visit.headers, resume)
        self.early = early(request.method, visit.headers)

    def plan(self) -> Plan:
        """From the ticket to the response."""
        if self.early is not None:
            return _safe(to_response(self.early))
        passage, resume = self.passage, self.resume
        try:
            passage.ticket = yield lambda tickets: tickets.peek(self.jwt, self.purpose, self.session, resume=resume)
        except (TicketError, StoreUnavailable) as error:
            if not self.goes_on(error):
                return self.refusal(error)
        if self.request.method == "HEAD":
            return _safe(to_response(Reply(200, [], b"")))
        self.request.coatcheck_ticket = passage.ticket
        response = yield None
        try:
            if passage.step(response.status_code) == "redeem":
                yield lambda tickets: tickets.redeem(
                    self.jwt, self.purpose, self.session, note=passage.note, resume=resume
                )
        except (TicketError, StoreUnavailable) as error:
            return self.late(error, response)
        return self.out(response)

    def goes_on(self, error: Exception) -> bool:
        """Whether the session resumes what it began."""
        now = as_datetime(managers.sync_manager().engine.now())
        return isinstance(error, Spent) and self.passage.seen(error, now)

    def late(self, error: TicketError | StoreUnavailable, response: Any) -> Any:
        """What goes out where the ticket could not be taken: of parallel ranges one came first, the others resume."""
        if self.passage.resuming is None and self.goes_on(error):
            try:
                self.passage.step(response.status_code)
            except TicketError as second:
                error = second
            else:
                return self.out(response)
        refused = self.refusal(error)
        # The response that nobody gets is closed with the one that goes out.
        refused._resource_closers.extend(response._resource_closers)  # noqa: SLF001 (as Django's own handler does)
        return refused

    def out(self, response: Any) -> Any:
        """The response, safe to send."""
        names = {name.lower() for name in response.headers}
        if self.attachment and self.passage.attaches(response.status_code, names):
            response.headers["Content-Disposition"] = "attachment"
        return _safe(response)

    def refusal(self, error: TicketError | StoreUnavailable) -> Any:
        """The page of a refusal."""
        answer = self.passage.answer(error)
        if self.page is not None and isinstance(error, TicketError) and self.passage.html:
            answer = with_page(answer, self.page(self.request, error, answer.status))
        return _safe(to_response(answer))


def _find(request: Any, parameter: str) -> str:
    """The ticket's text, "" for none. The address loses it: servers log that when the response starts."""
    found = in_query(request.META.get("QUERY_STRING", ""), parameter)
    if found is None:
        values = request.POST.getlist(parameter) if request.method == "POST" else []
        return values[0] if len(values) == 1 else ""
    jwt, query = found
    request.__dict__.pop("GET", None)
    request.META["QUERY_STRING"] = query
    for name in ("RAW_URI", "REQUEST_URI"):
        if name in request.META:
            request.META[name] = f"{request.META[name].partition('?')[0]}?{query}"
    scope = getattr(request, "scope", None)
    if scope is not None:
        scope["query_string"] = query.encode("latin-1")
    return jwt


def _safe(response: Any) -> Any:
    for name in [name for name in response.headers if name.lower().endswith(_REPLACED)]:
        del response.headers[name]
    for name, value in SAFE_HEADERS.items():
        response.headers[name] = value
    response.headers["Cache-Control"] = NO_STORE
    return response
