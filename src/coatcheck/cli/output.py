"""What commands print: tables for people, with Rich where it is installed, and JSON for scripts. Never a credential."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from coatcheck.info import SessionInfo
from coatcheck.tally import rounded


def as_json(value: Any) -> None:
    """Print JSON; times are ISO 8601."""
    json.dump(value, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head; separated by tabs where Rich is missing, or nobody looks."""
    rows = [[plain(cell) for cell in row] for row in rows]
    if not (sys.stdout.isatty() and _with_rich(head, rows)):
        sys.stdout.writelines("\t".join(row) + "\n" for row in [head, *rows])


def _with_rich(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    made = Table(*head, box=None, pad_edge=False)
    for row in rows:
        made.add_row(*map(Text, row))  # as text: what a client sent is no markup
    Console().print(made)
    return True


def pairs(values: Mapping[str, str]) -> None:
    """Print one fact a line."""
    width = max(map(len, values))
    sys.stdout.writelines(f"{name.ljust(width)}  {plain(value)}\n" for name, value in values.items())


def number(count: int, *, exact: bool) -> str:
    """A count; where it is an estimate, "about 1,230,000"."""
    return f"{count:,}" if exact else f"about {rounded(count):,}"


def facts(info: SessionInfo) -> dict[str, Any]:
    """What may be told of a session, for JSON."""
    return {
        "handle": info.handle,
        "user_id": info.user_id,
        "created_at": info.created_at.isoformat(),
        "last_seen_at": info.last_seen_at.isoformat(),
        "authenticated_at": info.authenticated_at and info.authenticated_at.isoformat(),
        "expires_at": info.expires_at.isoformat(),
        "ip": info.client.ip,
        "user_agent": info.client.user_agent,
        "label": info.label,
    }


def ago(then: datetime, now: datetime | None = None) -> str:
    """How long ago, or in how long, in one unit: "5 min ago", "in 3 d"."""
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    size = abs(seconds)
    for unit, least in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if size >= least:
            return f"{size // least:.0f} {unit} ago" if seconds > 0 else f"in {size // least:.0f} {unit}"
    return "now"


def plain(text: str) -> str:
    """Text without what would move a terminal's cursor or forge a line: some of it came from the network."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
