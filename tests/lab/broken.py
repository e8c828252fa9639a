"""Contenders with a fault, or with something that none has: what an experiment has to notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jwt
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from coatcheck_lab.contenders.mechanism import Login, Settings
from coatcheck_lab.contenders.session import SessionCookie
from coatcheck_lab.contenders.stateless import StatelessJWT


class Forgetful(SessionCookie):
    """Sessions in the memory of each process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(replace(settings, store="memory://"))


class Deaf(SessionCookie):
    """Nobody can log in."""

    async def log_in(self, request: Request, response: Response, user: str, fields: Mapping[str, Any]) -> None:
        pass


class Credulous(StatelessJWT):
    """Signatures are not looked at."""

    def _claims(self, request: HTTPConnection) -> dict[str, Any] | None:
        token = request.cookies.get("login", "")
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            return None
        return claims if {"sub", "fields"} <= claims.keys() else None


class ByAddress(StatelessJWT):
    """Who comes from an address that has logged in is logged in: the client keeps nothing."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._logins: dict[str, Login] = {}

    async def login_of(self, request: HTTPConnection) -> Login | None:
        return self._logins.get(request.client.host) if request.client else None

    async def log_in(self, request: Request, response: Response, user: str, fields: Mapping[str, Any]) -> None:
        if request.client:
            self._logins[request.client.host] = Login(user, fields)


class Everlasting(SessionCookie):
    """Its links never expire."""

    async def ticket(self, request: Request, file: str, seconds: float) -> str:
        return await super().ticket(request, file, 3600)
