"""The same stateless JWT in the page's local storage."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response

from .stateless import ANYBODY, StatelessJWT

HANDED_OVER = "X-Token"
"""The response header that brings the token to a page that keeps it in local storage."""


class LocalJWT(StatelessJWT):
    """The same token, which the page keeps in local storage and sends by itself."""

    def _shown(self, request: HTTPConnection) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def _owner(self, user: str) -> str:
        return ANYBODY

    def _hand_over(self, response: Response, token: str) -> None:
        response.headers[HANDED_OVER] = token
