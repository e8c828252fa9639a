"""Old data as fields of ours: what the codec cannot hold stays behind, and nobody is logged out for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..codec import MAX_BYTES, Wire, dumps, to_bytes, to_wire
from ..errors import SessionDataError


def storable(data: Mapping[Any, Any], say: Callable[[str], None]) -> dict[str, Wire]:
    """The fields that can be stored, in their wire form. `say` is told of each that cannot, without its value."""
    fields: dict[str, Wire] = {}
    for name, value in data.items():
        if not isinstance(name, str):
            say(f"a field whose name is a {type(name).__name__} stays behind")
            continue
        try:
            fields[name] = to_wire(value, name)
        except SessionDataError as error:
            say(f"a field stays behind: {error}")
    sizes = {name: len(to_bytes(dumps({name: wire}))) for name, wire in fields.items()}
    total = sum(sizes.values())
    for name in sorted(sizes, key=lambda one: sizes[one], reverse=True):
        if total <= MAX_BYTES:
            break
        total -= sizes[name]
        del fields[name]
        say(f"the field {name[:60]!r} stays behind: a session holds {MAX_BYTES} bytes")
    return fields
