"""The session cookie: which name, which attributes, and reading it from whatever a client sends.

Browsers take a `__Host-` cookie exactly where they take Secure ones: over https, and on localhost. Plain
http with a loopback or test host gets a cookie under another name, without Secure; it never serves https.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from .engine import Commit
from .errors import ConfigurationError
from .policy import MAX_COOKIE_AGE

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")
_ATTRIBUTE = re.compile(r"[\x21-\x3a\x3c-\x7e]{1,200}")
_OFF = frozenset({"0", "false", "no", "off"})
MAX_HEADER = 65_536
"""Bytes of Cookie headers that are looked at; servers limit them far below."""
_MAX_SAME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSettings:
    """The cookie's name and attributes; None means that the policy or the request decides.

    Raises `ConfigurationError` for combinations that browsers refuse (RFC 6265bis).
    """

    name: str | None = None
    """Without a prefix: `__Host-` is put before it, or `__Secure-` where domain or path rule that out.
    None: the namespace. A name that starts with `__` is taken as it is."""
    path: str = "/"
    """The path below which browsers send it; other than "/" rules the `__Host-` prefix out."""
    domain: str | None = None
    """None: this host alone, which is what keeps a sibling host from setting it."""
    secure: bool | None = None
    """None: Secure, but for plain http to a loopback or test host. False: never. The environment's
    `COATCHECK_COOKIE_SECURE=0` stands for False."""
    http_only: bool = True
    """Whether scripts are kept from reading it (ASVS 3.3.4)."""
    same_site: Literal["lax", "strict", "none"] = "lax"
    """Which requests that begin on another site bring it: "lax", those that open a page; "strict", none; "none", all,
    and then it is always Secure."""
    partitioned: bool = False
    """Whether each site that embeds this one has its own (CHIPS); such a cookie has to be Secure."""
    max_age: timedelta | None = None
    """None: until the session's absolute deadline if it is remembered, else until the browser ends."""

    def __post_init__(self) -> None:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise ConfigurationError(f"CookieSettings(name={self.name!r}): not a cookie name (RFC 6265)")
        if self.same_site not in ("lax", "strict", "none"):
            raise ConfigurationError(f'CookieSettings(same_site={self.same_site!r}): "lax", "strict" or "none"')
        if not self.path.startswith("/") or not _ATTRIBUTE.fullmatch(self.path):
            raise ConfigurationError(f"CookieSettings(path={self.path!r}): a path starts with '/'")
        if self.domain is not None and not _ATTRIBUTE.fullmatch(self.domain):
            raise ConfigurationError(f"CookieSettings(domain={self.domain!r}): not a host name")
        lowered = (self.name or "").lower()
        if lowered.startswith("__host-") and (self.domain or self.path != "/"):
            raise ConfigurationError("a __Host- cookie has no domain and the path '/': drop the prefix or those")
        if lowered.startswith(("__http-", "__host-http-")) and not self.http_only:
            raise ConfigurationError("a cookie whose name starts with __Http- or __Host-Http- is HttpOnly")
        if self.never_secure and (lowered.startswith("__") or self.same_site == "none" or self.partitioned):
            raise ConfigurationError(
                "secure=False rules out same_site='none', partitioned and names that start with '__': "
                "browsers refuse such cookies"
            )
        if self.max_age is not None and not timedelta(0) < self.max_age <= timedelta(seconds=MAX_COOKIE_AGE):
            raise ConfigurationError("CookieSettings(max_age): above zero and at most 400 days")

    @property
    def never_secure(self) -> bool:
        """Whether Secure is switched off for every request."""
        if self.secure is not None:
            return not self.secure
        return os.environ.get("COATCHECK_COOKIE_SECURE", "").strip().lower() in _OFF


class Cookie:
    """Reads and writes the session cookie of one manager."""

    def __init__(self, settings: CookieSettings, namespace: str, valid: Callable[[str], object]) -> None:
        self.settings = settings
        base = settings.name or namespace
        if base.startswith("__"):
            self.name: str = base
        elif settings.domain or settings.path != "/":
            self.name = f"__Secure-{base}"
        else:
            self.name = f"__Host-{base}"
        self.insecure_name: str = f"{base.lstrip('_')}-insecure"
        self.always_insecure: bool = settings.never_secure
        self.never_insecure: bool = settings.secure is True or settings.same_site == "none"
        self._valid = valid
        self._find = {
            # It begins with a semicolon, for which a search skips the cookies before it.
            secure: re.compile(rb";[ \t]*" + re.escape(self.name_for(secure).encode()) + rb"=([^;]*)").findall
            for secure in (True, False)
        }

    def __repr__(self) -> str:
        return f"<Cookie {self.name}>"

    def name_for(self, secure: bool) -> str:
        """The name under which a request's cookie is read and set; `secure`: https, or as good (localhost)."""
        if self.always_insecure or not (secure or self.never_insecure):
            return self.insecure_name
        return self.name

    def read(self, header: str | bytes | None, secure: bool = True) -> str | None:
        """The token in a Cookie header (several joined by "; "), or None. Never raises.

        Two cookies of our name with different valid tokens give None: one of them was planted.
        """
        if not header:
            return None
        data = header.encode("latin-1", "replace") if isinstance(header, str) else header
        if len(data) > MAX_HEADER:
            return None
        found: list[bytes] = self._find[secure](b";" + data)
        if len(found) == 1:
            return found[0].strip(b' \t"').decode("latin-1")
        if not found:
            return None
        values = {value.strip(b' \t"').decode("latin-1") for value in found}
        if len(values) > _MAX_SAME:
            return None
        valid = list(values) if len(values) == 1 else [value for value in values if self._valid(value)]
        return valid[0] if len(valid) == 1 else None

    def set_cookie(self, result: Commit, secure: bool = True) -> str | None:
        """The Set-Cookie value that tells a client of a commit, or None for "keep"."""
        if result.action == "keep":
            return None
        settings, name = self.settings, self.name_for(secure)
        parts = [f"{name}={result.token or ''}"]
        if result.action == "drop":
            parts += ["Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"]
        else:
            age = result.max_age if settings.max_age is None else int(settings.max_age.total_seconds())
            if age is not None:
                parts.append(f"Max-Age={min(age, MAX_COOKIE_AGE)}")
        parts.append(f"Path={settings.path}")
        if settings.domain:
            parts.append(f"Domain={settings.domain}")
        if name == self.name:
            parts.append("Secure")
        if settings.http_only:
            parts.append("HttpOnly")
        parts.append(f"SameSite={settings.same_site.capitalize()}")
        if settings.partitioned and name == self.name:
            parts.append("Partitioned")
        return "; ".join(parts)

    def headers(self, result: Commit, secure: bool = True) -> list[tuple[str, str]]:
        """The complete headers of a response whose handler looked at the session."""
        headers = [("Vary", "Cookie")]
        cookie = self.set_cookie(result, secure)
        if cookie is not None:
            # A cache that keeps this response would hand the session to the next visitor.
            headers += [("Set-Cookie", cookie), ("Cache-Control", "no-store")]
        return headers
