"""Arguments that several commands have."""

from __future__ import annotations

import argparse

STORE = "the store; COATCHECK_STORE by default, which keeps passwords out of ps"


def add_store(parser: argparse.ArgumentParser) -> None:
    """Which store a command is about, by its place."""
    parser.add_argument("url", nargs="?", metavar="URL", help=STORE)
    add_namespace(parser)


def add_namespace(parser: argparse.ArgumentParser) -> None:
    """Whose sessions in it."""
    parser.add_argument("--namespace", default="coatcheck", help="as the application's (default: %(default)s)")
