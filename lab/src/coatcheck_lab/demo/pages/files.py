"""The vault's files: the list, and downloads by single-use tickets."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from coatcheck.errors import TicketError, TicketExpired, TicketInvalid, TicketRevoked, TicketSpent
from coatcheck.integrations.gate import TicketGate, ticket_from
from coatcheck.integrations.starlette import manager_from

from ..access import see, signed_in
from ..flash import flash
from ..page import form_of, render
from ..settings import TICKET_LIFE
from ..state import state_of
from ..vault import Document

EDITORS = ("editor", "administrator")


async def index(request: Request) -> Response:
    """The list; editors can add to it."""
    signed_in(request)
    documents = await run_in_threadpool(state_of(request).vault.all)
    return render(request, "files.html", documents=documents, editors=EDITORS)


async def add(request: Request) -> Response:
    """A new text, from an editor. The role is the session's: an administrator's change is in it at once."""
    session = signed_in(request)
    if session.get("role") not in EDITORS:
        raise HTTPException(403, "Only editors add documents. An administrator can make you one.")
    form = await form_of(request)
    vault = state_of(request).vault
    title, text = form.get("title", ""), form.get("text", "")
    error = await run_in_threadpool(vault.add, title, text, session.user_id or "")
    if error:
        documents = await run_in_threadpool(vault.all)
        context = {"documents": documents, "editors": EDITORS, "error": error, "title": title, "text": text}
        return render(request, "files.html", 422, **context)
    flash(session, f"“{title}” is in the vault.")
    return see("/")


async def _document(request: Request, number: int) -> Document:
    document = await run_in_threadpool(state_of(request).vault.find, number)
    if document is None:
        raise HTTPException(404)
    return document


async def ticket(request: Request) -> Response:
    """A ticket for one download: used at once, or shown as a link."""
    session = signed_in(request)
    document = await _document(request, request.path_params["number"])
    tickets = manager_from(request).tickets
    jwt = await tickets.issue("download", {"file": document.id}, session=session, ttl=TICKET_LIFE)
    link = f"/download?{urlencode({'ticket': jwt})}"
    if "show" in await form_of(request):
        whole = f"{request.url.scheme}://{request.url.netloc}{link}"
        return render(request, "link.html", document=document, link=link, whole=whole, life=TICKET_LIFE)
    return see(link)


async def download(request: Request) -> Response:
    """The file that the ticket names: the gate has let the request in, once."""
    document = await _document(request, int(ticket_from(request).claims["file"]))
    content = await run_in_threadpool(state_of(request).vault.content, document.id)
    return Response(
        content,
        media_type=document.kind,
        headers={"Content-Disposition": f'attachment; filename="{document.name}"'},
    )


REFUSALS: dict[type[TicketError], tuple[str, str]] = {
    TicketSpent: ("This link was used before", "Each link gives the file out once, like a cloakroom ticket."),
    TicketExpired: ("This link has expired", "A link lives for two minutes."),
    TicketRevoked: ("This link is no longer good", "The session that asked for it has ended, and its links with it."),
    TicketInvalid: ("This link is not for you", "A link works only in the browser that asked for it, and unaltered."),
}


def refusal(scope: Scope, error: TicketError, status: int) -> str:
    """The page for a ticket that the gate refuses."""
    title, text = next(words for kind, words in REFUSALS.items() if isinstance(error, kind))
    response = render(Request(scope), "error.html", status, title=title, text=text, again=True)
    return bytes(response.body).decode()


ROUTES = [
    Route("/", index),
    Route("/documents", add, methods=["POST"]),
    Route("/documents/{number:int}/ticket", ticket, methods=["POST"]),
    Route("/download", download, middleware=[Middleware(TicketGate, purpose="download", page=refusal)]),
]
