"""A Set-Cookie header as browsers read it, and what is wrong with it. Its value is never shown."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from coatcheck.health import Check
from coatcheck.policy import MAX_COOKIE_AGE

_MAX_PAIR, _MAX_ATTRIBUTE = 4096, 1024
_OURS = re.compile(r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{30}\.[0-9a-f]{32}")
_JOSE = re.compile(r"([A-Za-z0-9_-]{2,2048})(?:\.[A-Za-z0-9_-]*){2}(?:(?:\.[A-Za-z0-9_-]*){2})?")
"""A JWT has three parts, and an encrypted one five."""
_SPACE = " \t"


@dataclass(frozen=True, slots=True)
class Said:
    """A cookie that was set, or deleted."""

    name: str
    """"" for one without a name, whose text is all value."""
    value: str = field(repr=False)
    attributes: Mapping[str, str]
    """By lower-case names; of two of a kind the last."""
    age: float | None
    """Seconds for which browsers keep it; None: until they end."""

    @property
    def label(self) -> str:
        """Its name as it may be printed."""
        return shown(self.name, 60) or "a nameless cookie"

    @property
    def dropped(self) -> bool:
        """Whether it was deleted."""
        return self.age is not None and self.age <= 0

    @property
    def is_ours(self) -> bool:
        """Whether its value has the form of our tokens."""
        return bool(_OURS.fullmatch(self.value)) or self.jose.get("typ") == "session+jwt"

    @property
    def jose(self) -> Mapping[str, object]:
        """The header of the JWT that it is; empty for what is none."""
        text = unquote(self.value[:_MAX_PAIR]).strip('" ').removeprefix("Bearer ")
        found = _JOSE.fullmatch(text)
        if found is None:
            return {}
        try:
            header = json.loads(urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)))
        except (ValueError, RecursionError):
            return {}
        return header if isinstance(header, dict) and isinstance(header.get("alg"), str) else {}


def read(header: str, now: float) -> Said:
    """A header's value (RFC 6265bis, 5.6); `now`, in seconds since the epoch, for Expires. Never raises."""
    pair, *rest = header.split(";")
    name, separator, value = pair.partition("=")
    if not separator:
        name, value = "", pair
    attributes: dict[str, str] = {}
    for part in rest:
        key, _, text = part.partition("=")
        if len(text.strip(_SPACE)) <= _MAX_ATTRIBUTE:
            attributes[key.strip(_SPACE).lower()] = text.strip(_SPACE)
    return Said(name.strip(_SPACE), value.strip(_SPACE), attributes, _age(attributes, now))


def _age(attributes: Mapping[str, str], now: float) -> float | None:
    if re.fullmatch(r"-?\d{1,18}", attributes.get("max-age", "")):
        return float(attributes["max-age"])
    try:
        until = parsedate_to_datetime(attributes.get("expires", "")[:64])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - now


def judged(said: Said, host: str, *, https: bool, local: bool) -> Iterator[Check]:
    """Its attributes, one by one, for a cookie of `host`; `local`: plain http is on purpose there, for this machine."""
    prefix = next((one for one in ("__host-", "__http-", "__secure-") if said.name.lower().startswith(one)), "")
    yield _secure(said, https=https, local=local)
    if "httponly" in said.attributes:
        yield _ok(said, "http-only", "HttpOnly")
    else:
        yield _bad(said, "http-only", "no HttpOnly: a script in the page can take it away", "Set HttpOnly")
    yield _same_site(said)
    yield _path(said, prefix)
    yield _domain(said, prefix, host)
    yield _prefix(said, prefix, https=https)
    size = len(said.name.encode()) + len(said.value.encode())
    if size > _MAX_PAIR:
        yield _bad(
            said, "size", f"{size} bytes: browsers refuse it", "Keep the data on the server, and a reference here"
        )
    else:
        yield _ok(said, "size", f"{size} bytes")


def _secure(said: Said, *, https: bool, local: bool) -> Check:
    if "secure" in said.attributes:
        return _ok(said, "secure", "Secure")
    if not https and local:
        return _ok(said, "secure", "not Secure, as plain http to this machine needs it")
    return _bad(
        said,
        "secure",
        "no Secure: it also goes over plain http, where everybody on the way reads it",
        "Take out secure=False and COATCHECK_COOKIE_SECURE, and let the proxy say X-Forwarded-Proto",
    )


def _same_site(said: Said) -> Check:
    mode = said.attributes.get("samesite", "").lower()
    if mode in ("lax", "strict"):
        return _ok(said, "same-site", f"SameSite={mode.capitalize()}")
    if mode != "none":
        text = "no SameSite that browsers know: for two minutes other sites' forms may be sent with it"
        return _bad(said, "same-site", text, "SameSite=Lax, in words", "warn")
    if "secure" not in said.attributes:
        return _bad(said, "same-site", "SameSite=None without Secure: browsers refuse it", "Lax, or Secure")
    text = "SameSite=None: other sites' pages are sent with it, and only the check of Origin stands before your forms"
    return _bad(said, "same-site", text, 'same_site="lax", unless other sites have to embed yours', "warn")


def _path(said: Said, prefix: str) -> Check:
    path = said.attributes.get("path", "")
    if prefix == "__host-" and path != "/":
        return _bad(said, "path", "__Host- without Path=/: browsers refuse it", "Path=/")
    if not path.startswith("/"):
        return _bad(said, "path", "no Path: it serves the pages beside this one alone", "Path=/", "warn")
    return _ok(said, "path", f"Path={shown(path, 40)}")


def _domain(said: Said, prefix: str, host: str) -> Check:
    domain = said.attributes.get("domain", "").lower().removeprefix(".")
    if not domain:
        return _ok(said, "domain", "no Domain: this host alone")
    if prefix == "__host-":
        return _bad(said, "domain", "__Host- with a Domain: browsers refuse it", "Take Domain out")
    if domain != host and not host.endswith(f".{domain}"):
        return _bad(said, "domain", "a Domain that is not this host's: browsers refuse it", "Take Domain out")
    text = f"Domain={shown(domain, 40)}: each of its hosts gets it, and can plant another"
    return _bad(said, "domain", text, "Take Domain out, unless you trust all of them", "warn")


def _prefix(said: Said, prefix: str, *, https: bool) -> Check:
    if prefix == "__host-":
        return _ok(said, "prefix", "__Host-")
    if prefix and (said.attributes.get("domain") or said.attributes.get("path") != "/"):
        return _ok(said, "prefix", f"{said.name[: len(prefix)]}, as its Domain or Path needs")
    if not https:
        return _ok(said, "prefix", "none, as plain http needs")
    text = "no __Host- before its name: a sibling host, or plain http, can plant one"
    return _bad(said, "prefix", text, "A name that begins with __Host-", "warn")


def lifetime(said: Said, most: float | None, whose: str) -> Check:
    """How long browsers keep it, against what it may: `most` in seconds (None: nobody says), by `whose` word."""
    if said.age is None:
        return _ok(said, "max-age", "until the browser ends")
    if most is not None and said.age > most + 1:
        text = f"kept for {span(said.age)}, and {whose} allows {span(most)}"
        return _bad(said, "max-age", text, "A shorter absolute_timeout, or CookieSettings(max_age=...)")
    if said.age > MAX_COOKIE_AGE:
        return _bad(said, "max-age", f"{span(said.age)}: browsers cut it to 400 d", "At most 400 days", "warn")
    return _ok(said, "max-age", f"kept for {span(said.age)}")


def span(seconds: float) -> str:
    """A time in one or two units: "1 d 12 h", "15 min"."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= size and len(parts) < 2:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts) or "0 s"


def shown(text: str, most: int) -> str:
    """A stranger's text that may be printed: its printable ASCII, cut to so many characters."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in text[:most])
    return f"{plain}..." if len(text) > most else plain


def _ok(said: Said, name: str, text: str) -> Check:
    return Check("ok", name, f"{said.label}: {text}")


def _bad(said: Said, name: str, text: str, remedy: str, level: str = "fail") -> Check:
    return Check("warn" if level == "warn" else "fail", name, f"{said.label}: {text}", remedy)
