"""Targets that read the store: a row that was damaged, and the fields in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from markupsafe import Markup

from coatcheck import SessionManager, codec, rows
from coatcheck.codec import to_bytes
from coatcheck.errors import StoreUnavailable
from coatcheck.record import Record, dump_record
from coatcheck.store import Held
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.redis import values
from tests.attack.mutations import EDITS, PIECES, mutate, texts
from tests.attack.target import Target

NOW = 1_700_000_000.0
FIELDS: dict[str, Any] = {
    "cart": [1, 2.5, {"a": None}],
    "when": datetime(2024, 2, 29, 12, tzinfo=UTC),
    "day": date(2024, 2, 29),
    "for": timedelta(1, 2, 3),
    "id": UUID(int=7),
    "price": Decimal("1.50"),
    "raw": b"\0\xff",
    "both": (1, {2, 3}),
    "html": Markup("<b>"),
    "odd": {"$x": float("inf")},
}
TEXT = codec.dumps({name: codec.to_wire(value, name) for name, value in FIELDS.items()})
TAGS = [json.dumps({"f": {f"${tag}": 1}}) for tag in ("dt", "d", "td", "uuid", "dec", "b", "t", "set", "f", "html")]


class Damaged(MemoryStore):
    """A store whose only row says whatever an input says."""

    def __init__(self) -> None:
        super().__init__()
        self.read: Callable[[str], Held] = lambda handle: None

    def load(self, handle: str) -> Held:
        return self.read(handle)


STORE = Damaged()
MANAGER = SessionManager(STORE, secret="a key that guards nothing, for tests", clock=lambda: NOW)


def _row() -> tuple[str, str, Record]:
    """The token of a session, the hash of its secret, and its row."""
    memory = MemoryStore()
    manager = SessionManager(memory, secret="a key that guards nothing, for tests", clock=lambda: NOW)
    session = manager.load(None)
    session.update(FIELDS)
    session.login("ada", label="laptop")
    token = manager.commit(session).token or ""
    record = memory.load(token[:22])
    assert isinstance(record, Record)
    return token, record.secrets[0].hash, record


SHOWN, HASH, RECORD = _row()
ROW = dump_record(RECORD)
ABOUT: list[Any] = json.loads(ROW.split("\n", 1)[0])
FLAVOURS: dict[str, Callable[[bytes], Held]] = {
    "sqlite": lambda data: rows.record_of(RECORD.handle, data),
    "redis": lambda data: values.load(RECORD.handle, b"L" + b"n" * 8 + b"0" * 13 + data),
    "redis, an end": lambda data: values.load(RECORD.handle, b"E" + b"n" * 8 + data),
}


def check_row(case: tuple[str, str]) -> str:
    """A damaged row is a fault that is told as such, or the session; it opens for no other secret."""
    flavour, text = case
    data = to_bytes(text)
    STORE.read = lambda handle: FLAVOURS[flavour](data)
    try:
        session = MANAGER.load(SHOWN)
    except StoreUnavailable:
        return "StoreUnavailable"
    if session.is_new:
        return "anonymous"
    assert json.dumps(HASH)[1:-1] in text, "a session was opened whose row no longer holds the hash of this secret"
    assert isinstance(session.user_id, str | None)
    dict(session)
    return "opened"


def check_fields(text: str) -> str:
    """A dict of the types that a session may hold, or ValueError."""
    try:
        fields = codec.loads(text)
    except ValueError:
        return "ValueError"
    waiting: list[Any] = [fields]
    allowed = {*codec._ENCODERS, Markup}
    while waiting:
        value = waiting.pop()
        assert type(value) in allowed
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set):
            waiting += value
    return "a dict"


_edited = st.lists(EDITS, min_size=1, max_size=3)
_odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, -1, 10**400, 1e308, "", "x", [], [[]], {}, [1], ["a", "b", "c"], [[0, "x", 1]], [[0, None, 1]]]
)
_rows = st.one_of(
    st.builds(lambda how: mutate(ROW, how, [ROW, TEXT]), _edited),
    st.builds(
        lambda place, value: f"{json.dumps([*ABOUT[:place], value, *ABOUT[place + 1 :]])}\n{TEXT}",
        st.integers(0, len(ABOUT) - 1),
        _odd,
    ),
    st.builds(
        lambda place, piece: f"{json.dumps([*ABOUT[:place], '?', *ABOUT[place + 1 :]])}\n{TEXT}".replace('"?"', piece),
        st.integers(0, len(ABOUT) - 1),
        st.sampled_from([*PIECES, "Infinity", "-Infinity", "[" * 100_000, "1e308", "9" * 400]),
    ),
)
_deep = st.builds(
    lambda opening, closing, levels: '{"f":' + opening * levels + "1" + closing * levels + ',"$":""}',
    st.sampled_from(["[", '{"$t":[', '{"$$t":', '{"a":']),
    st.sampled_from(["]", "]}", "}", ""]),
    st.integers(1, 3000),
)

TARGETS = [
    Target("damaged row", "StoreUnavailable or the session", st.tuples(st.sampled_from([*FLAVOURS]), _rows), check_row),
    Target("fields", "ValueError or the types of a session", st.one_of(texts([TEXT, *TAGS]), _deep), check_fields),
]
