"""The mapping that a session is: a dict that knows whether it was looked at, and what has changed in it.

Its contents are really in it, so json, `**`, `|` and templates work. Nested changes are noticed: what counts
as changed is the encoded value, compared at commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from . import codec
from .errors import SessionDataError


class Fields(dict[str, Any]):
    """A dict of fields that can be stored."""

    __slots__ = ("_accessed", "_flat", "_since", "_text", "_written")

    def __init__(self) -> None:
        """Without any, yet."""
        self._text: str = "{}"
        """The fields as this request last knew them to be stored."""
        self._accessed: bool = False
        self._written: bool = False
        self._flat: bool | None = None
        self._since: set[str] | None = None
        """What was set since the field was that says who is logged in; None while that was not."""

    def _named(self, key: str) -> None:
        """A field of that name is being set."""

    def wires(self) -> dict[str, codec.Wire]:
        """All fields in their wire form. Raises `SessionDataError` naming the path of what cannot be stored."""
        return {name: codec.to_wire(value, name) for name, value in dict.items(self)}

    def _is_flat(self) -> bool:
        """Whether no value can be changed in place; nothing that is not written changes that."""
        if self._flat is None:
            self._flat = codec.are_scalars(dict.values(self))
        return self._flat

    def changes(self) -> tuple[dict[str, codec.Wire], tuple[str, ...]]:
        """Fields to set (in their wire form) and to delete, against what was loaded.

        Raises `SessionDataError` naming the path of what cannot be stored.
        """
        if not self._written and (not self._accessed or self._is_flat()):
            return {}, ()
        wires = self.wires()
        if codec.dumps(wires) == self._text:
            return {}, ()
        return difference(codec.loads_wire(self._text), wires)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise SessionDataError(f"a field's name is a str, not {type(key).__name__}", path=repr(key)[:60])
        # Raises here, where the assignment shows the mistake, rather than at the commit.
        codec.to_wire(value, key)
        self._named(key)
        self._accessed = self._written = True
        if self._since is not None:
            self._since.add(key)
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        self._accessed = self._written = True
        dict.__delitem__(self, key)

    def clear(self) -> None:
        """Remove the fields that this request has seen; one that another request adds meanwhile stays."""
        if self:
            self._written = True
        dict.clear(self)

    def pop(self, key: str, *default: Any) -> Any:
        """As dict.pop."""
        if key in self:
            self._written = True
        return dict.pop(self, key, *default)

    def popitem(self) -> tuple[str, Any]:
        """As dict.popitem."""
        self._accessed = self._written = True
        return dict.popitem(self)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As dict.setdefault."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(  # type: ignore[override]
        self, *others: Mapping[str, Any] | Iterable[tuple[str, Any]], **fields: Any
    ) -> None:
        """As dict.update."""
        for key, value in dict(*others, **fields).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]
        self.update(other)
        return self

    def __getitem__(self, key: str) -> Any:
        self._accessed = True
        return dict.__getitem__(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """As dict.get."""
        self._accessed = True
        return dict.get(self, key, default)

    def __contains__(self, key: object) -> bool:
        self._accessed = True
        return dict.__contains__(self, key)

    # Defining __iter__ also makes dict(session), {**session} and `|` come through here.
    def __iter__(self) -> Iterator[str]:
        self._accessed = True
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        self._accessed = True
        return dict.__reversed__(self)

    # Of an empty dict `|` makes a copy without asking it.
    def __or__(self, other: Any) -> Any:
        self._accessed = True
        return dict.__or__(self, other)

    def __len__(self) -> int:
        self._accessed = True
        return dict.__len__(self)

    def keys(self) -> Any:
        """As dict.keys."""
        self._accessed = True
        return dict.keys(self)

    def values(self) -> Any:
        """As dict.values."""
        self._accessed = True
        return dict.values(self)

    def items(self) -> Any:
        """As dict.items."""
        self._accessed = True
        return dict.items(self)

    def copy(self) -> dict[str, Any]:
        """The fields as a plain dict."""
        return dict(self.items())

    __copy__ = copy

    def __eq__(self, other: object) -> bool:
        self._accessed = True
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __reduce__(self) -> Any:
        raise TypeError("a Session belongs to its request and cannot be pickled; use dict(session)")


def difference(
    before: dict[str, codec.Wire], after: dict[str, codec.Wire]
) -> tuple[dict[str, codec.Wire], tuple[str, ...]]:
    """Fields to set and to delete to get from one to the other. Encoded values count: 1, 1.0 and True differ."""
    changed = {name: wire for name, wire in after.items() if name not in before or not _is_same(wire, before[name])}
    return changed, tuple(name for name in before if name not in after)


_PLAIN = frozenset({str, int, bool, type(None)})


def _is_same(one: codec.Wire, other: codec.Wire) -> bool:
    """Whether two wire forms are encoded alike. Of a float, == says less: 0.0 and -0.0."""
    if type(one) is not type(other):
        return False
    return one == other if type(one) in _PLAIN else codec.dumps({"": one}) == codec.dumps({"": other})
