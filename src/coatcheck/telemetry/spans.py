"""What spans say of a session: its handle, never its token, and whether somebody is signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode, TracerProvider

from ..events import Event
from ..session import Session
from .names import AUTHENTICATED, ENDUSER, ERROR, HANDLE, NAMESPACE, OPERATION

_OF_REQUESTS = {"created", "authenticated", "exchanged", "rotated"}
"""Events after which the request goes on with another session than it came with, or another name of it."""


class Spans:
    """The spans of one manager."""

    def __init__(self, provider: TracerProvider | None, namespace: str, enduser: bool) -> None:
        self._tracer = trace.get_tracer("coatcheck", tracer_provider=provider)
        self._namespace, self._enduser = namespace, enduser

    def loaded(self, session: Session) -> None:
        """Say on the current span whose request it is."""
        span = trace.get_current_span()
        if span.is_recording():
            # Not its public names: reading those tells the middleware that the response differs by cookie.
            record = session._record
            self._say(span, record and record.handle, record and record.user_id)

    def told(self, event: Event) -> None:
        """Say it again where the request has another session from now on."""
        if event.name in _OF_REQUESTS and (span := trace.get_current_span()).is_recording():
            self._say(span, event.handle, event.user_id)

    def _say(self, span: Span, handle: str | None, user_id: str | None) -> None:
        span.set_attribute(AUTHENTICATED, user_id is not None)
        if handle is not None:
            span.set_attribute(HANDLE, handle)
        if self._enduser and user_id is not None:
            span.set_attribute(ENDUSER, user_id)

    @contextmanager
    def around(self, operation: str) -> Iterator[None]:
        """A span for a call of the store, within one that is recorded. It makes no trace of its own."""
        attributes = {NAMESPACE: self._namespace, OPERATION: operation}
        with self._tracer.start_as_current_span(
            # Not the error's text: it is for the log.
            f"coatcheck.store {operation}",
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_attribute(ERROR, type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise
