"""Routes in a cluster, one answer at a time: whom it believes, whom it asks next, and what it costs."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis import exceptions as driver

from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.redis import cluster
from coatcheck.stores.redis.cluster import Routes
from coatcheck.stores.redis.hosts import Node
from coatcheck.stores.redis.slots import ALL, Slots, told
from coatcheck.stores.redis.steps import Pause
from coatcheck.stores.redis.talk import Talk

A, B, C, EMPTY = (Node(f"10.0.0.{number}", 6379) for number in range(1, 5))
THIRD = ALL // 3
WHOLE = [
    [0, THIRD - 1, [b"10.0.0.1", 6379, b"id"]],
    [THIRD, 2 * THIRD - 1, [b"10.0.0.2", 6379, b"id"]],
    [2 * THIRD, ALL - 1, [b"10.0.0.3", 6379, b"id"]],
]
GET: list[tuple[Any, ...]] = [("GET", "foo")]  # slot 12182: C's
SLOTS = [("CLUSTER", "SLOTS")]


def routes(*seeds: Node) -> Routes:
    """Those of a cluster that nobody has asked yet."""
    return Routes(seeds or (A, B, C), "the cluster", 60.0)


def acquainted(*seeds: Node) -> Routes:
    """Those of one that was asked."""
    made = routes(*seeds)
    walk = made.carry(GET, time.monotonic())
    next(walk)
    walk.send({(seeds or (A,))[0]: [WHOLE]})
    walk.close()
    return made


def test_who_knows_of_no_slot_is_not_believed() -> None:
    """A node that was replaced by an empty one stands first in the URL: the others are asked."""
    walk = routes(EMPTY, A).carry(GET, time.monotonic())
    assert next(walk) == {EMPTY: SLOTS}
    assert walk.send({EMPTY: [[]]}) == {A: SLOTS}
    assert walk.send({A: [WHOLE]}) == {C: GET}
    with pytest.raises(StopIteration) as end:
        walk.send({C: [b"value"]})
    assert end.value.value == [b"value"]


def test_of_several_that_know_of_a_part_the_one_that_knows_most_is_believed() -> None:
    """A cluster that need not be whole: one was told to forget another."""
    made = routes(A, B)
    walk = made.carry(GET, time.monotonic())
    next(walk)
    assert walk.send({A: [WHOLE[:1]]}) == {B: SLOTS}
    with pytest.raises(driver.ClusterDownError):
        walk.send({B: [WHOLE[:2]]})
    assert made.unserved == ALL - 2 * THIRD
    assert made.primaries() == [A, B]


def test_where_nobody_knows_anything_it_is_a_fault_and_no_crash() -> None:
    """All of a cluster's nodes are new."""
    walk = routes(EMPTY).carry([("INFO", "server")], time.monotonic())
    next(walk)
    with pytest.raises(driver.ClusterDownError):
        walk.send({EMPTY: [[]]})


def test_a_server_that_is_no_cluster_is_named() -> None:
    """With the scheme that it wants."""
    walk = routes(A).carry(GET, time.monotonic())
    next(walk)
    with pytest.raises(ConfigurationError, match="redis://"):
        walk.send({A: [driver.ResponseError("ERR This instance has cluster support disabled")]})


def test_who_says_that_it_is_cut_off_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A primary without the others still has the whole map, and it is the old one."""
    monkeypatch.setattr(cluster, "_LOOKS", 0.0)
    made = acquainted(C, A)
    walk = made.carry(GET, time.monotonic())
    assert next(walk) == {C: GET}
    with pytest.raises(StopIteration) as end:
        walk.send({C: [driver.ClusterDownError("The cluster is down")]})
    assert isinstance(end.value.value[0], driver.ClusterDownError)
    walk = made.carry(GET, time.monotonic())
    assert next(walk) == {A: SLOTS}
    moved = [*WHOLE[:2], [2 * THIRD, ALL - 1, [b"10.0.0.2", 6379, b"id"]]]
    assert walk.send({A: [moved]}) == {B: GET}


def test_of_several_that_are_silent_another_one_is_asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster was down, so that all were in doubt, and one is still paused: it stood first, and took all the time
    of every call, for ever."""
    monkeypatch.setattr(cluster, "_LOOKS", 0.0)
    made = acquainted()
    for node in (A, B, C):
        made._doubt(node)
    first, second = (made.carry(GET, time.monotonic()) for _ in range(2))
    assert next(first) == {A: SLOTS}
    first.close()
    made._doubt(A)  # it gave no answer
    assert next(second) == {B: SLOTS}


def test_a_hundred_callers_look_once() -> None:
    """A cold start: the others wait for the one who asks, and then go by what it has learnt."""
    made = routes()
    walks = [made.carry(GET, time.monotonic()) for _ in range(100)]
    steps = [next(walk) for walk in walks]
    assert steps[0] == {A: SLOTS}
    assert {type(step) for step in steps[1:]} == {Pause}
    assert walks[0].send({A: [WHOLE]}) == {C: GET}
    assert [walk.send({}) for walk in walks[1:]] == [{C: GET}] * 99


def test_who_looks_and_is_cancelled_leaves_it_to_the_next() -> None:
    """A client that hangs up must not keep the others waiting."""
    made = routes()
    first, second = (made.carry(GET, time.monotonic()) for _ in range(2))
    next(first)
    assert isinstance(next(second), Pause)
    first.close()
    assert second.send({}) == {A: SLOTS}


def test_while_a_primary_is_silent_the_others_sessions_cost_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure makes the map doubtful; it is asked for again, by one, after a while."""
    monkeypatch.setattr(cluster, "_LOOKS", 60.0)
    made = acquainted()
    walk = made.carry(GET, time.monotonic())
    next(walk)
    with pytest.raises(TimeoutError):
        walk.send({C: TimeoutError()})
    assert next(made.carry([("GET", "bar")], time.monotonic())) == {A: [("GET", "bar")]}
    monkeypatch.setattr(cluster, "_LOOKS", 0.0)
    assert next(made.carry([("GET", "bar")], time.monotonic())) == {A: SLOTS}


def test_who_was_silent_is_not_asked_for_the_time() -> None:
    """The clock and the settings are looked at every minute: nobody is to wait for a dead node each time."""
    made = acquainted()
    walk = made.carry([("TIME",)], time.monotonic())
    assert next(walk) == {key: [("TIME",)] for key in (A, B, C)}
    with pytest.raises(StopIteration):
        walk.send({A: [[1, 0]], B: [[1, 0]], C: TimeoutError()})
    made._stale = False
    assert next(made.carry([("TIME",)], time.monotonic())) == {key: [("TIME",)] for key in (A, B)}


def test_one_primary_that_evicts_is_enough_to_worry() -> None:
    """Whichever it is: of each answer the worst counts."""
    made = acquainted()
    walk = made.carry([("INFO", "memory")], time.monotonic())
    next(walk)
    fine, evicts = {"maxmemory_policy": "noeviction"}, {"maxmemory_policy": "allkeys-lru"}
    with pytest.raises(StopIteration) as end:
        walk.send({A: [fine], B: [evicts], C: [fine]})
    assert end.value.value == [evicts]


def _layout(made: Routes, *facts: tuple[str, str, str]) -> Any:
    """What the layout is, where the three nodes say `run_id`, epoch and slots."""
    walk = made.layout(time.monotonic())
    next(walk)
    walk.send({A: [WHOLE]})
    answers = {
        node: [
            {"run_id": run},
            f"id addr myself,master - 0 0 {epoch} connected {slots}\nother line of another x".encode(),
        ]
        for node, (run, epoch, slots) in zip((A, B, C), facts, strict=True)
    }
    with pytest.raises(StopIteration) as end:
        walk.send(answers)
    return end.value.value


OWN = [f"0-{THIRD - 1}", f"{THIRD}-{2 * THIRD - 1}", f"{2 * THIRD}-{ALL - 1}"]
STILL = [("r1", "1", OWN[0]), ("r2", "2", OWN[1]), ("r3", "3", OWN[2])]


def test_the_layout_changes_with_a_restart_and_with_a_slot_that_went_and_came_back() -> None:
    """`revoke_all` must not believe that nothing moved: the slots are the same in both."""
    before = _layout(acquainted(), *STILL)
    assert before == _layout(acquainted(), *STILL)
    assert before != _layout(acquainted(), ("r4", "1", OWN[0]), *STILL[1:])
    assert before != _layout(acquainted(), ("r1", "9", OWN[0]), *STILL[1:])


def test_a_layout_that_lacks_a_primary_or_has_keys_on_their_way_is_none() -> None:
    """Then nobody knows whether all were gone through."""
    assert _layout(acquainted(), *STILL[:2], ("r3", "3", f"{2 * THIRD + 1}-{ALL - 1}")) is None
    assert _layout(acquainted(), *STILL[:2], ("r3", "3", f"{OWN[2]} [12182->-id]")) is None


def test_a_node_that_does_not_know_its_own_name_has_that_by_which_we_reach_it() -> None:
    """Redis before its first contact with another node."""
    assert told([[0, 1, [b"", 6380, b"id"]]], A)[0].node == Node(A.host, 6380)
    assert told([[0, 1, [None, 6380, b"id"]]], A)[0].node == Node(A.host, 6380)


def test_who_may_not_ask_is_told_so_and_not_sent_on_for_ever() -> None:
    """A user without `+asking`."""
    walk = acquainted().carry(GET, time.monotonic())
    next(walk)
    assert walk.send({C: [driver.AskError("12182 10.0.0.2:6379")]}) == {B: [("ASKING",), *GET]}
    with pytest.raises(StopIteration) as end:
        walk.send({B: [driver.NoPermissionError("asking"), driver.MovedError("12182 10.0.0.3:6379")]})
    assert isinstance(end.value.value[0], driver.NoPermissionError)


def test_keys_that_move_are_read_one_by_one() -> None:
    """An MGET of which one key is absent would get TRYAGAIN until all have moved."""
    walk = acquainted().carry([("MGET", "{foo}1", "{foo}2"), ("GET", "foo")], time.monotonic())
    assert next(walk) == {C: [("GET", "{foo}1"), ("GET", "{foo}2"), ("GET", "foo")]}
    step = walk.send({C: [b"1", driver.AskError("12182 10.0.0.2:6379"), b"3"]})
    assert step == {B: [("ASKING",), ("GET", "{foo}2")]}
    with pytest.raises(StopIteration) as end:
        walk.send({B: [b"OK", None]})
    assert end.value.value == [[b"1", None], b"3"]


def test_keys_that_never_come_together_are_named_as_such() -> None:
    """Not as a server that is slow: the remedy is another."""
    made = Routes((A,), "the cluster", 0.0)
    made._slots.learn(told(WHOLE, A))
    made._stale = False
    plan = Talk("the cluster", 0, (A,))
    plan.routes, plan._fit = made, True
    walk = plan.carry(iter_once([("EVALSHA", "sha", 1, "foo")]), time.monotonic() + 0.05)
    next(walk)
    step = walk.send({C: [driver.TryAgainError("TRYAGAIN")]})
    assert isinstance(step, Pause)
    time.sleep(0.06)
    with pytest.raises(StoreUnavailable, match="moves these keys"):
        walk.send([])


def iter_once(step: Any) -> Any:
    """A plan of one step."""
    yield step


def test_a_map_that_is_told_again_costs_nothing_and_one_that_was_mended_is_learnt_anew() -> None:
    """16,384 slots, at each look of each request."""
    slots = Slots()
    slots.learn(told(WHOLE, A))
    nodes = slots._nodes
    slots.learn(told(WHOLE, A))
    assert slots._nodes is nodes
    slots.move(12182, EMPTY)
    assert (slots.owner("foo"), slots.primaries) == (EMPTY, [A, B, C, EMPTY])
    slots.learn(told(WHOLE, A))
    assert (slots.owner("foo"), slots.primaries, slots.unserved) == (C, [A, B, C], 0)
