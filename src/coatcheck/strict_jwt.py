"""The strict form of a JWT: our own and nothing else, checked before PyJWT sees a token.

PyJWT alone accepts duplicate claims, a second spelling of the same bytes, UTF-16, a byte order mark, any
`typ`, padding. Each is a way for two readers to understand one token differently (RFC 8725, section 3).

Nothing here knows a key: what `parse` returns is not verified yet.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any, NamedTuple, NoReturn

MAX_DEPTH = 16
"""Objects and arrays nested in one another, the claims themselves being the first."""

_MAX_HEADER = 256
"""Characters; ours has about 80."""
_MAX_INT_BITS = 2048
"""617 digits: fewer than the lowest limit that Python may be given for integers as text, 640."""

_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
# Linear also for a string that never ends: possessive, and the closing quote is optional.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?')
_HEADER_NAMES = frozenset({"alg", "typ", "kid"})


class Parsed(NamedTuple):
    """What a token says, not verified."""

    header: dict[str, Any]
    claims: dict[str, Any]


def parse(token: object, typ: str, alg: str | Collection[str], max_length: int) -> Parsed | None:
    """Header and claims of a token of the type `typ`, signed with `alg` or one of several; unverified.

    None for anything but three parts of canonical base64url, `max_length` characters at most, that hold
    UTF-8 JSON without duplicate names. The header has `alg`, `typ` and perhaps `kid`, and nothing else: so
    neither `crit` nor a key (`jwk`, `jku`, `x5u`, `x5c`) is ever followed. Never raises.
    """
    # The length first: what is too long costs nothing, whatever it holds.
    if not isinstance(token, str) or len(token) > max_length:
        return None
    form = _FORM.fullmatch(token)
    if form is None or len(form[1]) > _MAX_HEADER:
        return None
    try:
        header = _object(form[1])
        if not _is_ours(header, typ, (alg,) if isinstance(alg, str) else alg):
            return None
        _bytes(form[3])
        return Parsed(header, _object(form[2]))
    except ValueError:
        return None


def plain(value: object, path: str, depth: int = 1) -> Any:
    """A value as JSON holds it, in containers of its own, so that `parse` returns an equal one.

    `path` names its place in errors; `depth` is the number of containers around it. Raises TypeError for
    what JSON has no form for, ValueError for NaN, lone surrogates, huge integers and too many levels.
    """
    if isinstance(value, (Mapping, list)):
        if depth >= MAX_DEPTH:
            raise ValueError(f"{path} is nested too deep, or contains itself; at most {MAX_DEPTH - 1} levels")
        if isinstance(value, list):
            return [plain(item, f"{path}[{n}]", depth + 1) for n, item in enumerate(value)]
        return {_name(key, path): plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        if value.bit_length() > _MAX_INT_BITS:
            raise ValueError(f"{path} is an integer of more than 600 digits; pass it as text")
        return int(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError(f"{path} is {value}, which JSON does not have; pass None or text")
        return float(value)
    raise TypeError(f"{path} is of type {type(value).__name__}, which JSON does not have; pass text or a list")


def _name(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{path} has a key of type {type(key).__name__}; JSON's are text")
    return _text(key, f"a key of {path}")


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{path} has lone surrogates, which are not text") from None
    return str.__str__(value)


def _is_ours(header: dict[str, Any], typ: str, algorithms: Collection[str]) -> bool:
    # RFC 7515, section 4.1.9: "application/" may stand before a type without a slash.
    return (
        header.keys() <= _HEADER_NAMES
        and isinstance(header.get("alg"), str)
        and header["alg"] in algorithms
        and header.get("typ") in (typ, f"application/{typ}")
        and ("kid" not in header or (isinstance(header["kid"], str) and header["kid"] != ""))
    )


def _bytes(part: str) -> bytes:
    data = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    # The last character may have bits that nothing reads: without this, one token has several spellings.
    if urlsafe_b64encode(data).rstrip(b"=") != part.encode():
        raise ValueError("not canonical")
    return data


def _object(part: str) -> dict[str, Any]:
    text = _bytes(part).decode("utf-8")
    _check_depth(text)
    value = _decode(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 (all of it is one refusal)
    if "\\u" in text:
        # An escape can spell a lone surrogate, which no store and no log can write.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _check_depth(text: str) -> None:
    """Before the parser, which recurses: its RecursionError would come at a depth that depends on the caller's."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for char in _STRING.sub("", text):
        if char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError("too deep")
        elif char in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError("too large")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant).decode
