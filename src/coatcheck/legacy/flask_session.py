"""Sessions that Flask-Session (0.7 and newer) keeps in Redis. What older versions wrote is pickle, and not read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..errors import ConfigurationError, StoreUnavailable
from .flask import OfFlask
from .signed import Key, needed
from .source import Old, Who

_SID = re.compile(r"[A-Za-z0-9_-]{16,200}")
_TIMEOUT = 2.0
"""Seconds for which an old Redis may let a request wait."""


class FlaskSessionRedis(OfFlask):
    """`redis` is the old client, or a URL; `prefix` is `SESSION_KEY_PREFIX`, `lifetime` is
    `PERMANENT_SESSION_LIFETIME`. `secret_key` only for `SESSION_USE_SIGNER`. Never unpickles: what Flask-Session
    before 0.7 wrote, or 0.8 has not rewritten, is left alone, and said once in the log."""

    kind = "flask-session redis"
    blocking = True

    def __init__(
        self,
        redis: Any,
        *,
        until: datetime,
        user: Who = "_user_id",
        cookie: str | None = None,
        prefix: str | None = None,
        lifetime: timedelta | None = None,
        secret_key: Key | Collection[Key] | None = None,
        path: str | None = None,
        domain: str | None = None,
        paths: Collection[str] = (),
    ) -> None:
        super().__init__(until=until, user=user, cookie=cookie, path=path, domain=domain, paths=paths)
        self._tell(secret_key, lifetime)
        self._signs = secret_key is not None
        self._prefix = prefix
        self._given = redis
        self._client: Any = None

    def take(self, config: Mapping[str, Any]) -> None:
        """Also the application's prefix, and whether it signs."""
        super().take(config)
        if self._prefix is None:
            self._prefix = config.get("SESSION_KEY_PREFIX")
        self._signs = self._signs or bool(config.get("SESSION_USE_SIGNER"))

    def check(self) -> None:
        """The driver and the format's library have to be there, and the key where cookies are signed; else it raises
        `ConfigurationError`."""
        super().check()
        needed("msgspec", "msgspec")
        if self._signs and not self._keys:
            raise ConfigurationError("FlaskSessionRedis: SESSION_USE_SIGNER needs the old application's SECRET_KEY")
        if self._client is None and isinstance(self._given, str):
            driver = needed("redis", '"coatcheck[redis]"')
            # Once more after a dropped connection, and not after a timeout: the request would wait again.
            pause = needed("redis.backoff", "redis").NoBackoff()
            once = needed("redis.retry", "redis").Retry(pause, 1, supported_errors=(driver.ConnectionError,))
            self._client = driver.Redis.from_url(
                self._given, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=once
            )
        elif self._client is None:
            self._client = self._given

    def find(self, text: str, now: float) -> Old | None:
        """What Redis holds for the cookie, or None. Raises `StoreUnavailable` where it does not answer, and
        `ConfigurationError` before `check`."""
        sid = self._unsigned(text) if self._signs else text
        if sid is None or not _SID.fullmatch(sid):
            return None
        driver, client = needed("redis", '"coatcheck[redis]"'), self._client
        if client is None:
            raise ConfigurationError("FlaskSessionRedis: not set up; pass it as legacy=[...]")
        prefix = "session:" if self._prefix is None else self._prefix
        try:
            with client.pipeline(transaction=True) as both:
                raw, ms = both.get(prefix + sid).pttl(prefix + sid).execute()
        except (driver.RedisError, OSError) as error:
            raise StoreUnavailable(f"the old sessions' Redis does not answer: {type(error).__name__}") from None
        if raw is None:
            return None
        # Without a time to live it would stand for ever: Flask-Session always sets one.
        left = ms / 1000 if ms > 0 else 0.0
        # Longer than the lifetime that we know: that was another then, and says nothing of the last write.
        issued_at = now + left - self.lifetime if left <= self.lifetime else None
        identity = b"flask-session\0" + prefix.encode() + sid.encode()
        return self.made(self._data(raw), identity, b"", issued_at, now + left)

    def _unsigned(self, text: str) -> str | None:
        itsdangerous = needed("itsdangerous", "itsdangerous")
        try:
            found = itsdangerous.Signer(self._keys, salt="flask-session", key_derivation="hmac").unsign(text)
        except itsdangerous.BadSignature:
            return None
        return str(found.decode("latin-1"))

    def _data(self, raw: bytes | str) -> Any:
        """Msgpack or JSON; None for what is neither."""
        if isinstance(raw, str):  # by a client of yours that decodes
            raw = raw.encode("utf-8", "surrogateescape")
        msgspec = needed("msgspec", "msgspec")
        for form in (msgspec.msgpack, msgspec.json):
            try:
                return form.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
        # CWE-502: whoever can write to that Redis could run code here.
        self.say_once("an old session is pickled, or damaged, and is not read. Flask-Session 0.8 writes it anew in use")
        return None
