"""`coatcheck list`, `show`, `revoke`, `revoke-user` and `purge`: what an operator does at night."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from coatcheck.errors import ConfigurationError
from coatcheck.info import SessionInfo

from . import output
from .command import Command, acting, opened

_HANDLE = re.compile(r"[A-Za-z0-9_-]{22}")
CODES = "exit code: 0 done; 1 there was no such session; 2 it could not be done."


def _add_user(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="the user's id, as the application gives it to login()")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) == 0:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text[:9])


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", required=True, metavar="USER", help="the user's id, as given to login()")
    parser.add_argument("--limit", type=_count, default=100, metavar="N", help="at most so many (default: %(default)s)")


def _list(options: argparse.Namespace) -> int:
    with opened(options) as manager, _user():
        found = manager.sessions(options.user, limit=options.limit)
    if options.json:
        output.as_json([output.facts(info) for info in found])
    elif found:
        output.table(
            ["handle", "signed in", "last seen", "ends", "address", "client", "label"], [_row(info) for info in found]
        )
    else:
        _nobody(options)
    return 0 if found else 1


def _row(info: SessionInfo) -> list[str]:
    signed_in = info.authenticated_at or info.created_at
    times = (output.ago(signed_in), output.ago(info.last_seen_at), output.ago(info.expires_at))
    return [info.handle, *times, info.client.ip or "", info.client.user_agent or "", info.label or ""]


def _add_handles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handles", nargs="+", metavar="HANDLE", help="the session's public name, as `list` shows it")


def _show(options: argparse.Namespace) -> int:
    found: list[SessionInfo] = []
    with opened(options) as manager:
        for handle in options.handles:
            info = manager.info(_handle(handle))
            if info is None:
                sys.stderr.write(f"no live session is called {handle}\n")
            else:
                found.append(info)
    if options.json:
        output.as_json([output.facts(info) for info in found])
    else:
        for info in found:
            output.pairs({name: "" if value is None else str(value) for name, value in output.facts(info).items()})
    return 0 if len(found) == len(options.handles) else 1


def _handle(text: str) -> str:
    """A handle. Raises `ConfigurationError` for what is none, as for a user's id, and for a whole token: that is a
    credential, and stays in the shell's history."""
    if "." in text:
        raise ConfigurationError(
            "this is a token, and its first part is the handle. A token signs its owner in: now that it is in your "
            "shell's history, revoke it"
        )
    if not _HANDLE.fullmatch(text):
        raise ConfigurationError(
            f"{text!r} is no handle, which has 22 characters: `coatcheck list --user USER` shows them, and "
            "`coatcheck revoke-user USER` ends all sessions of a user"
        )
    return text


@contextmanager
def _user() -> Iterator[None]:
    """Raises `ConfigurationError` for an id that nobody can have."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError(f"{error}. USER is the id that the application gives to login()") from None


def _nobody(options: argparse.Namespace) -> None:
    """Say why a user may seem to have no session. USER is quoted: it may be hostile text from a report."""
    sys.stderr.write(
        f"{options.user!r} has no live session, in the namespace {options.namespace}. USER is the id that the "
        "application gives to login(): in Django the primary key, as in --user 1 or revoke-user 1, and not the name\n"
    )


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason", default="revoked", help="what the user's next request is told (default: %(default)s)"
    )


def _add_revoke(parser: argparse.ArgumentParser) -> None:
    _add_handles(parser)
    _add_reason(parser)


def _revoke(options: argparse.Namespace) -> int:
    with acting(options) as (manager, who):
        ended = {handle: manager.revoke(_handle(handle), options.reason, by=who) for handle in options.handles}
    if options.json:
        output.as_json(ended)
    else:
        sys.stdout.writelines(f"{handle}  {'ended' if done else 'was not live'}\n" for handle, done in ended.items())
    return 0 if all(ended.values()) else 1


def _add_revoke_user(parser: argparse.ArgumentParser) -> None:
    _add_user(parser)
    _add_reason(parser)
    parser.add_argument("--keep", metavar="HANDLE", help="spare this session")


def _revoke_user(options: argparse.Namespace) -> int:
    with acting(options) as (manager, who), _user():
        keep = None if options.keep is None else _handle(options.keep)
        count = manager.revoke_user(options.user, keep=keep, reason=options.reason, by=who)
    if options.json:
        output.as_json({"user": options.user, "ended": count})
    else:
        sys.stdout.write(f"{count} session{'s' * (count != 1)} of {options.user!r} ended\n")
        if not count:
            _nobody(options)
    return 0 if count else 1


def _purge(options: argparse.Namespace) -> int:
    with opened(options) as manager:
        count = manager.purge()
    if options.json:
        output.as_json({"deleted": count})
    else:
        sys.stdout.write(f"{count:,} rows deleted\n")
    return 0


COMMANDS = (
    Command("list", "a user's live sessions", "List a user's live sessions, newest first.", _add_list, _list, CODES),
    Command(
        "show",
        "what is known of a session",
        "Show a live session: times, client, label. Its data and its secret are not shown.",
        _add_handles,
        _show,
        CODES,
    ),
    Command("revoke", "end sessions", "End sessions at once, wherever they are used.", _add_revoke, _revoke, CODES),
    Command(
        "revoke-user",
        "end all of a user's sessions",
        "End all of a user's sessions at once, and refuse logins that are under way.",
        _add_revoke_user,
        _revoke_user,
        CODES,
    ),
    Command(
        "purge",
        "delete what is over",
        "Delete what has ended and is remembered no longer. Stores do so by themselves, when somebody writes.",
        lambda _: None,
        _purge,
    ),
)
