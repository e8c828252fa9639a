"""The signed cookie of Starlette's `SessionMiddleware`, which FastAPI has too: the whole session in it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Collection
from datetime import datetime
from typing import Any

from .signed import Key, needed, unsign
from .source import Old, Source, Who

_SALT = b"itsdangerous.Signer"


class StarletteCookie(Source):
    """`secret_key` (a list: of several, the newest first), `cookie`, `max_age` (in seconds; None: it ends with the
    browser, and the server takes it for ever), `path` and `domain` are those of the old `SessionMiddleware`."""

    kind = "starlette cookie"

    def __init__(
        self,
        secret_key: Key | Collection[Key],
        *,
        until: datetime,
        user: Who = "user_id",
        cookie: str = "session",
        max_age: int | None = 14 * 86_400,
        path: str = "/",
        domain: str | None = None,
        paths: Collection[str] = (),
    ) -> None:
        super().__init__(until=until, user=user, cookie=cookie, path=path, domain=domain, paths=paths)
        keys: list[Any] = [secret_key] if isinstance(secret_key, (str, bytes)) else list(secret_key)
        # str(): Starlette's own `Secret` is taken as well.
        self._keys = [key if isinstance(key, bytes) else str(key) for key in reversed(keys)]
        self._max_age = max_age

    def check(self) -> None:
        """Itsdangerous has to be there."""
        needed("itsdangerous", "itsdangerous")

    def find(self, text: str, now: float) -> Old | None:
        """What the cookie holds."""
        del now
        signed = unsign(text, self._keys, _SALT, "django-concat")
        if signed is None:
            return None
        data = json.loads(b64decode(signed.payload))
        if not isinstance(data, dict):
            return None
        return Old(
            identity=b"starlette\0" + signed.identity,
            proof=signed.proof,
            data=data,
            user_id=self.who(data),
            issued_at=signed.at,
            expires_at=self.until if self._max_age is None else signed.at + self._max_age,
            remember=self._max_age is not None,
        )
