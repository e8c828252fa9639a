"""Sessions of Django's own engines: database, cache, both, files, signed cookies."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from ..errors import ConfigurationError, StoreUnavailable
from .signed import needed, unpacked
from .source import Old, Source, Who

_ENGINES = "django.contrib.sessions.backends."
_USER = "_auth_user_id"
_EXPIRY = "_session_expiry"
_KEY = re.compile(r"[a-z0-9]{8,40}")
_SALT = "django.contrib.sessions.backends.signed_cookies"


class DjangoSessions(Source):
    """`engine` is the old `SESSION_ENGINE`, by its dotted name or the last word of it ("db", "cache", "cached_db",
    "file", "signed_cookies"). The cookie's name, path and domain, the lifetime, the keys and the serializer are those
    in Django's settings. A user is asked for: who is unknown or inactive, or has another password by now, is nobody.

    Raises `ConfigurationError` for a serializer that is not Django's JSON: never pickle."""

    kind = "django sessions"
    blocking = True

    def __init__(
        self,
        engine: str,
        *,
        until: datetime,
        user: Who = _USER,
        cookie: str | None = None,
        path: str | None = None,
        domain: str | None = None,
        paths: Collection[str] = (),
    ) -> None:
        super().__init__(until=until, user=user, cookie=cookie, path=path or "", domain=domain, paths=paths)
        self._engine = engine if "." in engine else _ENGINES + engine
        self._store: Any = None

    def check(self) -> None:
        """Django's settings have to be there. No I/O. Raises `ConfigurationError` for what cannot be read."""
        settings = needed("django.conf", "django").settings
        serializers = needed("django.core.signing", "django")
        if self._engine.startswith("coatcheck."):
            raise ConfigurationError("DjangoSessions(engine): the SESSION_ENGINE of before, not ours")
        try:
            self._store = import_module(self._engine).SessionStore
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(f"DjangoSessions({self._engine!r}): there is no such engine") from error
        kind = self._store().serializer
        if not (isinstance(kind, type) and issubclass(kind, serializers.JSONSerializer)):
            # CWE-502: with pickle, whoever can write to the old store runs code here.
            raise ConfigurationError(
                f"SESSION_SERIALIZER is {settings.SESSION_SERIALIZER!r}: old sessions are read as JSON alone"
            )
        auth = needed("django.apps", "django").apps.is_installed("django.contrib.auth")
        if self.user == _USER and not auth:
            raise ConfigurationError(
                'DjangoSessions: put "django.contrib.auth" in INSTALLED_APPS. Without it nobody could tell whose '
                "password has changed, and who is not active any more"
            )
        self.cookie: str | None = self.cookie or settings.SESSION_COOKIE_NAME
        self.path: str | None = self.path or settings.SESSION_COOKIE_PATH
        self.domain: str | None = self.domain or settings.SESSION_COOKIE_DOMAIN

    async def aread(self, text: str, now: float) -> Old | None:
        """As `read`, on the thread that has Django's connections."""
        wrapped = needed("asgiref.sync", "django").sync_to_async(self.read, thread_sensitive=True)
        old: Old | None = await wrapped(text, now)
        return old

    def find(self, text: str, now: float) -> Old | None:
        """What the old engine holds for the cookie, or None. Raises `StoreUnavailable` where it does not answer."""
        db = needed("django.db", "django")
        faults = db.Error, OSError
        db.close_old_connections()  # outside of Django's own requests nobody does
        try:
            old = self._signed(text) if self._engine.endswith("signed_cookies") else self._stored(text, now)
            return None if old is None or not self._is_good(old.data) else old
        except faults as error:
            raise StoreUnavailable(f"the old sessions' store does not answer: {type(error).__name__}") from None

    def _stored(self, key: str, now: float) -> Old | None:
        if not _KEY.fullmatch(key):
            return None
        store = self._store(key)
        identity = b"django\0" + key.encode("ascii")
        if not hasattr(store, "get_model_class"):
            data = self._loaded(store)
            # What a cache drops is gone; how long it would have stayed nobody can ask it.
            return self._old(data, identity, None, now + store.get_session_cookie_age())
        rows = store.get_model_class().objects.filter(session_key=key)
        row = rows.first()
        if row is None:
            return None
        data, expires_at = store.decode(row.session_data), row.expire_date.timestamp()
        age = data.get(_EXPIRY) or store.get_session_cookie_age()
        # A date of the application's own, or a lifetime that was longer then, says nothing of the last write.
        known = isinstance(age, (int, float)) and expires_at - age <= now
        return self._old(data, identity, expires_at - age if known else None, expires_at)

    @staticmethod
    def _loaded(store: Any) -> Any:
        cache = getattr(store, "_cache", None)
        if cache is None:
            return store.load()
        # Not `load()`, which takes a cache that is down for one that has forgotten.
        try:
            return cache.get(store.cache_key)
        except Exception as error:  # noqa: BLE001 (each backend has errors of its own)
            raise StoreUnavailable(f"the old sessions' cache does not answer: {type(error).__name__}") from None

    def _signed(self, text: str) -> Old | None:
        signing, store = needed("django.core.signing", "django"), self._store()
        try:
            payload = signing.TimestampSigner(salt=_SALT).unsign(text)
        except signing.BadSignature:
            return None
        data = store.serializer().loads(unpacked(payload.encode("latin-1")))
        identity, _, signature = text.rpartition(":")
        at = float(signing.b62_decode(identity.rpartition(":")[2]))
        expires_at = at + store.get_session_cookie_age()
        proof = signing.b64_decode(signature.encode())
        return self._old(data, b"django signed\0" + identity.encode(), at, expires_at, proof)

    def _old(
        self, data: Any, identity: bytes, issued_at: float | None, expires_at: float, proof: bytes = b""
    ) -> Old | None:
        if not isinstance(data, dict) or not data:
            return None
        expiry = data.get(_EXPIRY)
        found: dict[str, float] = {}
        if isinstance(expiry, str):
            found["ends_at"] = expires_at = min(expires_at, _instant(expiry))
        elif expiry:
            found["idle"] = float(expiry)
        return Old(
            identity=identity,
            proof=proof,
            data=data,
            user_id=self.who(data),
            issued_at=issued_at,
            expires_at=expires_at,
            remember=False if expiry == 0 else None,
            **found,
        )

    def _is_good(self, data: Mapping[str, Any]) -> bool:
        """Whether Django itself would still take it for its user's: `_auth_user_hash` changes with the password."""
        if _USER not in data or not needed("django.apps", "django").apps.is_installed("django.contrib.auth"):
            return True
        auth = needed("django.contrib.auth", "django")
        return bool(auth.get_user(SimpleNamespace(session=_Seen(data))).is_authenticated)


class _Seen(dict[str, Any]):
    """Old data for Django to judge: what it then does to a session happens to this copy."""

    def flush(self) -> None:
        """Empty it."""
        self.clear()

    def cycle_key(self) -> None:
        """It has no key."""


def _instant(text: str) -> float:
    """A date of `set_expiry`, in seconds since the epoch: without USE_TZ it is naive, in the settings' time zone."""
    zone, end = needed("django.utils.timezone", "django"), datetime.fromisoformat(text)
    return float((zone.make_aware(end) if zone.is_naive(end) else end).timestamp())
