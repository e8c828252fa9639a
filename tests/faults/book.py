"""What the faults of a Redis do to visitors and to what was promised: the table of docs/redis.md.

`test_single.py` makes each fault and compares what it sees with these words; `python -m tests.faults.book` writes
the page anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tools import marks

PAGE = Path(__file__).parents[2] / "docs" / "redis.md"
BEGIN, END = "<!-- the table: python -m tests.faults.book -->\n", "<!-- the end of the table -->\n"

SERVED, VISITOR, BUSY = "served", "as a visitor", "503"
DONE, ERROR = "done", "error"
LIVES, GONE = "lives", "gone"
ENDED, BACK = "ended", "**lives again**"


class Sight(NamedTuple):
    """What is seen of one fault, in the words above."""

    read: str
    write: str
    login: str
    logout: str
    revoke: str
    """`revoke_user`, as the caller finds it."""
    live: str
    """A session of before, when the fault is over."""
    dead: str
    """One that was revoked before."""


class Row(NamedTuple):
    """A fault, what is seen of it, and what an operator does about it."""

    fault: str
    sight: Sight
    remedy: str


_DOWN = Sight(BUSY, BUSY, BUSY, BUSY, ERROR, LIVES, ENDED)
_FINE = Sight(SERVED, SERVED, SERVED, SERVED, DONE, LIVES, ENDED)

ROWS = {
    "stopped": Row("stopped; connections are refused", _DOWN, "`appendonly yes`, a supervisor that starts it again"),
    "paused": Row("paused; connections stand and nobody answers", _DOWN, "Sentinel, to fail over"),
    "slow": Row("answers two seconds late", _DOWN, "find the slow command: `SLOWLOG`, `LATENCY DOCTOR`"),
    "loading": Row("loading its data after a start", _DOWN, "nothing: it passes"),
    "password": Row("its password was changed, connections were closed", _DOWN, "the new one in the store's URL"),
    "evicts": Row("may evict, when the application starts", _DOWN, "`maxmemory-policy noeviction`"),
    "crashed": Row(
        "killed and restarted, with its append-only file", _FINE, "nothing; for a power cut `appendfsync always`"
    ),
    "snapshot": Row("killed and restarted, with snapshots alone", _FINE._replace(dead=BACK), "`appendonly yes`"),
    "emptied": Row(
        "killed and restarted, without persistence",
        Sight(VISITOR, VISITOR, SERVED, VISITOR, DONE, GONE, ENDED),
        "`appendonly yes`",
    ),
    "evicting": Row(
        "set to evict while it serves, and full",
        Sight(VISITOR, VISITOR, SERVED, VISITOR, DONE, GONE, ENDED),
        "never do that: within a minute every request gets 503, and the log says why",
    ),
    "full": Row(
        "full (`noeviction`)",
        _FINE._replace(write=BUSY, login=BUSY),
        "more `maxmemory`, or a Redis of its own; alert at 80 %",
    ),
    "replica": Row(
        "turned into a replica, or the URL names one",
        Sight(SERVED, BUSY, BUSY, BUSY, ERROR, LIVES, ENDED),
        "the URL of the primary, or Sentinel",
    ),
    "fenced": Row(
        "has lost its replicas (`min-replicas-to-write`)",
        Sight(SERVED, BUSY, BUSY, BUSY, ERROR, LIVES, ENDED),
        "two replicas or more, so that one may go",
    ),
    "disk": Row(
        "cannot save its snapshot (disk full)",
        Sight(SERVED, BUSY, BUSY, BUSY, ERROR, LIVES, ENDED),
        'disk space; with `appendonly yes` snapshots can be off (`save ""`)',
    ),
}
"""By the name that the test gives them."""

HEAD = (
    "the Redis is or was",
    "a page",
    "a change",
    "sign-in",
    "sign-out",
    "`revoke_user`",
    "afterwards a session",
    "a revoked one",
    "what to do",
)


def table() -> str:
    """The table in Markdown."""
    rows = [HEAD, ("---",) * len(HEAD), *((row.fault, *row.sight, row.remedy) for row in ROWS.values())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def renewed(page: str) -> str:
    """The page with the table as it is now. Raises ValueError for a page without the marks."""
    return marks.put(page, BEGIN, END, table())


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
