"""What every scenario is given: managers over the store under test, a clock, and ways to overlap requests.

A scenario is written once, as a coroutine. Over a sync store it meets the sync manager with an awaitable
face, so both managers and both kinds of store run the same tests.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, Literal, Protocol, TypeVar, cast
from uuid import uuid4

from ..info import Client
from ..keyring import Keyring
from ..manager import AsyncSessionManager, SessionManager
from ..policy import Policy
from ..session import Session
from ..token import sign
from .clock import FakeClock

T = TypeVar("T")
Mode = Literal["sync", "async"]
OpenStore = Callable[[Mode], Any] | str
"""A store's URL; or a function that makes a `Store` or an `AsyncStore`, each time over the same data."""
Dump = Callable[[], bytes]


class Steps(Protocol):
    """How to stop a store in the middle of a call, where one takes several round trips: see `Kit.steps`."""

    def plan(self, store: Any, method: str, arguments: tuple[Any, ...]) -> Generator[Any, Any, Any]:
        """The call as a generator that yields its steps and is sent what became of each."""
        ...

    def carry_out(self, store: Any, step: Any) -> Any:
        """Do one step."""
        ...


KEY = "a key that guards nothing, for tests only"
OLD_KEY = "the key that guarded nothing before that one"


class Kit:
    """One test's surroundings."""

    def __init__(self, mode: Mode, open_store: OpenStore, dump: Dump | None = None, steps: Steps | None = None) -> None:
        self.mode: Mode = mode
        self.steps = steps
        """Lets `every_order` stop inside the store's own calls too; None: a call is one step."""
        self.clock: FakeClock = FakeClock()
        self.dump = dump
        self._open_store = open_store
        self._namespace = f"kit-{uuid4().hex[:12]}"
        self._opened: list[AsyncSessionManager] = []
        self._store: Any = None

    # -- managers ----------------------------------------------------------------------------------------

    def manager(self, policy: Policy | None = None, **settings: Any) -> AsyncSessionManager:
        """A new manager over the same data, as another server would have it; with an awaitable face."""
        manager = self._make(AsyncSessionManager if self.mode == "async" else SessionManager, policy, settings)
        self._opened.append(manager)
        return manager

    def planner(self, policy: Policy | None = None, **settings: Any) -> Any:
        """A manager whose verbs return plans, for `every_order`: generators that yield their store calls."""
        return self._make(_Planner, policy, settings)

    def _make(self, kind: type[Any], policy: Policy | None, settings: dict[str, Any]) -> AsyncSessionManager:
        store = self._open_store if isinstance(self._open_store, str) else self._open_store(self.mode)
        settings = {"secret": KEY, "clock": self.clock, "namespace": self._namespace} | settings
        # A planner carries nothing out, so it may have a store of either kind.
        manager = kind("memory://" if kind is _Planner else store, policy=policy, **settings)
        if kind is _Planner and not isinstance(store, str):
            manager.store = store
        return cast(AsyncSessionManager, _Awaited(manager)) if kind is SessionManager else manager

    @property
    def store(self) -> Any:
        """The store itself, for what no manager does."""
        if self._store is None:
            self._store = self.manager().store
        return self._store

    def sign(self, handle: str, secret: str) -> str:
        """A token with a valid tag, whatever the store knows of it."""
        return sign(Keyring(KEY, namespace=self._namespace), handle, secret)

    async def call(self, method: str, *arguments: Any) -> Any:
        """One call of the store itself."""
        result = getattr(self.store, method)(*arguments)
        return await result if inspect.isawaitable(result) else result

    def watch(self, manager: AsyncSessionManager) -> list[str]:
        """The names of the store calls that this manager makes from now on, as they come."""
        calls: list[str] = []
        inner: Any = getattr(manager, "subject", manager)
        inner.store = _Watched(inner.store, calls)
        return calls

    async def __aenter__(self) -> Kit:
        return self

    async def __aexit__(self, *_: object) -> None:
        for manager in self._opened:
            await manager.aclose()

    # -- short words -------------------------------------------------------------------------------------

    async def stored(self, manager: AsyncSessionManager, **fields: Any) -> str:
        """The token of a new session without a user."""
        return await self.request(manager, None, lambda session: session.update(fields))

    async def signed_in(self, manager: AsyncSessionManager, user: str, token: str | None = None, **fields: Any) -> str:
        """The token of a new session of a user's."""

        def work(session: Session) -> None:
            session.login(user)
            session.update(fields)

        return await self.request(manager, token, work)

    async def request(self, manager: AsyncSessionManager, token: str | None, work: Callable[[Session], object]) -> str:
        """One request; the token that the client holds after it, "" for none."""
        session = await manager.load(token, Client("192.0.2.1", "Browser/1"))
        work(session)
        result = await manager.commit(session)
        return (token or "") if result.action == "keep" else result.token or ""

    async def fields(self, manager: AsyncSessionManager, token: str) -> dict[str, Any]:
        """What the session holds; {} if the token names none."""
        return dict(await manager.load(token))

    async def lives(self, manager: AsyncSessionManager, token: str) -> bool:
        """Whether the token names a live session."""
        return not (await manager.load(token)).is_new

    # -- at the same time --------------------------------------------------------------------------------

    async def together(self, *jobs: Callable[[], Coroutine[Any, Any, T]]) -> list[T | Exception]:
        """Run them at the same time, on threads or as tasks; what each returned or raised, in their order."""
        if self.mode == "async":
            done = await asyncio.gather(*(job() for job in jobs), return_exceptions=True)
            return [result if isinstance(result, Exception) else cast(T, result) for result in done]
        results: list[Any] = [None] * len(jobs)
        barrier = threading.Barrier(len(jobs))

        def work(number: int) -> None:
            barrier.wait()
            try:
                results[number] = _finish(jobs[number]())
            except Exception as error:  # noqa: BLE001 (it is the result)
                results[number] = error

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(jobs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results


class Scenarios:
    """A base for classes of scenarios: each `async def test_...(self, kit)` becomes a plain test."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, test in list(vars(cls).items()):
            if name.startswith("test_") and inspect.iscoroutinefunction(test):
                setattr(cls, name, _plain(test))


def _plain(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @wraps(test)
    def run(self: Scenarios, kit: Kit, **fixtures: Any) -> None:
        async def scenario() -> None:
            async with kit:
                await test(self, kit, **fixtures)

        asyncio.run(scenario())

    return run


def _finish(job: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never really waits, without an event loop."""
    try:
        while True:
            job.send(None)
    except StopIteration as done:
        value: T = done.value
        return value


class _Planner(SessionManager):
    """Its verbs return their plans in place of carrying them out."""

    def _drive(self, plan: Any) -> Any:
        return plan

    def commit(self, session: Any, *, failed: bool = False) -> Any:
        """A manager's `commit`, as a plan."""
        return self.engine.commit(session, failed)

    def load(self, token: str | None, client: Any = None, **_: Any) -> Any:
        """A manager's `load`, as a plan."""
        found, shown = self.engine.begin(token, client, None)
        if shown is not None:
            value = yield "load", (shown.handle,)
            if not self.engine.admit(found, shown, value):
                yield from self.engine.turn_away(found, shown, value)
        return found


class _Awaited:
    """A sync manager, or its tickets, with an async one's face."""

    def __init__(self, subject: Any) -> None:
        self.subject = subject

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.subject, name)
        if name == "tickets":
            return _Awaited(value)
        if name == "subscribe" or not inspect.ismethod(value):
            return value

        async def call(*args: Any, **kwargs: Any) -> Any:
            return value(*args, **kwargs)

        return call

    async def aclose(self) -> None:
        self.subject.close()

    @asynccontextmanager
    async def open(self, token: str | None, client: Client | None = None) -> AsyncIterator[Session]:
        with self.subject.open(token, client) as session:
            yield session


class _Watched:
    """A store that notes which of its methods are called."""

    def __init__(self, store: Any, calls: list[str]) -> None:
        self._store = store
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            self._calls.append(name)
            return value(*args, **kwargs)

        return call
