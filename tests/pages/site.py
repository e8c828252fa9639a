"""A site with the pages mounted, for tests in the same process: a Starlette application and who uses it."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from coatcheck import AsyncSessionManager, Clock, Session
from coatcheck.integrations.asgi_pages import PagesApp
from coatcheck.integrations.starlette import SessionMiddleware, session_from
from coatcheck.pages import Console, Devices

FORM = re.compile(r'<input type="hidden" name="_csrf" value="([^"]+)">')


async def home(_: Request) -> HTMLResponse:
    """Forms, for a browser."""
    button = '<form method="post" action="/{0}"><input name="user"><button>{0}</button></form>'
    return HTMLResponse("<!doctype html><title>home</title>" + button.format("login") + button.format("ticket"))


async def login(request: Request) -> PlainTextResponse:
    """As the field says; with a label, if there is one."""
    form = await request.form()
    session_from(request).login(str(form["user"]), label=str(form["label"]) if "label" in form else None)
    return PlainTextResponse("signed in")


async def ticket(request: Request) -> PlainTextResponse:
    """A ticket, issued and not used."""
    manager: AsyncSessionManager = request.app.state.manager
    return PlainTextResponse(await manager.tickets.issue("download", {}, session=session_from(request)))


def is_operator(session: Session) -> bool:
    """Who may see the console."""
    return session.user_id == "operator"


def site(clock: Clock, store: str = "memory://", **settings: Any) -> Starlette:
    """The application; `settings` are `Devices`' and `Console`'s."""
    look = {"login_url": "/login"} | settings
    manager = AsyncSessionManager(store, namespace="pages", audit=timedelta(days=90), clock=clock)
    app = Starlette(
        routes=[
            Route("/", home),
            Route("/login", login, methods=["POST"]),
            Route("/ticket", ticket, methods=["POST"]),
            Mount("/devices", PagesApp(Devices(**look))),
            Mount("/console", PagesApp(Console(is_operator, **look))),
        ],
        middleware=[Middleware(SessionMiddleware, manager=manager)],
    )
    app.state.manager = manager
    return app


class Visitor:
    """Somebody with a browser."""

    def __init__(self, app: Starlette, user: str | None = None, agent: str = "curl/8", **login: str) -> None:
        self.http = TestClient(app, headers={"User-Agent": agent}, follow_redirects=False)
        self.status = 0
        self.html = ""
        if user is not None:
            self.http.post("/login", data={"user": user, **login})

    @property
    def token(self) -> str:
        """What the browser holds."""
        [cookie] = self.http.cookies.jar
        return str(cookie.value)

    @property
    def handle(self) -> str:
        """The session, by its public name."""
        return self.token.partition(".")[0]

    def get(self, path: str) -> str:
        """The page's text, without its markup."""
        answer = self.http.get(path)
        self.status, self.html = answer.status_code, answer.text
        return text(self.html)

    def post(self, path: str, *, forged: bool = False, **form: str) -> str:
        """Send a form as the page last shown would, and follow where it leads."""
        token = FORM.search(self.html)
        if token and not forged:
            form["_csrf"] = unescape(token[1])
        answer = self.http.post(path, data=form)
        self.status = answer.status_code
        if answer.status_code == 303:
            return self.get(answer.headers["location"])
        self.html = answer.text
        return text(self.html)


def text(html: str) -> str:
    """What a person reads, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html.partition("<body>")[2] or html)).split())
