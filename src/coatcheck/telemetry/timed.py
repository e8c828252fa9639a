"""A store whose calls are timed and counted. It takes the store's place in a manager, and is all that it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from time import perf_counter
from types import TracebackType
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import Histogram

from ..change import Change
from ..errors import StoreUnavailable
from .board import Board, Count
from .names import CHANGES, ERROR, NAMESPACE, OPERATION, READS, REFUSALS, TOUCH, UNAVAILABLE, WRITES
from .spans import Spans


class Meter:
    """What is told of one manager's calls of its store."""

    def __init__(self, board: Board, spans: Spans, namespace: str, *, durations: bool) -> None:
        self.spans = spans
        self.duration: Histogram | None = board.duration if durations else None
        self.writes: dict[str, Count] = board.counts(WRITES, namespace)
        self.unavailable: Count = board.counts(REFUSALS, namespace)[UNAVAILABLE]
        self.attributes: dict[str, dict[str, str]] = {
            name: {NAMESPACE: namespace, OPERATION: name} for name in (*READS, *CHANGES, TOUCH)
        }

    def call(self, operation: str, arguments: tuple[Any, ...]) -> _Call:
        """Times what is done within it."""
        if operation == "commit" and isinstance(change := arguments[1], Change) and change.lazy:
            operation = TOUCH
        return _Call(self, operation)


class _Call:
    """A call under way."""

    __slots__ = ("_began", "_meter", "_operation", "_span")

    def __init__(self, meter: Meter, operation: str) -> None:
        self._meter, self._operation = meter, operation
        self._span: AbstractContextManager[None] | None = None

    def __enter__(self) -> None:
        if trace.get_current_span().is_recording():
            self._span = self._meter.spans.around(self._operation)
            self._span.__enter__()
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        seconds, meter, operation = perf_counter() - self._began, self._meter, self._operation
        if kind is None:
            if (writes := meter.writes.get(operation)) is not None:
                writes.add()
        elif issubclass(kind, StoreUnavailable):
            meter.unavailable.add()
        if meter.duration is not None:
            attributes = meter.attributes[operation]
            meter.duration.record(seconds, attributes if kind is None else {**attributes, ERROR: kind.__qualname__})
        if self._span is not None:
            self._span.__exit__(kind, error, trace_back)


def _timed(meter: Meter, operation: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with meter.call(operation, arguments):
            return method(*arguments)

    return call


def _async_timed(meter: Meter, operation: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def call(*arguments: Any) -> Any:
        with meter.call(operation, arguments):
            return await method(*arguments)

    return call


class Timed:
    """In the place of `inner`, of which it has all attributes, and whose kind it shows."""

    def __init__(self, inner: Any, meter: Meter, *, asynchronous: bool) -> None:
        self.inner = inner
        wrap = _async_timed if asynchronous else _timed
        for operation in (*READS, *CHANGES):
            setattr(self, operation, wrap(meter, operation, getattr(inner, operation)))

    # A manager asks of its store whether it has a clock (`Meets`) and a feed: what it cannot find it goes without.
    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return type(self.inner)

    @property
    def offset(self) -> float:
        """As the store's."""
        return float(self.inner.offset)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)
