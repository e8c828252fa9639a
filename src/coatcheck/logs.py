"""A formatter for `logging` that writes one line of JSON for each record, with Coatcheck's event as it is.

{"time": "2026-11-28T09:30:00.123Z", "level": "INFO", "logger": "coatcheck", "message": "ended session=...",
 "event": {"name": "ended", "at": 1795858200.1, "session": "...", "user": "ada", "reason": "logout", "detail": {}}}
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from .events import Event

LONGEST = 16_384
"""Characters that are kept of a message, and of a traceback."""

_TRACE = (("trace_id", "otelTraceID"), ("span_id", "otelSpanID"))
"""As OpenTelemetry's instrumentation of `logging` names them on a record."""


class JsonFormatter(logging.Formatter):
    """One line of ASCII for any record, also of other libraries: a line break in what came from outside forges no
    second one (ASVS 16.4.1).

    Give it no format. Override `fields` to add or to leave out some.
    """

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """What is written of a record. What JSON does not know is written as its `str`."""
        at = datetime.fromtimestamp(record.created, UTC)
        found: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _short(record.getMessage()),
        }
        event = getattr(record, "coatcheck", None)
        if isinstance(event, Event):
            found["event"] = {
                "name": event.name,
                "at": event.at,
                "session": event.handle,
                "user": event.user_id,
                "reason": event.reason,
                "detail": event.detail,
            }
        found |= {name: value for name, there in _TRACE if (value := getattr(record, there, "0")) != "0"}
        if record.exc_info:
            found["exception"] = _short(self.formatException(record.exc_info))
        return found

    def format(self, record: logging.LogRecord) -> str:
        """As `logging.Formatter.format`."""
        # Of ASCII: also what only some readers take for a line's end (U+0085, U+2028) is escaped, and lone surrogates.
        return json.dumps(self.fields(record), ensure_ascii=True, default=str)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
