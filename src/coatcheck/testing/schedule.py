"""Every interleaving of two or more plans, store call by store call: no luck, no sleeping.

A plan is a generator that yields its store calls. The scheduler carries out one call of one plan at a time,
and goes back to try every other choice in a fresh situation. Where a store can be stopped inside of a call
(`Kit.steps`), it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import CoatcheckError
from ..session import Session
from .kit import Kit

Call = tuple[str, tuple[Any, ...]]
Plan = Generator[Call, Any, Any]
"""Yields `(method, arguments)` of the store contract and is sent what the store returned."""


@dataclass
class Outcome:
    """What became of the plans in one order."""

    order: list[int] = field(default_factory=list)
    """Which plan made each step. A plan's first step runs it up to its first store call."""
    results: list[Any] = field(default_factory=list)
    """What each returned, or the exception that it raised."""
    started: list[float] = field(default_factory=list)
    """When each made its first step, by the kit's clock."""


_START = object()
"""What a plan waits for that has not made its first step."""

Race = tuple[Sequence[Plan], Callable[[Outcome], Awaitable[None]]]
"""Plans in a fresh situation, and the check of what must hold after any order of their steps."""


def request(planner: Any, token: str | None, work: Callable[[Session], object]) -> Plan:
    """One request of a `Kit.planner`, from its arrival to its response."""
    session = yield from planner.load(token)
    work(session)
    return (yield from planner.commit(session))


def signs_in(user: str, **fields: Any) -> Callable[[Session], None]:
    """Work for a request: a login that stores these fields."""

    def work(session: Session) -> None:
        session.login(user)
        session.update(fields)

    return work


def writes(**fields: Any) -> Callable[[Session], None]:
    """Work for a request: it stores these fields."""
    return lambda session: session.update(fields)


async def every_order(kit: Kit, prepare: Callable[[], Awaitable[Race]]) -> int:
    """Run the plans that `prepare` makes in every possible order, and its check after each; how many orders.

    The clock advances by a second a step. A failing check carries a note with the order that broke it.
    """
    todo: list[tuple[int, ...]] = [()]
    count = 0
    while todo:
        given = todo.pop()
        plans, check = await prepare()
        outcome = await _play(kit, [_in_steps(kit, plan) for plan in plans], given, todo)
        count += 1
        try:
            await check(outcome)
        except BaseException as error:
            error.add_note(f"in the order {outcome.order}: {outcome.results}")
            raise
    return count


async def _play(
    kit: Kit, plans: Sequence[Generator[Any, Any, Any]], given: tuple[int, ...], todo: list[tuple[int, ...]]
) -> Outcome:
    outcome = Outcome(results=[None] * len(plans), started=[0.0] * len(plans))
    waiting: dict[int, Any] = dict.fromkeys(range(len(plans)), _START)
    while waiting:
        choices = list(waiting)
        step = len(outcome.order)
        if step < len(given):
            chosen = given[step]
        else:
            chosen = choices[0]
            todo.extend((*outcome.order, other) for other in choices[1:])
        outcome.order.append(chosen)
        kit.clock.advance(1)
        call = waiting[chosen]
        if call is _START:
            outcome.started[chosen] = kit.clock()
        after = await _step(kit, plans[chosen], call)
        if isinstance(after, _Done):
            outcome.results[chosen] = after.result
            del waiting[chosen]
        else:
            waiting[chosen] = after
    return outcome


@dataclass
class _Done:
    """A plan came to its end: what it returned, or the exception that it raised."""

    result: Any


def _in_steps(kit: Kit, plan: Plan) -> Generator[Any, Any, Any]:
    """The plan, with each of its calls in the store's own steps where the kit can stop there."""
    if kit.steps is None:
        return (yield from plan)
    try:
        method, arguments = next(plan)
        while True:
            try:
                result = yield from kit.steps.plan(kit.store, method, arguments)
            except CoatcheckError as error:
                method, arguments = plan.throw(error)
            else:
                method, arguments = plan.send(result)
    except StopIteration as done:
        return done.value


async def _step(kit: Kit, plan: Generator[Any, Any, Any], call: Any) -> Any:
    """Carry out a plan's call, if it has made one; the next that it makes."""
    fault = result = None
    if call is not _START:
        try:
            result = kit.steps.carry_out(kit.store, call) if kit.steps else await kit.call(call[0], *call[1])
        except Exception as error:  # noqa: BLE001 (the plan's to judge)
            fault = error
    try:
        return plan.throw(fault) if fault else plan.send(result)
    except StopIteration as done:
        return _Done(done.value)
    except Exception as error:  # noqa: BLE001 (the check's to judge)
        return _Done(error)
