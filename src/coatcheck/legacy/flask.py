"""The signed cookie of Flask's and Quart's own sessions: the whole session in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..errors import ConfigurationError
from .signed import Key, needed, unpacked, unsign
from .source import Old, Source, Who

LIFETIME = timedelta(days=31)
"""Flask's default of `PERMANENT_SESSION_LIFETIME`."""
_SALT = b"cookie-session"
_PERMANENT = "_permanent"


def seconds(lifetime: timedelta | float) -> float:
    """`PERMANENT_SESSION_LIFETIME`, which is a timedelta or a number of seconds, in seconds."""
    return lifetime.total_seconds() if isinstance(lifetime, timedelta) else float(lifetime)


def keys_of(config: Mapping[str, Any]) -> list[Key]:
    """`SECRET_KEY_FALLBACKS` and `SECRET_KEY` as itsdangerous wants them: the current one last."""
    key = config.get("SECRET_KEY")
    return [*reversed(config.get("SECRET_KEY_FALLBACKS") or ()), key] if key else []


class OfFlask(Source):
    """What an application's configuration says of its old sessions, where the source was not told."""

    _keys: list[Key]

    def _tell(
        self,
        secret_key: Key | Collection[Key] | None,
        lifetime: timedelta | None,
    ) -> None:
        keys = [] if secret_key is None else [secret_key] if isinstance(secret_key, (str, bytes)) else [*secret_key]
        self._keys = keys[::-1]
        self._lifetime = None if lifetime is None else seconds(lifetime)

    @property
    def lifetime(self) -> float:
        """In seconds."""
        return seconds(LIFETIME) if self._lifetime is None else self._lifetime

    def take(self, config: Mapping[str, Any]) -> None:
        """The application's key, cookie and lifetime."""
        self._keys = self._keys or keys_of(config)
        if self._lifetime is None:
            self._lifetime = seconds(config.get("PERMANENT_SESSION_LIFETIME", LIFETIME))
        if self.cookie is None:
            self.cookie = config.get("SESSION_COOKIE_NAME")
        if self.path is None:
            self.path: str | None = config.get("SESSION_COOKIE_PATH") or config.get("APPLICATION_ROOT")
        if self.domain is None:
            self.domain: str | None = config.get("SESSION_COOKIE_DOMAIN") or None
        self.partitioned: bool = bool(config.get("SESSION_COOKIE_PARTITIONED"))

    def check(self) -> None:
        """The cookie's name has to be known."""
        self.cookie = self.cookie or "session"

    def made(self, data: Any, identity: bytes, proof: bytes, issued_at: float | None, expires_at: float) -> Old | None:
        """A session of Flask's, without what says whether it was permanent."""
        if not isinstance(data, dict):
            return None
        data = dict(data)
        permanent = bool(data.pop(_PERMANENT, False))
        return Old(
            identity=identity,
            proof=proof,
            data=data,
            user_id=self.who(data),
            issued_at=issued_at,
            expires_at=expires_at,
            remember=permanent,
        )


class FlaskCookie(OfFlask):
    """`secret_key` (a list: of several, the newest first), `lifetime` (`PERMANENT_SESSION_LIFETIME`), `cookie`,
    `path` and `domain` are the old application's. What is left out comes from `app.config` where Coatcheck is Flask's
    or Quart's extension."""

    kind = "flask cookie"

    def __init__(
        self,
        secret_key: Key | Collection[Key] | None = None,
        *,
        until: datetime,
        user: Who = "_user_id",
        cookie: str | None = None,
        lifetime: timedelta | None = None,
        path: str | None = None,
        domain: str | None = None,
        paths: Collection[str] = (),
    ) -> None:
        super().__init__(until=until, user=user, cookie=cookie, path=path, domain=domain, paths=paths)
        self._tell(secret_key, lifetime)

    def check(self) -> None:
        """The key has to be known, and Flask there, whose tagged JSON it is; else it raises `ConfigurationError`."""
        super().check()
        if not self._keys:
            raise ConfigurationError("FlaskCookie: pass the old application's SECRET_KEY")
        needed("flask.json.tag", "flask")

    def find(self, text: str, now: float) -> Old | None:
        """What the cookie holds."""
        del now
        signed = unsign(text, self._keys, _SALT, "hmac")
        if signed is None:
            return None
        tagged = needed("flask.json.tag", "flask").TaggedJSONSerializer()
        data = tagged.loads(unpacked(signed.payload).decode())
        expires_at = signed.at + self.lifetime
        return self.made(data, b"flask\0" + signed.identity, signed.proof, signed.at, expires_at)
