"""`coatcheck` on the command line."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from coatcheck.errors import CoatcheckError
from coatcheck.keyring import generate_secret

from . import completion, doctor, export, history, inspect, keys, migrate, move, revoke_all, sessions, stats
from .command import add_common
from .parser import Parser

_COMMANDS: dict[str, tuple[Any, str]] = {
    "doctor": (doctor, "examine a store, a configuration, a running site"),
    "keys": (keys, "change the secret, and sign nobody out"),
    "migrate": (migrate, "make a store's tables"),
    "move": (move, "move all sessions to another store, while the application serves"),
    "completion": (completion, "let a shell complete commands and options"),
}
"""A command, its module, and what `coatcheck --help` says of it."""


_ON_STORES = (
    *sessions.COMMANDS,
    *stats.COMMANDS,
    *revoke_all.COMMANDS,
    *history.COMMANDS,
    *inspect.COMMANDS,
    *export.COMMANDS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except BrokenPipeError:
        # `| head` has read enough: no traceback, also not when Python flushes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        sys.stderr.write("\ncoatcheck: stopped. It may be run again\n")
        return 130


def _run(arguments: list[str]) -> int:
    parser = Parser(prog="coatcheck", description="Server-side sessions for Python.")
    parser.add_argument("-V", "--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for one in _ON_STORES:
        own = commands.add_parser(one.name, help=one.help, description=one.description, epilog=one.epilog)
        one.add(own)
        add_common(own)
    commands.add_parser(
        "keygen",
        help="print a new secret",
        description="Print a new secret of 256 random bits, for COATCHECK_SECRET. `coatcheck keys rotate` "
        "says how to put it in an old one's place.",
    )
    for name, (command, text) in _COMMANDS.items():
        command.add(
            commands.add_parser(
                name,
                help=text,
                description=command.DESCRIPTION,
                epilog=command.EPILOG,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
        )
    parser.set_defaults(whole=parser)
    options = parser.parse_args(_handles_last(arguments))
    # psycopg's pool logs in its own words what the one line says in ours.
    logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
    for one in _ON_STORES:
        if options.command == one.name:
            try:
                return one.run(options)
            except CoatcheckError as error:
                sys.stderr.write(f"coatcheck {one.name}: {error}\n")
                return 2
    if options.command in _COMMANDS:
        code: int = _COMMANDS[options.command][0].run(options)
        return code
    sys.stdout.write(generate_secret() + "\n")
    return 0


class _Version(argparse.Action):
    """What is installed is looked up only when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"coatcheck {version('coatcheck')}\n")
        parser.exit()


def _handles_last(arguments: list[str]) -> list[str]:
    """One handle in 64 begins with a dash, and is no option: such go behind a "--", where none is looked for."""
    dashed = [text for text in arguments if re.fullmatch(r"-[A-Za-z0-9_-]{21}", text)]
    return [text for text in arguments if text not in dashed] + (["--", *dashed] if dashed else [])
