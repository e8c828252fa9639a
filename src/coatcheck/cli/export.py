"""`coatcheck export` and `import`: all live sessions as lines of JSON, for a backup or another place.

What is in it signs nobody in, as only hashes of the secrets are stored; it is the sessions' data all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from coatcheck.errors import ConfigurationError
from coatcheck.gate import Gate, dump_patches, load_patches
from coatcheck.manager import SessionManager
from coatcheck.moves import Departed, Movable
from coatcheck.policy import TOMBSTONE
from coatcheck.record import Record, dump_record, load_record
from coatcheck.store import Meets
from coatcheck.token import bucket_of, looks_like_handle, new_handle

from . import named, output, waiting
from .command import Command, opened

_FORMAT = "coatcheck sessions 1"
_PAGE = 200
_LONGEST = 1_048_576
"""Characters of a line: a full session, of 256 KiB, in JSON within JSON."""


def _movable(manager: SessionManager) -> Any:
    if not isinstance(manager.store, Movable):
        raise ConfigurationError(f"{type(manager.store).__name__} does not let its sessions go over")
    if isinstance(manager.store, Meets):
        manager.store.meet()  # its clock counts
    return manager.store


# -- out -----------------------------------------------------------------------------------------------------


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help='where to write; must not exist yet. "-" is standard output')


def _export(options: argparse.Namespace) -> int:
    counted = waiting.counted("sessions exported", quiet=options.json)
    with opened(options) as manager, _written(options.file) as to, counted as done:
        for line in _lines(_movable(manager), manager.engine.now()):
            to.write(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")
            done.add("session" in line)
    if options.json and options.file != "-":
        output.as_json({"exported": done.number})
    else:
        sys.stderr.write(f"{done.number:,} sessions exported\n")
    return 0


@contextmanager
def _written(name: str) -> Iterator[IO[str]]:
    """A new file that its owner alone can read, on the disk when this is over; else it is not there."""
    if name == "-":
        if sys.stdout.isatty():
            raise ConfigurationError('this would print people\'s data to your terminal: give a file, or "-" in a pipe')
        yield sys.stdout
        return
    path = Path(name)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)  # half a backup looks like a whole one
        raise


def _lines(store: Any, now: float) -> Iterator[dict[str, Any]]:
    yield {"format": _FORMAT, "at": now}
    users: set[str] = set()
    for handle in _walk(store, "roll"):
        record = store.load(handle)
        if not isinstance(record, Record) or record.over(now):
            continue
        user = record.user_id
        if user is not None and user not in users:
            users.add(user)
            yield _user_line(user, *store.gate(user, now))
        yield {"session": handle, "record": dump_record(record)}
    for user, gate, until in _walk(store, "gates"):
        if user not in users:
            yield _user_line(user, gate, until)


def _walk(store: Any, method: str) -> Iterator[Any]:
    after: Any = None
    while True:
        page = getattr(store, method)(after, _PAGE)
        yield from page.items
        after = page.after
        if after is None:
            return


def _user_line(user: str, gate: Gate, until: float) -> dict[str, Any]:
    facts = {"not_before": gate.not_before, "seq": gate.seq, "patches": dump_patches(gate), "until": until}
    return {"user": user, **facts}


# -- in ------------------------------------------------------------------------------------------------------


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help='what `coatcheck export` wrote; "-" is standard input')
    parser.add_argument(
        "--old",
        action="store_true",
        help="also an export of more than a day ago: what was ended since then lives again",
    )


def _import(options: argparse.Namespace) -> int:
    # Not `opened`: the store may be one that nobody has used yet.
    manager = SessionManager(named.url(options.store), namespace=options.namespace)
    with manager, _read(options.file) as file, waiting.counted("lines read", quiet=options.json) as done:
        arriving = _Arriving(_movable(manager), manager.engine.now())
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST + 1), ""), 1):
            try:
                arriving.take(_parsed(line), options.old)
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                raise ConfigurationError(
                    f"{options.file}, line {number}: not what `coatcheck export` writes. What came before it is "
                    "stored; the import can be repeated"
                ) from error
            done.add()
        arriving.flush()
    if not arriving.begun:
        raise ConfigurationError(f"{options.file} is empty")
    if options.json:
        output.as_json({"stored": arriving.stored, "left_out": arriving.left_out})
    else:
        sys.stdout.write(
            f"{arriving.stored:,} sessions stored, {arriving.left_out:,} left out: there already, ended, or over\n"
        )
    return 0


@contextmanager
def _read(name: str) -> Iterator[IO[str]]:
    if name == "-":
        yield sys.stdin
        return
    try:
        with Path(name).open(encoding="ascii") as file:
            yield file
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror}") from error


def _parsed(line: str) -> dict[str, Any]:
    found = json.loads(line)  # what was cut off as too long is no JSON
    if not isinstance(found, dict):
        raise ValueError  # noqa: TRY004 (all of it is one refusal)
    return found


class _Arriving:
    """Sessions on their way into a store. Nothing that the store knows of is written over: not even its end."""

    def __init__(self, store: Any, now: float) -> None:
        self._store, self._now = store, now
        self._waiting: dict[str, Record] = {}
        self._revoked: dict[str, float] = {}
        self.begun = False
        self.stored = self.left_out = 0

    def take(self, line: dict[str, Any], old: bool) -> None:
        """A line. Raises ValueError, KeyError or TypeError for one that is none."""
        if not self.begun:
            self._begin(line, old)
        elif "user" in line:
            self._join(line)
        else:
            self._session(line)

    def _begin(self, line: dict[str, Any], old: bool) -> None:
        if line["format"] != _FORMAT:
            raise ValueError
        # The store remembers an end for a day: within it nothing that was ended since can come back.
        if self._now - float(line["at"]) > TOMBSTONE and not old:
            raise ConfigurationError(
                "this was exported more than a day ago: what was signed out or revoked since then would live again. "
                "If that is what you want, add --old"
            )
        self.begun = True

    def _join(self, line: dict[str, Any]) -> None:
        user, now = str(line["user"]), self._now
        gate = Gate(float(line["not_before"]), int(line["seq"]), load_patches(line["patches"]))
        mine, _ = self._store.gate(user, now)
        if mine.not_before > gate.not_before:
            self._revoked[user] = mine.not_before
        self._store.join(user, gate, float(line["until"]), now)

    def _session(self, line: dict[str, Any]) -> None:
        handle = line["session"]
        record = load_record(handle, line["record"])
        user = record.user_id
        if not looks_like_handle(handle) or (user is not None and bucket_of(handle) != bucket_of(new_handle(user))):
            raise ValueError
        revoked = user is not None and record.created_at <= self._revoked.get(user, float("-inf"))
        if revoked or record.over(self._now) or self._store.load(handle) is not None:
            self.left_out += 1
            return
        self._waiting[handle] = record
        if len(self._waiting) >= 20:
            self.flush()

    def flush(self) -> None:
        """Store what waits."""
        # Of no instant: a session that left for another store stays there.
        self._store.arrive([Departed(0.0, one.forget_at, one) for one in self._waiting.values()], self._now)
        self.stored += len(self._waiting)
        self._waiting = {}


COMMANDS = (
    Command(
        "export",
        "write all live sessions to a file",
        "Write all live sessions, and what is kept of their users, to a new file, a line of JSON each. It holds the "
        "sessions' data and hashes of their secrets: nobody can sign in with it, and it is personal data.",
        _add_export,
        _export,
    ),
    Command(
        "import",
        "put exported sessions into a store",
        "Put exported sessions into a store, where it knows nothing of them. Tokens stay good if the application keeps "
        "its secret and namespace. Between two stores that both serve, use `coatcheck move`.",
        _add_import,
        _import,
    ),
)
