"""Arguments that several commands have."""

from __future__ import annotations

import argparse

STORE = "the store; COATCHECK_STORE by default, which keeps passwords out of ps"


def add_store(parser: argparse.ArgumentParser) -> None:
    """Which store a command is about: by its place, or as elsewhere by --store. `store_of` reads it."""
    parser.add_argument("url", nargs="?", metavar="URL", help=STORE)
    parser.add_argument("--store", metavar="URL", help=argparse.SUPPRESS)
    add_namespace(parser)


def store_of(options: argparse.Namespace) -> str | None:
    """What `add_store` was given, or None."""
    found: str | None = options.store if options.url is None else options.url
    return found


def add_namespace(parser: argparse.ArgumentParser) -> None:
    """Whose sessions in it."""
    parser.add_argument("--namespace", default="coatcheck", help="as the application's (default: %(default)s)")
