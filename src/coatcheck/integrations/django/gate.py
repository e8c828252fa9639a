"""The download gate: a view behind a ticket that is used once.

    @ticket_required("download")
    def download(request):
        return FileResponse(open(ticket_from(request).claims["file"], "rb"))

The ticket comes in the query (`?ticket=`) or in the field `ticket` of a posted form. `passage` says when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Unpack

from asgiref.sync import iscoroutinefunction  # Django stands on it, and marks its class-based views by it

from ...errors import ConfigurationError
from ...passage import GateOptions, GateSettings, Passage, in_environ
from ...replies import Reply
from ...tickets import Ticket
from . import managers
from .middleware import session_from
from .visit import NO_STORE, to_response

View = Callable[..., Any]


def ticket_from(request: Any) -> Ticket:
    """The ticket of a request behind the gate. Raises `ConfigurationError` anywhere else."""
    found = getattr(request, "coatcheck_ticket", None)
    if not isinstance(found, Ticket):
        raise ConfigurationError("no ticket here: put @ticket_required() around this view")
    return found


def ticket_required(purpose: str = "download", **settings: Unpack[GateOptions]) -> Callable[[View], View]:
    """Let one answer of a view out for each ticket of `purpose`, for the session that asked for it. `settings` are
    those of `coatcheck.passage.GateSettings`; `page` gets Django's request."""
    wanted = GateSettings(purpose, **settings)

    def around(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def behind(request: Any, *args: Any, **kwargs: Any) -> Any:
                manager, passage = managers.async_manager(), _passage(request, wanted)
                if reply := await manager.carry_out(passage.opens()):
                    return _out(passage, to_response(reply))
                request.coatcheck_ticket = passage.ticket
                response = await view(request, *args, **kwargs)
                if _unrendered(response):
                    return _rendered_first(passage, response)
                reply = await manager.carry_out(passage.takes(response.status_code))
                return _out(passage, response, reply)

            return behind

        @wraps(view)
        def behind_sync(request: Any, *args: Any, **kwargs: Any) -> Any:
            manager, passage = managers.sync_manager(), _passage(request, wanted)
            if reply := manager.carry_out(passage.opens()):
                return _out(passage, to_response(reply))
            request.coatcheck_ticket = passage.ticket
            response = view(request, *args, **kwargs)
            if _unrendered(response):
                return _rendered_first(passage, response)
            reply = manager.carry_out(passage.takes(response.status_code))
            return _out(passage, response, reply)

        return behind_sync

    return around


def _unrendered(response: Any) -> bool:
    return not getattr(response, "is_rendered", True)


def _rendered_first(passage: Passage, response: Any) -> Any:
    """A `TemplateResponse`, whose template may still fail: then the ticket stays whole. Django renders on a thread."""

    def take(rendered: Any) -> Any:
        reply = managers.sync_manager().carry_out(passage.takes(rendered.status_code))
        return _out(passage, rendered, reply)

    response.add_post_render_callback(take)
    return response


def _passage(request: Any, settings: GateSettings) -> Passage:
    return Passage(
        settings,
        managers.sync_manager(),
        session_from(request),
        request,
        jwt=_find(request, settings.parameter),
        method=request.method,
        path=request.coatcheck.path,
        headers=request.coatcheck.headers,
    )


def _find(request: Any, parameter: str) -> str:
    """The ticket's text, "" for none. The address loses it: servers log that when the response starts."""
    jwt = in_environ(request.META, parameter)
    if jwt is None:
        values = request.POST.getlist(parameter) if request.method == "POST" else []
        return values[0] if len(values) == 1 else ""
    request.__dict__.pop("GET", None)
    scope = getattr(request, "scope", None)
    if scope is not None:
        scope["query_string"] = request.META["QUERY_STRING"].encode("latin-1")
    return jwt


def _out(passage: Passage, response: Any, refusal: Reply | None = None) -> Any:
    """A response, safe to send, or the refusal in its place."""
    if refusal is not None:
        refused = to_response(refusal)
        # The response that nobody gets is closed with the one that goes out.
        refused._resource_closers.extend(response._resource_closers)  # noqa: SLF001 (as Django's own handler does)
        response = refused
    safe = passage.headers(response.status_code, response.headers.items())
    for name in list(response.headers):
        del response.headers[name]
    for name, value in safe:
        response.headers[name] = value
    response.headers["Cache-Control"] = NO_STORE
    return response
