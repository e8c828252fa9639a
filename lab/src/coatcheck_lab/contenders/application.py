"""The application itself: users, a page, a transfer of money, an operator's two verbs. One for all contenders."""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from .mechanism import Mechanism, Settings, Unable
from .samples import SAMPLES

PASSWORD = "correct horse battery staple"  # noqa: S105 (everybody's, in the lab)
OPERATOR = "X-Operator"
"""The header in which an operator shows the application's secret."""

PAGE = Path(__file__).with_name("page.html").read_text()

FILES = {"report": Path(__file__), "salaries": Path(__file__).with_name("page.html")}
"""What there is to download."""


def prepare(users: str) -> None:
    """Make the application's database, with one user of each role."""
    with sqlite3.connect(users) as db:
        db.executescript(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE users (name TEXT PRIMARY KEY, role TEXT NOT NULL);"
            "CREATE TABLE transfers (by TEXT NOT NULL, recipient TEXT NOT NULL);"
            "INSERT INTO users VALUES ('ada', 'editor'), ('eve', 'reader'), ('mallory', 'reader');"
        )
    db.close()


def create() -> Starlette:
    """The application, as the environment's settings say."""
    settings = Settings.of_environment()
    module, _, name = settings.made_by.partition(":")
    mechanism: Mechanism = getattr(import_module(module), name)(settings)
    desk = _Desk(mechanism, settings)
    verbs: Mapping[str, tuple[Callable[..., Any], str]] = {
        "/": (desk.page, "GET"),
        "/log-in": (desk.log_in, "POST"),
        "/log-out": (desk.log_out, "POST"),
        "/me": (desk.me, "GET"),
        "/transfer": (desk.transfer, "POST"),
        "/keep/{sample}": (desk.keep, "POST"),
        "/kept/{sample}": (desk.kept, "GET"),
        "/ticket/{file}": (desk.ticket, "POST"),
        "/shorten": (desk.shorten, "POST"),
        "/operator/revoke": (desk.revoke, "POST"),
        "/operator/role": (desk.role, "POST"),
    }
    routes: list[BaseRoute] = [Route(path, endpoint, methods=[method]) for path, (endpoint, method) in verbs.items()]
    routes.append(Mount("/files", mechanism.gate(_send_file)))
    return Starlette(routes=routes, middleware=list(mechanism.middleware), exception_handlers={Unable: _unable})


async def _unable(_: Request, error: Exception) -> Response:
    return JSONResponse({"done": None, "why": str(error)}, 501)


async def _send_file(scope: Scope, receive: Receive, send: Send) -> None:
    """The file that the gate names, in ranges if somebody resumes."""
    await FileResponse(FILES[scope["lab.file"]])(scope, receive, send)


class _Desk:
    """What the routes do, with one mechanism."""

    def __init__(self, mechanism: Mechanism, settings: Settings) -> None:
        self._mechanism, self._settings = mechanism, settings

    async def page(self, request: Request) -> Response:
        """A page that greets the visitor with what the address says, without escaping it: the hole of row `theft`."""
        hello = request.query_params.get("hello", "")
        return HTMLResponse(PAGE.replace("{{ storage }}", self._settings.storage).replace("{{ hello }}", hello))

    async def log_in(self, request: Request) -> Response:
        """Name and password; `roles` more, for who has many."""
        form = await request.form()
        name = _text(form, "name")
        [role] = _ask(self._settings.users, "SELECT role FROM users WHERE name = ?", name) or [None]
        if role is None or not hmac.compare_digest(_text(form, "password"), PASSWORD):
            return JSONResponse({"why": "wrong name or password"}, 401)
        fields = {
            "role": role[0],
            "roles": [f"project-{number:03}:editor" for number in range(int(_text(form, "roles") or 0))],
        }
        response = JSONResponse({"user": name})
        await self._mechanism.log_in(request, response, name, fields)
        return response

    async def log_out(self, request: Request) -> Response:
        response = JSONResponse({"user": None})
        await self._mechanism.log_out(request, response)
        return response

    async def me(self, request: Request) -> Response:
        """Who is logged in, the role that the login grants, and which process answers."""
        login = await self._mechanism.login_of(request)
        if login is None:
            return JSONResponse({"user": None, "process": os.getpid()}, 401)
        return JSONResponse({"user": login.user, "role": login.fields.get("role"), "process": os.getpid()})

    async def transfer(self, request: Request) -> Response:
        """What an attacker would like to have done in the user's name."""
        login = await self._mechanism.login_of(request)
        if login is None:
            return JSONResponse({"why": "please log in"}, 401)
        _ask(
            self._settings.users,
            "INSERT INTO transfers VALUES (?, ?)",
            login.user,
            _text(await request.form(), "recipient"),
        )
        return JSONResponse({"done": True})

    async def keep(self, request: Request) -> Response:
        response = JSONResponse({"kept": True})
        await self._mechanism.keep(request, response, "sample", SAMPLES[request.path_params["sample"]])
        return response

    async def kept(self, request: Request) -> Response:
        """Whether what was kept has come back as it was."""
        login = await self._mechanism.login_of(request)
        value = login.fields.get("sample") if login else None
        wanted = SAMPLES[request.path_params["sample"]]
        return JSONResponse({"same": type(value) is type(wanted) and value == wanted})

    async def ticket(self, request: Request) -> Response:
        """The link for one download of a file."""
        if await self._mechanism.login_of(request) is None:
            return JSONResponse({"why": "please log in"}, 401)
        seconds = float(_text(await request.form(), "seconds"))
        ticket = await self._mechanism.ticket(request, request.path_params["file"], seconds)
        return JSONResponse({"link": f"/files/?ticket={ticket}"})

    async def shorten(self, request: Request) -> Response:
        await self._mechanism.shorten(request, float(_text(await request.form(), "seconds")))
        return JSONResponse({"done": True})

    async def revoke(self, request: Request) -> Response:
        return await self._operate(request, lambda form: self._mechanism.revoke(_text(form, "user")))

    async def role(self, request: Request) -> Response:
        async def change(form: FormData) -> int:
            _ask(
                self._settings.users,
                "UPDATE users SET role = ? WHERE name = ?",
                _text(form, "role"),
                _text(form, "user"),
            )
            return await self._mechanism.change_role(_text(form, "user"), _text(form, "role"))

        return await self._operate(request, change)

    async def _operate(self, request: Request, verb: Callable[[FormData], Any]) -> Response:
        if not hmac.compare_digest(request.headers.get(OPERATOR, ""), self._settings.secret):
            return JSONResponse({"why": "operators only"}, 403)
        return JSONResponse({"done": await verb(await request.form())})


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def transfers(users: str) -> list[tuple[str, str]]:
    """Who sent money to whom, by the application's database."""
    return _ask(users, "SELECT by, recipient FROM transfers")


def _ask(users: str, sql: str, *values: str) -> list[Any]:
    # The lab asks a few times a second; an application would have a pool.
    db = sqlite3.connect(users)
    try:
        with db:
            return db.execute(sql, values).fetchall()
    finally:
        db.close()
