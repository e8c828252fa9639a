"""The stateless JWT: the whole session in a signed token, in a cookie. No store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn, cast

import jwt
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .mechanism import COOKIE, Login, Settings, Unable

ALGORITHM = "HS256"
ANYBODY = "*"
"""Whose ticket it is that is anybody's: a link that is followed brings a cookie, and nothing from local storage."""


class StatelessJWT:
    """PyJWT as its documentation uses it: one algorithm, a secret of 32 bytes, `exp` checked."""

    middleware: Sequence[Middleware] = ()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def login_of(self, request: HTTPConnection) -> Login | None:
        claims = self._claims(request)
        return Login(claims["sub"], claims["fields"]) if claims else None

    async def log_in(self, request: Request, response: Response, user: str, fields: Mapping[str, Any]) -> None:
        self._send(response, {"sub": user, "fields": dict(fields)} | self._expiry())

    async def keep(self, request: Request, response: Response, name: str, value: Any) -> None:
        claims = self._claims(request)
        if claims:
            claims["fields"][name] = value
            self._send(response, claims)

    async def log_out(self, request: Request, response: Response) -> None:
        # The browser forgets it. Whoever has a copy has it until `exp`.
        response.delete_cookie(COOKIE)

    async def revoke(self, user: str) -> NoReturn:
        raise Unable("nothing on the server knows which tokens there are")

    async def change_role(self, user: str, role: str) -> NoReturn:
        raise Unable("the role was written into the token at login")

    async def ticket(self, request: Request, file: str, seconds: float) -> str:
        login = await self.login_of(request)
        owner = self._owner(login.user) if login else ANYBODY
        claims = {"aud": "download", "file": file, "sub": owner, "exp": time.time() + seconds}
        return jwt.encode(claims, self.settings.secret, algorithm=ALGORITHM)

    def gate(self, files: ASGIApp) -> ASGIApp:
        async def check(scope: Scope, receive: Receive, send: Send) -> None:
            token = Request(scope).query_params.get("ticket", "")
            try:
                claims = jwt.decode(token, self.settings.secret, algorithms=[ALGORITHM], audience="download")
            except jwt.InvalidTokenError:
                await Response("This link is not valid.", 403)(scope, receive, send)
                return
            login = await self.login_of(Request(scope))
            if claims["sub"] not in (ANYBODY, login and login.user):
                await Response("This link is somebody else's.", 403)(scope, receive, send)
                return
            scope["lab.file"] = claims["file"]
            await files(scope, receive, send)

        return check

    async def shorten(self, request: Request, seconds: float) -> NoReturn:
        raise Unable("the token says until when it is valid, and is in the client's hands")

    def _expiry(self) -> dict[str, Any]:
        return {"exp": time.time() + self.settings.absolute}

    def _claims(self, request: HTTPConnection) -> dict[str, Any] | None:
        try:
            return jwt.decode(
                self._shown(request), self.settings.secret, algorithms=[ALGORITHM], options={"require": ["exp", "sub"]}
            )
        except jwt.InvalidTokenError:
            return None

    def _owner(self, user: str) -> str:
        return user

    def _send(self, response: Response, claims: dict[str, Any]) -> None:
        self._hand_over(response, jwt.encode(claims, self.settings.secret, algorithm=ALGORITHM))

    def _shown(self, request: HTTPConnection) -> str:
        return request.cookies.get(COOKIE, "")

    def _hand_over(self, response: Response, token: str) -> None:
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(self.settings.absolute),
            httponly=True,
            secure=self.settings.same_site == "none",  # as browsers ask of it; else the lab's clients, on http, keep it
            samesite=cast(Literal["lax", "none"], self.settings.same_site),
        )
