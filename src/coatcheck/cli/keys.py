"""`coatcheck keys rotate`: a new secret, and nobody is signed out."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from coatcheck.errors import CoatcheckError, ConfigurationError
from coatcheck.keyring import generate_secret
from coatcheck.policy import Policy

from . import named
from .arguments import STORE
from .secret_file import keys_in, rewrite

DESCRIPTION = """\
The first key of a secret signs, and all of them are accepted. To change it without signing anybody out, every process
has to accept the new key before any of them signs with it. `coatcheck keys rotate` says what to do here, step by step;
with --write it does a step. No key is printed.
"""
EPILOG = "exit code: 0 done; 2 it could not be done, and the file is as it was."

_DAYS = Policy().absolute_timeout.days


def _new(keys: list[str]) -> list[str]:
    return [generate_secret(), *keys]


def _accept(keys: list[str]) -> list[str]:
    return [*keys, generate_secret()]


def _sign(keys: list[str]) -> list[str]:
    if len(keys) < 2:
        raise ConfigurationError("there is one key, which signs already: --step accept comes first")
    return [keys[-1], *keys[:-1]]


def _retire(keys: list[str]) -> list[str]:
    return keys[:1]


_STEPS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "new": (_new, "a new key signs, and the others are accepted. Restart all processes that read this file, together"),
    "accept": (_accept, "a new key is accepted, and the first one signs as before. Restart all processes"),
    "sign": (_sign, "the newest key signs, and the others are accepted. Restart all processes"),
    "retire": (_retire, "only the first key is left. Restart all processes"),
}
"""What each step makes of the keys, and what is to be done then."""


class _Source(NamedTuple):
    """Where the secret comes from."""

    name: str
    held: int
    path: Path | None = None


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) < 36_500:
        raise argparse.ArgumentTypeError("a number of days")
    return int(text[:6])


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = actions.add_parser(
        "rotate",
        help="put a new key in the old one's place",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.add_argument("--store", metavar="URL", help=STORE)
    one.add_argument(
        "--write", type=Path, metavar="FILE", help="change this file of keys, on the disk at once; mode 0600"
    )
    one.add_argument(
        "--step",
        choices=_STEPS,
        default="new",
        help="with --write: a new key in front (new, the default); or, for processes that do not restart together, a "
        "new key behind the others (accept), the last one to the front (sign), the first one alone (retire)",
    )
    one.add_argument(
        "--lifetime",
        type=_days,
        default=_DAYS,
        metavar="DAYS",
        help="the longest that a session lives: absolute_timeout or remember_timeout, or what set_lifetime gave "
        "(default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Say, or do; returns the exit code."""
    try:
        if options.write is None:
            sys.stdout.writelines(f"{line}\n" for line in _plan(_source(options.store), options.lifetime))
        else:
            change, told = _STEPS[options.step]
            keys = rewrite(options.write, change)
            sys.stdout.write(f"{options.write}: {_counted(len(keys))}; {told}\n")
    except CoatcheckError as error:
        sys.stderr.write(f"coatcheck keys rotate: {error}\n")
        return 2
    return 0


def _source(store: str | None) -> _Source | None:
    """Where the application's secret is, in the order in which a manager looks; None: nowhere. Raises
    `ConfigurationError` for keys that it would refuse."""
    if text := os.environ.get("COATCHECK_SECRET"):
        return _Source("COATCHECK_SECRET", len(keys_in(text)))
    if file := os.environ.get("COATCHECK_SECRET_FILE"):
        return _of_file("COATCHECK_SECRET_FILE", Path(file))
    if store or os.environ.get("COATCHECK_STORE"):
        with named.opened(store, "coatcheck") as manager:
            # During a move the old store's key signs.
            path = getattr(getattr(manager.store, "old", manager.store), "path", None)
            key = None if path is None else Path(f"{path}.key")
        if key is not None and key.exists():
            return _of_file("beside the store", key)
    return None


def _of_file(name: str, path: Path) -> _Source:
    try:
        return _Source(f"{name}, {path}", len(keys_in(path.read_text())), path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {getattr(error, 'strerror', None) or 'it is no text'}") from None


def _counted(number: int) -> str:
    return f"{number} key{'s' * (number != 1)}"


def _plan(source: _Source | None, days: int) -> Iterator[str]:
    """The steps, in the order that keeps everybody signed in."""
    if source is None:
        yield "the secret: none is set here. These are the steps where the application has it in COATCHECK_SECRET"
    else:
        yield f"the secret: {source.name}, {_counted(source.held)}"
    if source is not None and source.held > 1:
        yield "there are several: a rotation is under way, or its end was forgotten. Go on with the step that is due"
    yield ""
    if source is not None and source.path is not None:
        does = f"coatcheck keys rotate --write {shlex.quote(str(source.path))} --step"
        accept, sign, retire, once = f"{does} accept", f"{does} sign", f"{does} retire", f"{does} new"
    else:
        accept, sign, retire = (f'COATCHECK_SECRET="{keys}"' for keys in ("OLD NEW", "NEW OLD", "NEW"))
        once = sign
        yield "OLD is the key that signs now, NEW what `coatcheck keygen` prints"
    at = datetime.now(UTC) + timedelta(days=days)
    # Each run makes another key: two servers that ran it themselves would refuse each other's cookies.
    where = "on every server" if source is None or source.path is None else "once; that very file goes to every server"
    yield f"1. {accept}"
    yield f"   {where}. Restart every process: all accept the new key, and the old one signs"
    yield f"2. {sign}"
    yield f"   {where}, when the last process has restarted. Restart them again: the new key signs"
    yield f"3. {retire}"
    yield f"   {where}, {days} days after step 2, not before {at:%Y-%m-%d}. Restart: what the old key signed is over"
    yield "   do your sessions live longer (absolute_timeout, or remember_timeout)? say so by --lifetime"
    yield ""
    yield f"all processes are on one machine and restart together: {once}, then step 3"
    yield "the old key has leaked: the same, with step 3 at once. Everybody signs in again, and tickets are refused"
