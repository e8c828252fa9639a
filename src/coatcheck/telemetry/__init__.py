"""Metrics and span attributes by OpenTelemetry, for whatever SDK the application has set up.

    uninstrument = instrument(manager)

Nothing here is in the way of a manager that was not instrumented: what tells takes the place of its store and of its
`load`, and subscribes to its events. `names` has all that is told.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, StoreUnavailable
from ..events import Event
from ..manager import AsyncSessionManager, SessionManager
from ..near import Near
from ..session import Session

try:
    from opentelemetry import metrics as _metrics  # noqa: F401 (whether it is there)
except ImportError:
    raise ConfigurationError('OpenTelemetry is missing: pip install "coatcheck[otel]"') from None

from .board import Board, board
from .live import AsyncLive, Live
from .names import ENDS, LOADS, LOOKUPS, OTHER, REASONS, REFUSALS, REFUSED, TICKETS
from .spans import Spans
from .timed import Meter, Timed

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

Manager = SessionManager | AsyncSessionManager


def instrument(
    manager: Manager,
    meter_provider: MeterProvider | None = None,
    tracer_provider: TracerProvider | None = None,
    *,
    durations: bool = True,
    live_sessions: bool = False,
    enduser_id: bool = False,
) -> Callable[[], None]:
    """Tell of what a manager does from now on; returns the function that stops it, harmless to call twice.

    `meter_provider` and `tracer_provider`: None, the application's global ones. `durations`: how long each call of
    the store takes, which is most of what telemetry costs. `live_sessions`: also how many sessions are alive, asked of
    the store at most once a minute while the SDK collects: a large Redis for about half a second, other stores count
    all. `enduser_id`: also the user's id, on spans; it may be a name or an address, so ask whether you may.

    No metric has a handle, a user's id, a token or words of a caller's; no span has a token. Call it in the process
    that serves, after a fork. Raises `ConfigurationError` for a manager that is instrumented.
    """
    if type(manager.store) is Timed:
        raise ConfigurationError("this manager is instrumented: call what instrument() returned before, once")
    there, namespace = board(meter_provider), manager.namespace
    spans = Spans(tracer_provider, namespace, enduser_id)
    asynchronous = isinstance(manager, AsyncSessionManager)
    live = (AsyncLive if asynchronous else Live)(manager) if live_sessions else None
    store: Any = manager.store
    timed: Any = Timed(store, Meter(there, spans, namespace, durations=durations), asynchronous=asynchronous)
    seen = _seeing(manager, there, spans, live)
    # Over the class's own, for this one manager: a request of any other does not even meet an `if`.
    vars(manager)["load"] = MethodType(_loading(manager, seen), manager)
    manager.store = timed
    near = manager.hearing.near
    if near is not None:
        vars(near)["get"] = _looking(near, there, namespace)
    unsubscribe = manager.subscribe(_hearing(there, spans, namespace))
    if live is not None:
        there.watch(live)

    stopped = False

    def uninstrument() -> None:
        nonlocal stopped
        if stopped:
            return  # somebody else may have begun since
        stopped = True
        unsubscribe()
        if live is not None:
            there.forget(live)
        if manager.store is timed:
            manager.store = store
        vars(manager).pop("load", None)
        if near is not None:
            vars(near).pop("get", None)

    return uninstrument


Seen = Callable[[str | None, Session | None], None]


def _seeing(manager: Manager, there: Board, spans: Spans, live: Live | None) -> Seen:
    """Counts what a request got for a token; None: nothing, the store was down."""
    loads, verify = there.counts(LOADS, manager.namespace), manager.engine.verify

    def seen(token: str | None, session: Session | None) -> None:
        if session is None:
            loads["error"].add()
            return
        # Not its public names: see `Spans.loaded`.
        if session._record is not None:
            loads["live"].add()
        elif not token:
            loads["anonymous"].add()
        elif session._ended_reason is not None:
            loads["ended"].add()
        else:
            loads["forged" if verify(token) is None else "unknown"].add()
        spans.loaded(session)
        if live is not None:
            live.seen()

    return seen


def _loading(manager: Manager, seen: Seen) -> Callable[..., Any]:
    """A `load` for the manager, over its own."""
    if isinstance(manager, AsyncSessionManager):
        inner = manager.load

        async def aload(_: Manager, token: str | None, *arguments: Any, **named: Any) -> Session:
            try:
                session = await inner(token, *arguments, **named)
            except StoreUnavailable:
                seen(token, None)
                raise
            seen(token, session)
            return session

        return aload
    of = manager.load

    def load(_: Manager, token: str | None, *arguments: Any, **named: Any) -> Session:
        try:
            session = of(token, *arguments, **named)
        except StoreUnavailable:
            seen(token, None)
            raise
        seen(token, session)
        return session

    return load


def _looking(near: Near, there: Board, namespace: str) -> Callable[[str], Any]:
    """A `get` for the near cache, over its own."""
    inner, counts = near.get, there.counts(LOOKUPS, namespace)
    hit, miss = counts["hit"], counts["miss"]

    def get(handle: str) -> Any:
        found = inner(handle)
        (miss if found is None else hit).add()
        return found

    return get


def _hearing(there: Board, spans: Spans, namespace: str) -> Callable[[Event], None]:
    """Counts what events tell of."""
    refusals, ends = there.counts(REFUSALS, namespace), there.counts(ENDS, namespace)
    tickets = there.counts(TICKETS, namespace)

    def told(event: Event) -> None:
        if event.name == "ended":
            # One event for all of `revoke_all`.
            ends[REASONS.get(event.reason or "", OTHER)].add(int(event.detail.get("sessions", "1")))
        elif event.name in REFUSED:
            refusals[REFUSED[event.name]].add()
        elif event.name == "ticket_issued":
            tickets["issue"].add()
        elif event.name == "ticket_redeemed":
            tickets["redeem"].add()
        spans.told(event)

    return told
