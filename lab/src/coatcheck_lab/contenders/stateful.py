"""The stateful JWT: a signed JWT that only names a session, and the server holds it."""

from __future__ import annotations

from typing import Literal

from .session import SessionCookie


class StatefulJWT(SessionCookie):
    """Coatcheck with `token_format="jwt"`: the same session, in the format that some gateways insist on."""

    token_format: Literal["signed", "jwt"] = "jwt"  # noqa: S105
