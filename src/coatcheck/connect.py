"""From a setting to a store, and to the application's secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from hashlib import sha256
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .errors import ConfigurationError
from .keyring import MIN_SECRET_BYTES, Keyring

if TYPE_CHECKING:
    from .moving_store import AsyncMovingStore, MovingStore

SCHEMES = {
    "memory": "memory",
    "sqlite": "sqlite",
    "redis": "redis",
    "rediss": "redis",
    "redis+sentinel": "redis",
    "rediss+sentinel": "redis",
    "redis+cluster": "redis",
    "rediss+cluster": "redis",
    "valkey": "redis",
    "valkeys": "redis",
    "unix": "redis",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}
"""URL scheme -> module of `coatcheck.stores`, loaded when it is named and not before."""

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,40}")

_ARROW = " -> "
"""Between the URLs of two stores: sessions are on their way from the first to the second."""

SecretSetting = str | bytes | Iterable[str | bytes] | None


@runtime_checkable
class OwnSecret(Protocol):
    """An embedded store, which can keep a secret beside its data."""

    def own_secret(self) -> str:
        """The secret, one key or several separated by white space, made at the first call. Raises `ConfigurationError`
        if it was lost."""
        ...


def check_namespace(namespace: str) -> str:
    """Raises `ConfigurationError` for a namespace that is not 1 to 40 letters, digits, `_`, `.` or `-`."""
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(f"namespace={namespace!r}: use 1 to 40 letters, digits, '_', '.' or '-'")
    return namespace


def open_store(setting: Any, namespace: str, opener: str) -> Any:
    """The store that a URL names, by its module's `opener` ("open_sync" or "open_async"). No I/O.

    Two with " -> " between them are the two ends of a move, served from both.
    None reads the environment's `COATCHECK_STORE`. Anything that is not text is taken for a store.
    Raises `ConfigurationError` for none, and for what no store can be opened by.
    """
    if setting is None:
        setting = os.environ.get("COATCHECK_STORE")
        if not setting:
            raise ConfigurationError(
                'no store: pass one, as in SessionManager("sqlite:///sessions.db"), or set COATCHECK_STORE'
            )
    if not isinstance(setting, str):
        return _checked(setting, namespace, asynchronous=opener == "open_async")
    if _ARROW in setting:
        return _moving(setting, namespace, opener)
    scheme, separator, _ = setting.partition("://")
    if not separator or scheme not in SCHEMES:
        # Not the URL itself: it may hold a password.
        raise ConfigurationError(
            f"no store is called {scheme[:20]!r}. Known: {', '.join(f'{name}://' for name in SCHEMES)}. "
            "A file is sqlite:///sessions.db"
        )
    module = import_module(f".stores.{SCHEMES[scheme]}", __package__)
    return getattr(module, opener)(setting, namespace)


def _moving(setting: str, namespace: str, opener: str) -> MovingStore | AsyncMovingStore:
    """The store that "OLD -> NEW" stands for: it serves from both while `coatcheck move` is at work."""
    urls = [url.strip() for url in setting.split(_ARROW)]
    if len(urls) != 2 or urls[0] == urls[1] or any(url.startswith("memory:") for url in urls):
        raise ConfigurationError('a move is "OLD -> NEW": the URLs of two stores, neither of them in memory')
    # Few applications are on the move: the others need not load what it takes at their start.
    from .moving_store import AsyncMovingStore, MovingStore

    old, new = (open_store(url, namespace, opener) for url in urls)
    return MovingStore(old, new) if opener == "open_sync" else AsyncMovingStore(old, new)


def _checked(store: Any, namespace: str, *, asynchronous: bool) -> Any:
    """A store object, if the manager can use it."""
    kind, load = type(store).__name__, getattr(store, "load", None)
    if load is None or not hasattr(store, "offset"):
        raise ConfigurationError(
            f"a {kind} is no store. A Redis client becomes one by RedisStore(client), or AsyncRedisStore(client), "
            "of coatcheck.stores.redis; a pool or an engine to PostgreSQL by PostgreSQLStore(pool), or "
            "AsyncPostgreSQLStore(pool), of coatcheck.stores.postgresql"
        )
    if iscoroutinefunction(load) is not asynchronous:
        needed = "AsyncSessionManager needs an asynchronous" if asynchronous else "SessionManager needs a synchronous"
        raise ConfigurationError(f"{needed} store, and {kind} is not: AsyncRedisStore and RedisStore, for example")
    own = getattr(store, "namespace", namespace)
    if own != namespace:
        # The store's names the keys, the manager's the cookie and the signing keys: they would come apart unseen.
        raise ConfigurationError(f"the store has namespace={own!r} and the manager {namespace!r}: give both the same")
    return store


def open_keyring(secret: SecretSetting, store: Any, namespace: str) -> Keyring:
    """The keys, from the argument, `COATCHECK_SECRET`, `COATCHECK_SECRET_FILE`, or an embedded store's own.

    Raises `ConfigurationError` where there is none: sessions that another process cannot read help nobody.
    """
    if secret is not None:
        return Keyring(secret, namespace=namespace)
    if text := os.environ.get("COATCHECK_SECRET"):
        return Keyring(text.split(), namespace=namespace)
    if path := os.environ.get("COATCHECK_SECRET_FILE"):
        try:
            return Keyring(Path(path).read_text().split(), namespace=namespace)
        except OSError as error:
            raise ConfigurationError(f"COATCHECK_SECRET_FILE={path}: {error.strerror}") from error
    if isinstance(store, OwnSecret):
        return Keyring(store.own_secret().split(), namespace=namespace)
    raise ConfigurationError(
        "a shared store needs a secret that all its servers know. Make one with `coatcheck keygen`, and set "
        "COATCHECK_SECRET or pass secret=..."
    )


def is_own(secret: SecretSetting, store: Any) -> bool:
    """Whether `open_keyring` would take an embedded store's own secret."""
    named = secret is not None or os.environ.get("COATCHECK_SECRET") or os.environ.get("COATCHECK_SECRET_FILE")
    return not named and isinstance(store, OwnSecret)


def framework_secret(*keys: str | bytes | None) -> list[str | bytes] | None:
    """A framework's own keys, the newest first, as a secret; None where there is none, or where the environment has
    one: that may be shared with another framework.

    Frameworks ask for no length. A short key is stretched, which makes it no harder to guess.
    """
    if os.environ.get("COATCHECK_SECRET") or os.environ.get("COATCHECK_SECRET_FILE"):
        return None
    return [_long(key) for key in keys if key] or None


def _long(key: str | bytes) -> str | bytes:
    data = key.encode() if isinstance(key, str) else key
    return key if len(data) >= MIN_SECRET_BYTES else sha256(b"coatcheck/SECRET_KEY\0" + data).hexdigest()
