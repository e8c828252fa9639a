"""A stateless JWT that can be revoked: with a list of what is revoked, asked at every request. It has a store again."""

from __future__ import annotations

import time
from typing import Any

from redis.asyncio import Redis
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from .mechanism import Login, Settings
from .stateless import StatelessJWT


class DenylistJWT(StatelessJWT):
    """What tutorials add for logout and revocation: token ids and users in Redis, until the last token has expired."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._redis = Redis.from_url(settings.store)

    async def login_of(self, request: HTTPConnection) -> Login | None:
        claims = self._claims(request)
        if claims is None:
            return None
        gone, since = await self._redis.mget(f"gone:{claims['jti']}", f"since:{claims['sub']}")
        if gone or (since and claims["iat"] <= float(since)):
            return None
        return Login(claims["sub"], claims["fields"])

    async def log_out(self, request: Request, response: Response) -> None:
        await super().log_out(request, response)
        claims = self._claims(request)
        if claims:
            await self._redis.set(f"gone:{claims['jti']}", 1, ex=self._longest)

    async def revoke(self, user: str) -> int:  # type: ignore[override]
        await self._redis.set(f"since:{user}", time.time(), ex=self._longest)
        return 1

    def _expiry(self) -> dict[str, Any]:
        return super()._expiry() | {"iat": time.time(), "jti": f"{time.time_ns():x}"}

    @property
    def _longest(self) -> int:
        return int(self.settings.absolute) + 1
