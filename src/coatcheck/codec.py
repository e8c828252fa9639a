"""Values to text and back, exactly, and never by pickle.

A *value* is what the application stores. Its *wire form* is plain JSON structure, which merges and compares.
The *text* is compact JSON of a session's fields in their wire forms: 1, True and 1.0 differ in it.

What JSON lacks is a dict of one key that begins with "$", as in {"$d": "2024-02-29"}. A dict of the
application's own that looks like one gets another "$" in front, so no input can forge a type.

A subclass is stored as its base: an IntEnum as an int, a namedtuple as a tuple, a defaultdict as a dict.
A key of a nested dict becomes a string as `json.dumps` does it: True as "true", None as "null", 1 as "1".
"""

from __future__ import annotations

import json
import sys
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from math import isfinite
from typing import Any, TypeAlias
from uuid import UUID

from .errors import SessionDataError

Wire: TypeAlias = "str | int | float | bool | list[Wire] | dict[str, Wire] | None"

MAX_DEPTH = 32
"""How many containers a field's value may be nested in one another; [] is 1."""

MAX_BYTES = 256 * 1024
"""Bytes of text that all of a session's fields together may have. Checked where they are merged."""

_MAX_DIGITS = 4300
"""Python's own limit for integers as text (CVE-2020-10735), wherever an application has raised it."""
_EASY_INT = 10**640
"""Python converts integers below this whatever its limit is."""

_encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False).encode
# The scanner itself: `decode` looks for white space around, twice, and nobody wrote any.
_scan_json: Callable[[str, int], tuple[object, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]

_SCALARS = frozenset({str, int, float, bool, type(None), bytes, datetime, date, timedelta, UUID, Decimal})


def are_scalars(values: Iterable[object]) -> bool:
    """Whether none of the values can be changed in place, so that only an assignment changes a field.

    False for tuples, whose members may be lists, and for subclasses, which may have attributes.
    """
    return _SCALARS.issuperset(map(type, values))


def to_wire(value: object, path: str) -> Wire:
    """The wire form of a value, sharing no container with it. `path` is the field's name, for the error.

    Raises `SessionDataError`, naming the place, for a type that is not supported, for more than 32 levels
    (so also for what contains itself), and for what is longer than 256 KiB by itself.
    """
    if value is None or type(value) is str or type(value) is bool:
        return value
    try:
        return _encoder(type(value))(value, _Room())
    except _Unstorable as bad:
        where = "".join((path if path.isprintable() else ascii(path), *reversed(bad.steps)))
        if len(where) > 200:
            where = f"{where[:100]}…{where[-100:]}"
        raise SessionDataError(f"{where} {bad.problem}", path=where) from None


def from_wire(wire: Wire) -> Any:
    """The value of a wire form, sharing no container with it.

    Raises ValueError for a tag that is unknown (a newer version wrote it) or damaged.
    """
    if type(wire) is list:
        return [from_wire(item) if type(item) is dict or type(item) is list else item for item in wire]
    if type(wire) is dict:
        if len(wire) == 1:
            ((key, inner),) = wire.items()
            if key[:2] == "$$":
                return {key[1:]: from_wire(inner)}
            if key[:1] == "$":
                return _from_tag(key, inner)
        return {
            key: from_wire(item) if type(item) is dict or type(item) is list else item for key, item in wire.items()
        }
    return wire


def dumps(wire_fields: dict[str, Wire]) -> str:
    """Fields as text. It may hold lone surrogates, as the application's strings may: see `to_bytes`."""
    return _encode_json(wire_fields)


def loads(text: str) -> dict[str, Any]:
    """The values of the fields in a text. Raises ValueError for what `dumps` never wrote."""
    fields = loads_wire(text)
    # A tag's key, and an escaped one, always shows in the text like this.
    if '"$' in text:
        try:
            return {name: from_wire(wire) for name, wire in fields.items()}
        except RecursionError:
            # The parser takes deeper text than `dumps` writes, and than can be walked.
            raise ValueError("not the fields of a session: nested too deep") from None
    return fields


def loads_wire(text: str) -> dict[str, Wire]:
    """The wire forms of the fields in a text. Raises ValueError for what `dumps` never wrote."""
    try:
        fields, end = _scan_json(text, 0)
    except (RecursionError, StopIteration):
        fields, end = None, 0
    if type(fields) is not dict or end != len(text):
        raise ValueError("not the fields of a session")
    return fields


def to_bytes(text: str) -> bytes:
    """Text as UTF-8 in which a lone surrogate survives; a strict encoder would fail at commit."""
    return text.encode("utf-8", "surrogatepass")


def from_bytes(data: bytes) -> str:
    """The text that `to_bytes` took. Raises ValueError for anything else."""
    return data.decode("utf-8", "surrogatepass")


class _Unstorable(Exception):
    """Collects the way to the culprit while it unwinds, so that success costs no path."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.steps: list[str] = []


class _Room:
    """What is left of one value's levels and bytes.

    Without the second, thirty lists of two references each to the next would take 2**30 steps.
    """

    __slots__ = ("bytes", "levels")

    def __init__(self) -> None:
        self.levels = MAX_DEPTH
        self.bytes = MAX_BYTES
        """Each encoder takes off what its text has at least, less the byte that its container counts."""

    def enter(self) -> None:
        self.levels -= 1
        if self.levels < 0:
            raise _Unstorable(
                f"is nested more than {MAX_DEPTH} levels deep, or contains itself. Store a flatter structure."
            )

    def leave(self, size: int) -> None:
        self.levels += 1
        self.bytes -= size
        if self.bytes < 0:
            raise _Unstorable(
                f"makes the value longer than the {MAX_BYTES} bytes that a session may hold. "
                "Keep large things in your own database, and their ids in the session."
            )


_Encoder: TypeAlias = Callable[[Any, _Room], Wire]


def _encoder(kind: type) -> _Encoder:
    """The encoder of a type, or of its nearest base that has one."""
    for base in kind.__mro__:
        if encode := _ENCODERS.get(base):
            return encode
    raise _Unstorable(_refusal(kind))


def _same(value: bool | None, room: _Room) -> Wire:
    room.bytes -= 2
    return value


def _str(value: str, room: _Room) -> Wire:
    room.bytes -= len(value)
    if type(value) is str:
        return value
    plain = str.__str__(value)
    markup = getattr(type(value), "__html__", None)
    # Only text that is its own HTML may come back as markup, which templates do not escape.
    if markup is not None and markup(value) == plain:
        return {"$html": plain}
    return plain


def _int(value: int, room: _Room) -> Wire:
    if -_EASY_INT < value < _EASY_INT:
        return int.__int__(value)
    digits = min(_MAX_DIGITS, sys.get_int_max_str_digits() or _MAX_DIGITS)
    if abs(value) >= 10**digits:
        raise _Unstorable(f"is an integer of more than {digits} digits. Store it as bytes.")
    room.bytes -= 640
    return int.__int__(value)


def _float(value: float, room: _Room) -> Wire:
    room.bytes -= 1
    plain = float.__float__(value)
    return plain if isfinite(plain) else {"$f": repr(plain)}


def _list(values: Sequence[object], room: _Room) -> list[Wire]:
    room.enter()
    wires: list[Wire] = []
    try:
        for item in values:
            kind = type(item)
            encode = _ENCODERS.get(kind) or _encoder(kind)
            wires.append(encode(item, room))
    except _Unstorable as bad:
        bad.steps.append(f"[{len(wires)}]")
        raise
    room.leave(2 * len(wires))
    return wires


def _dict(value: dict[object, object], room: _Room) -> Wire:
    room.enter()
    wires: dict[str, Wire] = {}
    name = None
    try:
        # What `items()` says, as in `json.dumps`: of a MultiDict's key that is its first value.
        for key, item in tuple(value.items()):
            name = key if type(key) is str else _key(key)
            kind = type(item)
            encode = _ENCODERS.get(kind) or _encoder(kind)
            wires[name] = encode(item, room)
            room.bytes -= len(name)
            name = None
    except _Unstorable as bad:
        if name is not None:
            bad.steps.append(_step(name))
        raise
    room.leave(1 + 4 * len(wires))
    if len(wires) == 1:
        ((name, wire),) = wires.items()
        if name[:1] == "$":
            return {"$" + name: wire}
    return wires


def _key(key: object) -> str:
    """A key as `json.dumps` writes it."""
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, (bool, float)):
        return json.dumps(key)
    if isinstance(key, int):
        return str(_int(key, _Room()))
    raise _Unstorable(
        f"has a key of type {_named(type(key))}. Keys are strings; int, float, bool and None become strings. "
        "Use str(key)."
    )


def _set(value: set[object], room: _Room) -> Wire:
    # In the order of their text: a set iterates differently in every process, and would look changed.
    try:
        wires = _list(tuple(value), room)
    except _Unstorable as bad:
        if bad.steps:
            bad.steps[-1] = "{…}"
        raise
    return {"$set": sorted(wires, key=_encode_json)}


def _write_datetime(value: datetime) -> str:
    offset = value.utcoffset()
    if offset is not None and offset.microseconds:
        # `fromisoformat` takes an offset of under a second for UTC.
        naive = datetime.isoformat(datetime.replace(value, tzinfo=None))
        return f"{naive}@{offset // timedelta.resolution}"
    # The second pass through the hour that a clock change repeats: an hour would be lost without it.
    return datetime.isoformat(value) + ("~" if offset is None and value.fold else "")


def _read_datetime(text: str) -> datetime:
    naive, at, offset = text.partition("@")
    if at:
        return datetime.fromisoformat(naive).replace(tzinfo=timezone(int(offset) * timedelta.resolution))
    return datetime.fromisoformat(text.removesuffix("~")).replace(fold=text.endswith("~"))


def _read_timedelta(parts: list[int]) -> timedelta:
    return timedelta(*parts)


def _read_bytes(text: str) -> bytes:
    return a2b_base64(text, strict_mode=True)


def _read_html(text: str) -> str:
    try:
        from markupsafe import Markup
    except ImportError:
        return text
    return Markup(text)  # noqa: S704 (it was markup when it was stored)


_LEAVES: tuple[tuple[type, str, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (datetime, "$dt", _write_datetime, _read_datetime),
    (date, "$d", date.isoformat, date.fromisoformat),
    (timedelta, "$td", lambda value: [value.days, value.seconds, value.microseconds], _read_timedelta),
    (UUID, "$uuid", UUID.__str__, UUID),
    (Decimal, "$dec", Decimal.__str__, Decimal),
    (bytes, "$b", lambda value: b2a_base64(value, newline=False).decode("ascii"), _read_bytes),
)
"""Type, tag, and how it is written and read."""


def _leaf(tag: str, write: Callable[[Any], Any]) -> _Encoder:
    def encode(value: object, room: _Room) -> Wire:
        wire = write(value)
        room.bytes -= len(wire)
        return {tag: wire}

    return encode


_ENCODERS: dict[type, _Encoder] = {
    str: _str,
    int: _int,
    bool: _same,
    type(None): _same,
    float: _float,
    list: _list,
    dict: _dict,
    tuple: lambda value, room: {"$t": _list(value, room)},
    set: _set,
    **{kind: _leaf(tag, write) for kind, tag, write, _ in _LEAVES},
}

_DECODERS: dict[str, Callable[[Any], Any]] = {
    "$html": _read_html,
    "$f": float,
    "$t": lambda wires: tuple(from_wire(wires)),
    "$set": lambda wires: set(from_wire(wires)),
    **{tag: read for _, tag, _, read in _LEAVES},
}


def _from_tag(tag: str, wire: Wire) -> Any:
    try:
        return _DECODERS[tag](wire)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        raise ValueError(f"cannot read {tag[:20]!r}: a newer version wrote it, or it is damaged") from None


def _step(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{name!r}]"


def _named(kind: type) -> str:
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name[:100]


_REMEDIES = {
    "bytearray": "Store bytes(value).",
    "memoryview": "Store bytes(value).",
    "frozenset": "Store set(value).",
    "Enum": "Store its .value.",
}


def _refusal(kind: type) -> str:
    for base in kind.__mro__:
        if remedy := _REMEDIES.get(base.__name__):
            break
    else:
        remedy = "Store its id, or a dict of the parts that you need."
    return (
        f"is of type {_named(kind)}, which a session cannot hold. {remedy} It holds JSON's types, datetime, "
        "date, timedelta, UUID, Decimal, bytes, tuple, set and Markup."
    )
