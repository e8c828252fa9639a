"""A note that lives in the session, in three fields: two tabs at once lose nothing."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..access import see, signed_in
from ..flash import flash
from ..page import form_of, render

FIELDS = {"title": ("note_title", 120), "text": ("note_text", 8_000), "colour": ("note_colour", 10)}
"""What a form sends, the field of the session that it becomes, and how many characters it may have."""

SLOWLY = 3.0
"""Seconds that saving "slowly" takes; the page says so."""

COLOURS = ("sand", "mint", "rose", "sky")


async def show(request: Request) -> Response:
    """One form for each field."""
    signed_in(request)
    return render(request, "notes.html", colours=COLOURS)


async def save(request: Request) -> Response:
    """Change one field. "Slowly" leaves time to save another in a second tab, while this one is under way."""
    session = signed_in(request)
    part = request.path_params["part"]
    if part not in FIELDS:
        raise HTTPException(404)
    field, longest = FIELDS[part]
    form = await form_of(request)
    value = form.get(part, "").replace("\r\n", "\n")
    if len(value) > longest or (part == "colour" and value not in COLOURS):
        error = f"At most {longest} characters." if part != "colour" else "Choose one of the colours."
        return render(request, "notes.html", 422, colours=COLOURS, part=part, error=error, given=value)
    if "slowly" in form:
        await asyncio.sleep(SLOWLY)
    session[field] = value
    flash(session, f"The {part} is saved.")
    return see("/notes")


ROUTES = [Route("/notes", show), Route("/notes/{part}", save, methods=["POST"])]
