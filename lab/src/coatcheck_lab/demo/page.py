"""Pages: the templates, and what all of them show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.templating import Jinja2Templates

from coatcheck.errors import StoreUnavailable
from coatcheck.integrations.starlette import session_context, session_from

from . import flash, wording

HERE = Path(__file__).parent


def _frame(request: Request) -> dict[str, Any]:
    return {
        **session_context(request),
        "path": request.url.path,
        "messages": flash.take(session_from(request)),
        "worker": os.getpid(),
    }


_templates = Jinja2Templates(HERE / "templates", context_processors=[_frame])
_templates.env.globals.update(ago=wording.ago, browser=wording.browser, moment=wording.moment, size=wording.size)
_templates.env.trim_blocks = _templates.env.lstrip_blocks = True


_PLAIN = {
    404: "There is no page at this address.",
    405: "This address takes a form. Start from the page that has it.",
}


def render(request: Request, template: str, status: int = 200, /, **context: Any) -> Response:
    """A page from its template."""
    return _templates.TemplateResponse(request, template, context, status_code=status)


async def failed(request: Request, error: Exception) -> Response:
    """A page for 404 and its like; plain text where there is no session to show a page with."""
    if isinstance(error, StoreUnavailable):
        headers = {"Retry-After": str(error.retry_after)}
        return PlainTextResponse("The session store does not answer. Try again in a moment.", 503, headers)
    if not isinstance(error, HTTPException):
        return PlainTextResponse("Something went wrong here, and nothing was saved. It is not your fault.", 500)
    status, text = error.status_code, error.detail
    if "session" not in request.scope:
        return PlainTextResponse(text, status)
    title = {404: "Not found", 405: "Not like this"}.get(status, "Refused")
    text = _PLAIN.get(status, text)
    return render(request, "error.html", status, title=title, text=text)


async def form_of(request: Request) -> dict[str, str]:
    """A form's fields as text; of a repeated field the last."""
    form = await request.form(max_files=0, max_fields=20)
    return {name: value for name, value in form.items() if isinstance(value, str)}
