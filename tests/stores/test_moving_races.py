"""A move against every operation, in every order of their steps; and a mover that dies at each of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from coatcheck.change import Change
from coatcheck.errors import StoreUnavailable
from coatcheck.milestones import FLAG, begin
from coatcheck.moves import Departed
from coatcheck.moving import Moving
from coatcheck.moving_store import MovingStore
from coatcheck.record import Record
from coatcheck.store import Taken
from coatcheck.stores import memory_moves
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing.schedule import Plan
from coatcheck.token import new_handle
from tests.records import NOW, record

DAY = 86_400.0
AT = NOW + 10
CART = '{"cart":[1]}'
BOTH = '{"cart":[1],"late":1}'


class Place:
    """Two stores, a session of ada's in the old one, and who serves from both."""

    def __init__(self, *, begun: bool = True) -> None:
        self.old, self.new = MemoryStore(), MemoryStore()
        self.store = MovingStore(self.old, self.new)
        self.store._moving = Fresh()
        if begun:
            self.store.drive(begin(NOW))
        self.one = record("ada", at=NOW)
        self.old.login(self.one, NOW, NOW, None, "")

    def plain(self) -> Any:
        """What somebody sees who has the new URL alone, when everything has gone over."""
        page = self.old.roll(None, 1000)
        self.store.drive(self.store._moving.bring([name for name in page.items if name != FLAG], AT))
        return self.new.load(self.one.handle)


def does(what: str, place: Place) -> Plan:
    """One operation of a process that serves from both."""
    handle, one = place.one.handle, place.one
    call: tuple[str, tuple[Any, ...]] = {
        "load": ("load", (handle,)),
        "write": ("commit", (handle, Change(set={"late": 1}), AT)),
        "end": ("end", (handle, "ada", "logout", AT)),
        "rotate": ("replace", (handle, Change(), one._replace(handle=new_handle("ada")), AT)),
        "revoke_user": ("revoke_user", ("ada", None, "revoked", AT, AT + DAY)),
        "revoke_all": ("revoke_all", (AT, "revoked", AT)),
        "update_user": ("update_user", ("ada", {"role": "none"}, AT, AT + DAY)),
        "login": ("login", (record("ada", at=AT), AT, AT, 1, "too many", None)),
        "list": ("sessions", ("ada", AT, 9, None)),
        "redeem": ("redeem", (handle, "jti", "nonce", "", AT, AT + 60)),
        "count": ("stats", (AT,)),
    }[what]
    return (yield call)


def brings(place: Place) -> Plan:
    """The mover, or anybody who does its work."""
    return (yield "bring", ([place.one.handle], AT))


def begins(place: Place) -> Plan:
    """The mover's beginning, and then its work, in a process of its own."""
    return (yield "_begins", (place.one.handle,))


class Fresh(Moving):
    """With a mover beside it."""

    def _begins(self, handle: str) -> Any:
        yield from begin(AT)
        return (yield from Moving().bring([handle], AT))


def check(what: str, place: Place, done: Any) -> None:  # noqa: C901, PLR0912 (one table)
    """What must hold after any order: nothing acknowledged is lost, and nothing that ended is back."""
    assert not isinstance(done, Exception), done
    after = place.plain()
    if what in {"load", "write"}:
        assert isinstance(done, Record)
        assert isinstance(after, Record)
    match what:
        case "load":
            assert done.fields == CART
        case "write":
            assert (done.fields, after.fields) == (BOTH, BOTH)
        case "end":
            assert isinstance(done, Record)
            assert not isinstance(after, Record)
        case "rotate":
            assert isinstance(done, Record)
            assert not isinstance(after, Record)
            assert isinstance(place.new.load(done.handle), Record)
        case "revoke_user":
            assert done == [place.one.handle]
            assert not isinstance(after, Record)
            assert place.new.login(record("ada"), NOW, AT, None, "").record is None
        case "revoke_all":
            assert done == 1
            assert not isinstance(after, Record)
        case "update_user":
            assert done == 1
            assert '"role":"none"' in after.fields
        case "login":
            assert done.over_limit == (place.one.handle,)
            assert not isinstance(after, Record)
        case "list":
            assert [one.handle for one in done] == [place.one.handle]
        case "redeem":
            assert done.won
            again = place.store.redeem(place.one.handle, "jti", "another", "", AT, AT + 60)
            assert again == Taken(False, AT, "")
        case "count":
            assert (done.sessions, done.users) == (1, 1)
    if what in {"load", "write", "update_user", "list", "redeem", "count"}:
        assert isinstance(after, Record)
        assert [one.handle for one in place.new.sessions("ada", AT, 9, None)] == [place.one.handle]
    assert isinstance(place.store.load(place.one.handle), Record) is isinstance(after, Record)


OPERATIONS = ["load", "write", "end", "rotate", "revoke_user", "revoke_all"]
OPERATIONS += ["update_user", "login", "list", "redeem"]


SWITCHES = 3
"""How often one is interrupted by another: faults that need more are not known to anybody."""


def race(what: str, movers: int = 1, *, begun: bool = True) -> int:
    """An operation against so many movers, in every order with so few switches; in how many."""
    todo: list[tuple[int, ...]] = [()]
    count = 0
    while todo:
        given = todo.pop()
        place = Place(begun=begun)
        plans = [_steps(place, does(what, place))]
        plans += [_steps(place, (brings if begun else begins)(place)) for _ in range(movers)]
        order, results = _play(place, plans, given, todo)
        count += 1
        try:
            for other in results[1:]:
                assert not isinstance(other, Exception), other
            check(what, place, results[0])
        except BaseException as error:
            error.add_note(f"in the order {order}")
            raise
    return count


def _steps(place: Place, plan: Plan) -> Any:
    method, arguments = next(plan)
    return getattr(place.store._moving, method)(*arguments)


def _play(place: Place, plans: list[Any], given: tuple[int, ...], todo: list[tuple[int, ...]]) -> tuple[Any, Any]:
    order: list[int] = []
    results: list[Any] = [None] * len(plans)
    waiting: dict[int, Any] = dict.fromkeys(range(len(plans)))
    while waiting:
        switches = sum(one != other for one, other in itertools.pairwise(order))
        last = order[-1] if order else 0
        chosen = given[len(order)] if len(order) < len(given) else last if last in waiting else min(waiting)
        if len(order) >= len(given) and (switches < SWITCHES or last not in waiting):
            todo.extend((*order, other) for other in waiting if other != chosen)
        order.append(chosen)
        step = waiting.pop(chosen)
        try:
            waiting[chosen] = _go(place, plans[chosen], step)
        except StopIteration as done:
            results[chosen] = done.value
        except Exception as error:  # noqa: BLE001 (the check's to judge)
            results[chosen] = error
    return order, results


def _go(place: Place, plan: Any, step: Any) -> Any:
    if step is None:
        return next(plan)
    side, method, arguments = step
    try:
        result = getattr(place.old if side == "old" else place.new, method)(*arguments)
    except StoreUnavailable as error:
        return plan.throw(error)
    return plan.send(result)


@pytest.mark.parametrize("what", OPERATIONS)
def test_an_operation_against_a_mover(what: str) -> None:
    """In every order of their steps over the two stores."""
    assert race(what) > 5


@pytest.mark.parametrize("what", OPERATIONS)
def test_an_operation_against_the_beginning_of_a_move(what: str) -> None:
    """Of a process that has not heard of it: what it stores in the old store meanwhile does not stay there."""
    assert race(what, begun=False) > 5


@pytest.mark.parametrize("what", ["write", "end", "redeem"])
def test_an_operation_against_two_movers(what: str) -> None:
    """Whoever is late brings nothing back."""
    assert race(what, movers=2) > 100


@pytest.mark.parametrize("what", [*OPERATIONS, "count"])
@pytest.mark.parametrize("steps", range(8))
def test_a_mover_that_is_killed(what: str, steps: int) -> None:
    """After each of its steps: the next who needs the session does the rest, and so does the next mover."""
    place = Place()
    dead = place.store._moving.bring([place.one.handle], AT)
    dead_store = MovingStore(place.old, place.new)
    step = next(dead)
    try:
        for _ in range(steps):
            side, method, arguments = step
            step = dead.send(getattr(place.old if side == "old" else dead_store.new, method)(*arguments))
    except StopIteration:
        pass
    check(what, place, place.store.drive(does_now(what, place)))


def does_now(what: str, place: Place) -> Any:
    """The operation as a plan of the two stores."""
    method, arguments = next(does(what, place))
    return getattr(place.store._moving, method)(*arguments)


@pytest.mark.parametrize("there", [False, True], ids=["nobody", "on_its_way"])
def test_a_claim_is_made_once(there: bool) -> None:
    """Of two who create one handle, and of whom one has not heard of the move, one does; nobody does over another."""
    todo: list[tuple[int, ...]] = [()]
    while todo:
        given = todo.pop()
        place = Place(begun=False)
        claims = [record(at=NOW)._replace(handle=place.one.handle[:-1] + "-", label=name) for name in "ab"]
        if there:
            place.old.create(claims[0]._replace(label="c"), NOW)
        plans = [Moving().create(one, AT) for one in claims]
        plans.append(_steps(place, begins(place)))
        order, results = _play(place, plans, given, todo)
        assert sum(results[:2]) == (0 if there else 1), order
        value = place.store.load(claims[0].handle)
        assert isinstance(value, Record)
        assert value.label == ("c" if there else "ab"[results.index(True)]), order


def test_who_knows_only_the_old_store_is_told() -> None:
    """It is no visitor whom it would hand another cookie: 503."""
    place = Place()
    place.plain()
    with pytest.raises(StoreUnavailable, match="moved to another store"):
        place.old.load(place.one.handle)
    login = place.store.login(record("bob", at=AT), AT, AT, None, "").record
    assert login is not None
    with pytest.raises(StoreUnavailable):
        place.old.load(login.handle)


# -- each guard switched off -----------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def nobody_freezes(patch: Patch) -> None:
    """A departure leaves the session alive: what is written meanwhile is lost."""

    def depart(self: Any, handles: list[str], now: float | None) -> Any:
        found = {handle: self._sessions.get(handle) for handle in handles}
        return {
            handle: Departed(now or 0.0, one.forget_at, one) for handle, one in found.items() if isinstance(one, Record)
        }

    def close(self: Any, handles: list[str], now: float) -> None:
        for handle in handles:
            value = self._sessions.get(handle)
            if isinstance(value, Record):
                self._drop_member(value, handle)
                self._sessions[handle] = Departed(now, value.forget_at)

    patch.setattr(memory_moves.MemoryMoves, "depart", depart)
    patch.setattr(memory_moves.MemoryMoves, "close_departed", close)


def who_is_late_overwrites(patch: Patch) -> None:
    """A session arrives wherever it likes: over newer writes, and over tombstones."""
    patch.setattr(memory_moves.MemoryMoves, "_open_to", lambda self, handle, at: True)


def closed_before_it_arrived(patch: Patch) -> None:
    """The old store says that it is elsewhere before it is."""

    def carry(self: Moving, found: list[Any], now: float) -> Any:
        going = [one for one in found if one.record is not None]
        if going:
            yield "old", "close_departed", ([one.record.handle for one in going], now)
            yield "new", "arrive", (going, now)
        return len(going)

    patch.setattr(Moving, "_carry", carry)


def a_user_is_not_brought(patch: Patch) -> None:
    """What is done to a user reaches only those who are there already."""

    def nothing(self: Moving, user_id: str, now: float) -> Any:
        return
        yield

    patch.setattr(Moving, "bring_user", nothing)


def who_is_on_the_way_is_forgotten(patch: Patch) -> None:
    """`revoke_all` ends who is in one store or the other."""

    def nothing(self: Moving, now: float) -> Any:
        return
        yield

    patch.setattr(Moving, "bring_departed", nothing)


def a_used_ticket_is_looked_up_in_one_store(patch: Patch) -> None:
    """That of the session."""
    patch.setattr(memory_moves.MemoryMoves, "spent", lambda *_: None)


def nobody_looks_again(patch: Patch) -> None:
    """Whether the move was begun is asked before, and not after."""
    begun = Moving.begun

    def once(self: Moving) -> Any:
        if getattr(self, "asked", False):
            return False
        self.asked = True  # type: ignore[attr-defined]
        return (yield from begun(self))

    patch.setattr(Moving, "begun", once)


def an_end_does_not_bring(patch: Patch) -> None:
    """What is on its way is ended in the new store, where it is not yet."""

    def old(self: Moving, handle: str, now: float) -> Any:
        try:
            return (yield "old", "load", (handle,))
        except StoreUnavailable:
            return None

    patch.setattr(Moving, "_old", old)


@pytest.mark.parametrize(
    ("guard", "what", "movers", "begun"),
    [
        (nobody_freezes, "write", 1, True),
        (nobody_freezes, "end", 1, True),
        (who_is_late_overwrites, "write", 2, True),
        (who_is_late_overwrites, "end", 2, True),
        (closed_before_it_arrived, "load", 1, True),
        (closed_before_it_arrived, "write", 1, True),
        (a_user_is_not_brought, "revoke_user", 1, True),
        (a_user_is_not_brought, "update_user", 1, True),
        (a_user_is_not_brought, "login", 1, True),
        (who_is_on_the_way_is_forgotten, "revoke_all", 1, True),
        (a_used_ticket_is_looked_up_in_one_store, "redeem", 1, True),
        (nobody_looks_again, "revoke_user", 1, False),
        (an_end_does_not_bring, "end", 1, True),
        (an_end_does_not_bring, "write", 1, True),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_each_guard_is_needed(
    monkeypatch: Patch, guard: Callable[[Patch], None], what: str, movers: int, begun: bool
) -> None:
    """With it switched off, the race goes red."""
    guard(monkeypatch)
    with pytest.raises(AssertionError):
        race(what, movers, begun=begun)
