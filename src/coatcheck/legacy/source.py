"""What a source of old credentials is: derive from `Source`, and say in `find` what a text is worth.

`shown` is asked at each request of somebody who is not signed in; it looks at the headers and nothing else. `read`
is asked for what it found, and may go to the old store.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Self

from ..errors import ConfigurationError, StoreUnavailable
from ..events import logger
from ..gate import WRONG
from ..session import user_id_text

MAX_HEADER = 65_536
"""Bytes of a Cookie header that are looked at; servers limit it far below."""
LONGEST = 16_384
"""Characters of an old credential; browsers keep no cookie above 4096."""
DOWN = 1.0
"""Seconds for which an old store that did not answer is not asked again."""
_MAX_SAME = 4
"""Cookies of one name: each may be a question to the old store."""

Who = str | Callable[[Mapping[str, Any]], object]
"""Where the user's id lies in the old data: a field's name, or a callable on all of it. None, False and "": nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """An old credential that was verified: its `data`, and whose it is, `user_id`, None for nobody. Instants are
    seconds since the epoch."""

    identity: bytes = field(repr=False)
    """What makes it the one that it is: the text that its signature covers, or the old session's key. Never the text
    as it was sent: a base64 signature has several spellings, an ECDSA signature a twin, and each would be another."""
    expires_at: float
    """When it is no good any more, by itself."""
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    user_id: str | None = None
    proof: bytes = field(default=b"", repr=False)
    """What only its holder knows, where the identity can be guessed: the signature's bytes."""
    issued_at: float | None = None
    """When it was last written, or issued; None: nobody knows."""
    authenticated_at: float | None = None
    """When its user showed who they are; None: nobody knows, and `is_fresh` is False."""
    remember: bool | None = None
    """Whether its cookie survived the browser's end; None: as the policy says."""
    idle: float | None = None
    """A shorter or longer idle timeout that the old application had given it, in seconds."""
    ends_at: float | None = None
    """An end that the old application had set for it."""


class Source:
    """One kind of old credential. These settings all have.

    * `until`: an aware datetime, the end of the period: from then on nothing is read.
    * `user`: where the user's id lies in the old data. A session of nobody's keeps its data, and stays anonymous.
    * `cookie`, `path`, `domain`: the old cookie's, so that it can be read, and deleted.
    * `paths`: exact raw paths to which the exchange is limited; none: any request.

    Raises `ConfigurationError` for an `until` without a time zone.
    """

    kind = ""
    """Its name in events and logs."""
    blocking = False
    """Whether `find` waits for something: then an event loop asks it on a thread."""
    ambient = True
    """Whether a browser sends it by itself, also when another site asks it to."""
    partitioned = False
    """Whether its cookie is: only a deletion that is, too, reaches that."""

    def __init__(
        self,
        *,
        until: datetime,
        user: Who,
        cookie: str | None = None,
        path: str | None = None,
        domain: str | None = None,
        paths: Collection[str] = (),
    ) -> None:
        if until.tzinfo is None:
            raise ConfigurationError(
                f"{type(self).__name__}(until=...): the end of the period, with a time zone: "
                "datetime(2027, 6, 1, tzinfo=UTC)"
            )
        if isinstance(paths, str):
            raise ConfigurationError(f"{type(self).__name__}(paths=...): a collection, not a single str")
        self.until: float = until.timestamp()
        self.user = user
        self.path: str | None = path
        self.domain: str | None = domain
        self.paths: frozenset[str] = frozenset(paths)
        self._told: set[str] = set()
        self._down_until = 0.0
        self.cookie = cookie

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.cookie or ''}>"  # no keys: a repr ends up in logs

    # -- what a middleware asks --------------------------------------------------------------------------

    def bound(self, config: Mapping[str, Any]) -> Self:
        """The same, with what it was not told taken from a framework's configuration."""
        made = copy(self)
        made.take(config)
        return made

    def take(self, config: Mapping[str, Any]) -> None:
        """What `bound` takes. Nothing, for most."""

    def check(self) -> None:
        """Raises `ConfigurationError` for what is missing. Called once, when the middleware is made."""

    def shown(self, headers: Mapping[bytes, bytes], path: str) -> list[str]:
        """The texts in a request's headers that may be one of these, if the exchange is open to that path. No I/O, and
        never raises."""
        return [] if self.paths and path not in self.paths else self.sent(headers)

    def sent(self, headers: Mapping[bytes, bytes]) -> list[str]:
        """The cookies in a request's headers that may be one of these."""
        header = headers.get(b"cookie")
        if header is None or self.cookie is None:
            return []
        name = self.cookie.encode("latin-1", "replace")
        if name not in header or len(header) > MAX_HEADER:
            return []
        found = re.findall(rb"(?:^|;)[ \t]*" + re.escape(name) + rb"=([^;]*)", header)
        texts = {value.strip(b' \t"').decode("latin-1") for value in found} - {""}
        return [text for text in texts if len(text) <= LONGEST] if len(texts) <= _MAX_SAME else []

    def read(self, text: str, now: float) -> Old | None:
        """The credential that a text is at `now`, or None. Raises `StoreUnavailable` where the old store is down."""
        if now >= self.until:
            return None
        if time.monotonic() < self._down_until:
            # Strangers' cookies must not keep threads waiting for it, one after the other.
            raise StoreUnavailable("the old sessions' store did not answer a moment ago")
        try:
            old = self.find(text, now)
        except StoreUnavailable:
            self._down_until = time.monotonic() + DOWN
            raise
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 (anybody sends anything to these parsers, which are not ours)
            self.say_once(f"an old session could not be read: {type(error).__name__}")
            return None
        if old is None or now >= old.expires_at:
            return None
        instants = (old.expires_at, old.issued_at, old.authenticated_at, old.idle, old.ends_at)
        if not all(value is None or isfinite(value) for value in instants):
            return None
        # As far ahead no clock is: whoever wrote that cannot be trusted about the time. NaN is never "at most".
        return old if old.issued_at is None or old.issued_at <= now + WRONG else None

    async def aread(self, text: str, now: float) -> Old | None:
        """As `read`, for an event loop."""
        return await asyncio.to_thread(self.read, text, now) if self.blocking else self.read(text, now)

    def deletion(self, beside: str = "") -> str:
        """The Set-Cookie value that deletes the old cookie. `beside`: the one that sets ours, which a browser takes or
        refuses (over plain http, in a frame) for the same attributes: else it could lose both."""
        parts = [f"{self.cookie}=", "Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT", f"Path={self.path or '/'}"]
        parts += [f"Domain={self.domain}"] if self.domain else []
        parts += [part for part in beside.split("; ") if part == "Secure" or part.startswith("SameSite=")]
        # Browsers refuse a line for such a name without it.
        if "Secure" not in parts and ((self.cookie or "").startswith("__") or self.partitioned):
            parts.append("Secure")
        parts += ["Partitioned"] if self.partitioned else []
        return "; ".join(parts)

    # -- for those who derive from it --------------------------------------------------------------------

    def find(self, text: str, now: float) -> Old | None:
        """What a text is, verified; None for what is not one of these. May raise anything for a hostile one."""
        raise NotImplementedError

    def who(self, data: Mapping[str, Any]) -> str | None:
        """The user's id in the old data, or None. Raises `ValueError` for what cannot be one."""
        value: Any = self.user(data) if callable(self.user) else data.get(self.user)
        if value is None or value is False or value == "":
            return None
        try:
            return user_id_text(value)
        except (TypeError, ValueError) as error:
            self.say_once(f"user={self.user!r} finds no user id: {error}", level="error")
            raise ValueError("no user id") from error

    def say_once(self, what: str, level: str = "warning") -> None:
        """A line in the log, once for each text. It holds no value of a session's."""
        if what not in self._told and len(self._told) < 100:
            self._told.add(what)
            getattr(logger, level)("legacy, %s: %s", self.kind, what)
