"""Values round-trip exactly, types can't be forged, and what can't be stored is named and refused in time."""

from __future__ import annotations

import enum
import json
import math
import os
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from coatcheck.codec import (
    MAX_BYTES,
    MAX_DEPTH,
    are_scalars,
    dumps,
    from_bytes,
    from_wire,
    loads,
    loads_wire,
    to_bytes,
    to_wire,
)
from coatcheck.errors import SessionDataError


def same(left: Any, right: Any) -> bool:  # noqa: PLR0911 (one line per type)
    """Equal in value and in exact type, all the way down; a NaN is a NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(map(same, left.values(), right.values()))
    if isinstance(left, set):
        return len(left) == len(right) and all(any(same(one, other) for other in right) for one in left)
    if isinstance(left, float):
        return bool(math.isnan(left) and math.isnan(right)) or repr(left) == repr(right)
    if isinstance(left, Decimal):
        return bool(left.as_tuple() == right.as_tuple())
    if isinstance(left, datetime):
        return left.isoformat() == right.isoformat() and (left.tzinfo is not None or left.fold == right.fold)
    return bool(left == right)


def there_and_back(value: Any) -> Any:
    """A value through every layer that a store puts it through."""
    return loads(from_bytes(to_bytes(dumps({"field": to_wire(value, "field")}))))["field"]


any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too
any_timezone = st.builds(
    timezone,
    st.timedeltas(timedelta(hours=-24, microseconds=1), timedelta(hours=24, microseconds=-1)),
)
leaves: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    any_text,
    st.binary(),
    st.datetimes(timezones=st.none() | any_timezone),
    st.builds(lambda moment: moment.replace(fold=1), st.datetimes()),
    st.dates(),
    st.timedeltas(),
    st.uuids(),
    st.decimals() | st.sampled_from([Decimal("sNaN"), Decimal("NaN123"), Decimal("-0E+7"), Decimal("1.00")]),
    st.builds(Markup, any_text),
)
keys = any_text | st.sampled_from(["$", "$$", "$dt", "$$dt", "$t", "$set", "$html", "$unheard-of", ""])
members = st.one_of(st.integers(), any_text, st.dates(), st.uuids(), st.binary(), st.none())
values: st.SearchStrategy[Any] = st.recursive(
    leaves | st.sets(members | st.tuples(members, members)),
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(keys, inner),
        st.builds(lambda key, value: {key: value}, keys, inner),
    ),
    max_leaves=20,
)


# -- exact round trips -----------------------------------------------------------------------------------


@given(values)
@example({"$dt": "2024-01-01T00:00:00"})
@example({"$$set": [{"$html": "<b>"}]})
@example([{"$": 1}, {"$a": 1, "$b": 2}, {}])
@example(["\ud83d\ude00", "\ud800"])
@example(-0.0)
@example(datetime(2000, 1, 1, tzinfo=timezone(timedelta(microseconds=-1))))
@example(datetime(2000, 1, 1, tzinfo=timezone(timedelta(seconds=1))))
def test_every_value_round_trips_exactly(value: Any) -> None:
    """Value and exact type survive encoding, UTF-8 and decoding, however nested."""
    assert same(there_and_back(value), value)


@given(values)
def test_an_unchanged_value_encodes_as_before(value: Any) -> None:
    """Loading and encoding again gives the same wire form, so a read writes nothing."""
    wire = to_wire(value, "field")
    assert dumps({"f": to_wire(from_wire(wire), "field")}) == dumps({"f": wire})


@given(values)
def test_the_wire_form_is_plain_json(value: Any) -> None:
    """Any JSON library reads what we write: no NaN, no duplicate key, no type of our own."""
    wire = to_wire(value, "field")
    assert same(json.loads(json.dumps(wire, allow_nan=False)), wire)


@given(st.dictionaries(keys, values))
def test_field_names_are_never_taken_for_tags(fields: dict[str, Any]) -> None:
    """A session with the single field "$dt" is a session with a field, not a datetime."""
    wires = {name: to_wire(value, name) for name, value in fields.items()}
    assert same(loads(dumps(wires)), fields)
    assert same(loads_wire(dumps(wires)), wires)


@given(values, values)
def test_different_values_have_different_texts(left: Any, right: Any) -> None:
    """Change detection by text misses nothing: 1, True, 1.0 and "1" are four values."""
    if not same(left, right):
        assert dumps({"f": to_wire(left, "f")}) != dumps({"f": to_wire(right, "f")})


def test_types_that_compare_equal_differ_in_text() -> None:
    """Python's 1 == True == 1.0 and [] != () must not blur what is stored."""
    alike = [
        1,
        True,
        1.0,
        "1",
        Decimal(1),
        b"1",
        [1],
        (1,),
        {1},
        {"1": 1},
        [True],
        (True,),
        [1.0],
        [Decimal(1)],
    ]
    assert len({dumps({"f": to_wire(value, "f")}) for value in alike}) == len(alike)


def test_neither_side_shares_a_container_with_the_other() -> None:
    """Changing a loaded value must not change the wire form that it is compared with."""
    value: dict[str, Any] = {"a": [1, {"b": (2, [3])}]}
    wire: Any = to_wire(value, "f")
    before = dumps({"f": wire})
    value["a"][1]["b"][1].append(4)
    loaded = from_wire(wire)
    loaded["a"][1]["b"][1].append(5)
    loaded["new"] = 1
    assert dumps({"f": wire}) == before


def test_a_zone_becomes_its_offset_and_keeps_the_instant() -> None:
    """Zone names age; the instant and the offset that the user saw do not. The fold decides which of two."""
    zone = ZoneInfo("Europe/Berlin")
    for fold in (0, 1):
        moment = datetime(2024, 10, 27, 2, 30, 0, 123456, tzinfo=zone, fold=fold)
        back = there_and_back(moment)
        assert back.timestamp() == moment.timestamp()
        assert back.utcoffset() == moment.utcoffset() == timedelta(hours=2 - fold)
        assert back.microsecond == 123456
        # One instant at one offset has one text, whatever the fold that led to it.
        assert to_wire(moment.astimezone(back.tzinfo), "f") == to_wire(moment, "f")
    assert there_and_back(datetime(2024, 1, 1, tzinfo=UTC)).tzinfo is UTC


def test_a_set_encodes_alike_in_every_process() -> None:
    """String hashes differ from process to process; an unchanged set must not look changed."""
    assert list({0, 8}) != list({8, 0})
    assert to_wire({0, 8}, "f") == to_wire({8, 0}, "f")
    program = (
        "from coatcheck.codec import *;print(dumps({'f': to_wire({'ada', 'bob', 'cy', 'dee', b'e', 1, None}, 'f')}))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


def test_a_dict_that_grows_meanwhile_does_not_break_the_commit() -> None:
    """Another thread may add to a dict that a session shares; the commit takes it as it was."""
    shared: dict[str, Any] = {}

    class Meddler(str):
        __slots__ = ()

        def __html__(self) -> str:
            shared["more"] = 1
            return ""

    shared["first"] = Meddler("text")
    assert there_and_back(shared) == {"first": "text"}


# -- types can't be forged -------------------------------------------------------------------------------


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _dicts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _dicts(item)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner, max_size=2),
    max_leaves=20,
)


@given(json_values)
@example({"$html": "<script>"})
@example({"$$html": "<script>"})
@example({"$html": {"$html": "<script>"}})
def test_json_from_a_stranger_never_becomes_another_type(value: Any) -> None:
    """An API that stores its request's JSON can't be made to hand Markup to a template."""
    assert same(there_and_back(value), value)
    for wire in _dicts(to_wire(value, "f")):
        assert not (len(wire) == 1 and next(iter(wire))[:1] == "$" and next(iter(wire))[:2] != "$$")


def test_only_text_that_is_its_own_html_comes_back_as_markup() -> None:
    """A str subclass whose `__html__` escapes is text, and must not come back as trusted HTML."""

    class Escaping(str):
        __slots__ = ()

        def __html__(self) -> str:
            return self.replace("<", "&lt;")

    assert type(there_and_back(Markup("<b>bold</b>"))) is Markup
    assert type(there_and_back(Escaping("<script>"))) is str
    assert type(there_and_back(Escaping("harmless"))) is Markup


def test_markup_is_plain_text_where_markupsafe_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application without templates still reads its sessions; plain text is the safe reading."""
    wire = to_wire(Markup("<b>"), "f")
    monkeypatch.setitem(sys.modules, "markupsafe", None)
    assert type(from_wire(wire)) is str
    assert from_wire(wire) == "<b>"


def test_no_template_engine_is_loaded_for_a_session_without_markup() -> None:
    """`import coatcheck` loads nothing of others; markupsafe comes with the first stored Markup."""
    program = (
        "import sys; from coatcheck.codec import *;"
        "loads(dumps({'f': to_wire([1, (2,)], 'f')})); print('markupsafe' in sys.modules);"
        "loads(dumps({'f': {'$html': '<b>'}})); print('markupsafe' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(
    "wire",
    [
        {"$later": 1},
        {"$": 1},
        {"$dt": "yesterday"},
        {"$dt": 5},
        {"$d": None},
        {"$td": [1, "2", 3]},
        {"$td": [10**30, 0, 0]},
        {"$uuid": 5},
        {"$uuid": "x"},
        {"$dec": "one"},
        {"$b": "@@"},
        {"$b": "YQ"},
        {"$set": [[1]]},
        {"$t": 5},
        {"$f": "much"},
    ],
)
def test_a_damaged_or_newer_tag_is_a_value_error(wire: Any) -> None:
    """A reader can tell "not mine" from a bug, and the text names the tag, never the value."""
    with pytest.raises(ValueError, match=r"cannot read '\$"):
        loads(dumps({"f": [wire]}))


@pytest.mark.parametrize("text", ["", "[]", "5", "null", "{", '{"a":1}x', "[" * 100_000, '{"a":' * 100_000])
def test_a_text_that_is_not_ours_is_a_value_error(text: str) -> None:
    """A damaged row gives one kind of error, however deep the damage."""
    with pytest.raises(ValueError, match=r".*"):
        loads(text)
    with pytest.raises(ValueError, match=r".*"):
        loads_wire(text)


# -- subclasses and keys ---------------------------------------------------------------------------------


class Colour(enum.IntEnum):
    RED = 1


class Word(enum.StrEnum):
    HELLO = "hello"


class Mixed(str, enum.Enum):  # noqa: UP042 (the older form is what many applications have)
    A = "a"


class Flag(enum.IntFlag):
    BOTH = 3


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


class Moment(datetime):
    def isoformat(self, *args: Any, **kwargs: Any) -> str:
        return "never"


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Colour.RED, 1),
        (Flag.BOTH, 3),
        (Word.HELLO, "hello"),
        (Mixed.A, "a"),
        (Loud("quiet"), "quiet"),
        (Point(1, [2]), (1, [2])),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (Counter("aab"), {"a": 2, "b": 1}),
        (Moment(2024, 1, 2, 3, tzinfo=UTC), datetime(2024, 1, 2, 3, tzinfo=UTC)),
        (type("Sub", (float,), {})(1.5), 1.5),
        (type("Sub", (bytes,), {})(b"x"), b"x"),
        (type("Sub", (set,), {})({1}), {1}),
        (type("Sub", (date,), {})(2024, 2, 29), date(2024, 2, 29)),
        (type("Sub", (timedelta,), {})(1, 2, 3), timedelta(1, 2, 3)),
        (type("Sub", (UUID,), {})(int=5), UUID(int=5)),
        (type("Sub", (Decimal,), {})("1.50"), Decimal("1.50")),
    ],
)
def test_a_subclass_is_stored_as_its_base(value: Any, base: Any) -> None:
    """An enum or a named tuple is convenient; what comes back is the plain type, at any depth."""
    assert same(there_and_back(value), base)
    assert same(there_and_back([{"deep": value}]), [{"deep": base}])
    assert same(to_wire(value, "f"), to_wire(base, "f"))


@pytest.mark.parametrize(
    "key",
    [
        True,
        False,
        None,
        0,
        -1,
        10**30,
        1.5,
        1e300,
        -0.0,
        math.nan,
        math.inf,
        -math.inf,
        Colour.RED,
        Word.HELLO,
    ],
)
def test_keys_become_the_strings_that_json_makes_of_them(key: Any) -> None:
    """As the frameworks' own sessions do: code that stores by integer key keeps reading by string key."""
    assert there_and_back({key: 1, "x": 2}) == json.loads(json.dumps({key: 1, "x": 2}))
    assert there_and_back([{key: 1}]) == json.loads(json.dumps([{key: 1}]))


def test_a_key_of_a_str_subclass_is_its_text() -> None:
    """What its `__str__` says is for people; the key is what the dict was looked up by."""
    assert there_and_back({Loud("quiet"): 1, Mixed.A: 2}) == {"quiet": 1, "a": 2}


@pytest.mark.parametrize("key", [(1, 2), b"a", date(2024, 1, 1), uuid4(), Decimal(1), frozenset()])
def test_other_keys_are_refused_at_their_dict(key: Any) -> None:
    """A tuple has no one spelling as a string; the error says where and what to do."""
    with pytest.raises(SessionDataError, match=r"cart\[0\]\.seen has a key of type .* Use str\(key\)") as caught:
        to_wire([{"seen": {"fine": 1, key: 1}}], "cart")
    assert caught.value.path == "cart[0].seen"


# -- what can't be stored --------------------------------------------------------------------------------


class Owner:
    """Something of an application's own."""

    def __repr__(self) -> str:
        return "<Owner password=hunter2>"


class Plain(enum.Enum):
    A = "a"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Owner(), "Owner, which a session cannot hold. Store its id"),
        (Plain.A, "Store its .value"),
        (bytearray(b"x"), "bytearray, which a session cannot hold. Store bytes(value)"),
        (memoryview(b"x"), "Store bytes(value)"),
        (frozenset({1}), "Store set(value)"),
        (object(), "of type object,"),
        (1j, "of type complex,"),
        (range(3), "of type range,"),
        ({}.keys(), "of type dict_keys,"),
        (Owner, "of type type,"),
        (len, "of type builtin_function_or_method,"),
        (iter([]), "of type list_iterator,"),
        (datetime(2024, 1, 1, tzinfo=UTC).timetz(), "of type datetime.time,"),
        (10**4300, "an integer of more than 4300 digits"),
        (-(10**100_000), "is an integer of more than 4300 digits"),
    ],
    ids=[*"abcdefghijklm", "integer", "negative"],
)
def test_what_cannot_be_stored_is_named_with_its_place_and_the_remedy(value: Any, says: str) -> None:
    """The developer reads where, what and what instead; never the value, which may be a secret."""
    with pytest.raises(SessionDataError) as caught:
        to_wire([0, 1, {"owner": value}], "cart")
    assert caught.value.path == "cart[2].owner"
    assert str(caught.value).startswith("cart[2].owner is ")
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SessionDataError) as caught:
        to_wire(value, "user")
    assert caught.value.path == "user"


def test_the_path_is_readable_for_every_container() -> None:
    """Tuples have indexes, sets have none, odd keys are quoted."""
    for value, path in [
        (({"a b": [object()]},), "f[0]['a b'][0]"),
        ({("x", object())}, "f{…}[1]"),
        ({1: {"": object()}}, "f['1']['']"),
        ({"$dt": object()}, "f['$dt']"),
        ({"line\nbreak": object()}, "f['line\\nbreak']"),
    ]:
        with pytest.raises(SessionDataError) as caught:
            to_wire(value, "f")
        assert caught.value.path == path


@given(keys, st.lists(any_text, max_size=MAX_DEPTH - 1))
@example("k" * 10_000, ["n" * 10_000] * 20)
@example("k\n\ud800", ["\ud800\n\x1b[31m"])
def test_an_error_is_short_printable_and_encodable(name: str, nested: list[str]) -> None:
    """A name that came from a form can't flood the log, break its lines or stop it from being written."""
    value: Any = object()
    for key in nested:
        value = {key: value}
    with pytest.raises(SessionDataError) as caught:
        to_wire(value, name)
    text = str(caught.value)
    assert len(text) < 700
    assert text.isprintable()
    assert len(caught.value.path) <= 201
    text.encode()


def test_thirty_two_levels_are_stored_and_thirty_three_are_not() -> None:
    """One limit for lists, dicts and tuples alike; what passes also round-trips."""
    wrap: list[Callable[[Any], Any]] = [
        lambda v: [v],
        lambda v: {"k": v},
        lambda v: (v,),
        lambda v: {"$t": v},
    ]
    for one in wrap:
        value: Any = 1
        for _ in range(MAX_DEPTH):
            value = one(value)
        assert same(there_and_back(value), value)
        with pytest.raises(SessionDataError, match="nested more than 32 levels deep, or contains itself"):
            to_wire(one(value), "deep")
    siblings = [[[]], {"a": ({},)}] * 100
    assert there_and_back(siblings) == siblings


def _cycles() -> Iterator[Any]:
    straight: list[Any] = []
    straight.append(straight)
    yield straight
    branching: dict[str, Any] = {}
    branching["left"] = branching["right"] = [branching, (branching,)]
    yield branching
    late: list[Any] = [list(range(1000)) for _ in range(10)]
    late.append(late)
    yield late


def _shared(levels: int, width: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value] * width
    return value


@pytest.mark.parametrize(
    "value",
    [*_cycles(), _shared(31, 2), _shared(4, 1000), ["x" * 100_000] * 100_000],
    ids=["straight", "branching", "late", "doubling", "wide", "text"],
)
def test_cycles_and_exponential_sharing_are_refused_in_bounded_time(value: Any) -> None:
    """Thirty small lists can spell 2**30 elements; the work is bounded by what a session may hold."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1
        assert calls < 2_000_000

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with pytest.raises(SessionDataError):
            to_wire(value, "f")
    finally:
        sys.setprofile(before)


def test_a_value_too_large_by_itself_is_refused_and_one_that_fits_is_not() -> None:
    """The early bound never refuses what the exact check after the merge would accept."""
    size = MAX_BYTES - len(dumps({"f": []}).encode())
    fits = [
        [1] * ((size + 1) // 2),
        [None] * ((size + 1) // 5),
        [0.5] * ((size + 1) // 4),
        [""] * ((size + 1) // 3),
        [[]] * ((size + 1) // 3),
        ["x" * (size - 2)],
        [{"a": 1}] * ((size + 1) // 8),
        [{str(number): 0 for number in range(24_000)}],
        [b"x" * ((size - 9) // 4 * 3 - 3)],
        [date(2024, 1, 1)] * ((size + 1) // 20),
    ]
    for value in fits:
        text = dumps({"f": to_wire(value, "f")})
        assert MAX_BYTES * 0.8 < len(text) <= MAX_BYTES
    for value in (
        [1] * size,
        ["x" * 300_000],
        [b"x" * 300_000],
        {"k" * 300_000: 1},
        [{"k": "x" * 999}] * 999,
    ):
        with pytest.raises(SessionDataError, match=r"262144 bytes .* their ids in the session"):
            to_wire(value, "f")


def test_the_largest_integer_round_trips_even_under_a_lower_limit() -> None:
    """Python refuses to write or read an integer above its limit: we do it first, with a name and a place."""
    largest = 10**4300 - 1
    assert there_and_back([largest, -largest]) == [largest, -largest]
    before = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(700)
        assert there_and_back(10**700 - 1) == 10**700 - 1
        with pytest.raises(SessionDataError, match="n is an integer of more than 700 digits"):
            to_wire(10**700, "n")
        sys.set_int_max_str_digits(0)
        with pytest.raises(SessionDataError, match="n is an integer of more than 4300 digits"):
            to_wire(10**4300, "n")
    finally:
        sys.set_int_max_str_digits(before)


def test_only_values_that_cannot_change_in_place_are_scalar() -> None:
    """Change detection may skip a scalar; a tuple may hold a list, a subclass may have attributes."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    for value in ("", 1, 1.5, True, None, b"", moment, moment.date(), timedelta(1), uuid4(), Decimal(1)):
        assert are_scalars([value])
    for other in (
        [],
        {},
        set(),
        (),
        ([],),
        Markup(""),
        Colour.RED,
        Loud(""),
        Point(1, 2),
        bytearray(),
        object(),
    ):
        assert not are_scalars([1, other])
