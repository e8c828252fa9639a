"""Values that an application may want to keep with a login."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

SAMPLES: dict[str, Any] = {
    "text": "Grüße, \N{SNOWMAN}",
    "list": [1, 2.5, None, True, {"nested": ["deep"]}],
    "datetime": datetime(2026, 1, 31, 23, 59, 59, 250, UTC),
    "date": date(2026, 1, 31),
    "timedelta": timedelta(minutes=90),
    "decimal": Decimal("19.90"),
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
    "bytes": bytes(range(256)),
    "tuple": (1, "two"),
    "set": {"red", "green"},
    "1 KB": "x" * 1024,
    "3 KB": "x" * 3 * 1024,
    "16 KB": "x" * 16 * 1024,
    "64 KB": "x" * 64 * 1024,
}
"""By what the report calls them."""
