"""`coatcheck migrate`: the tables of a store that has tables."""

from __future__ import annotations

import argparse
import sys
from typing import Protocol, runtime_checkable

from coatcheck.errors import CoatcheckError
from coatcheck.manager import SessionManager

from . import named
from .arguments import add_store, store_of

DESCRIPTION = """\
Make the tables of a PostgreSQL store, where they are missing. With --print nothing is connected to: the SQL is
printed, for your own migrations. SQLite makes its tables by itself, and Redis has none.
"""
EPILOG = """\
The user needs CREATE on the schema for this, and afterwards no more than SELECT, INSERT, UPDATE and DELETE on the
tables. exit code: 0 they are there; 2 they could not be made.
"""


@runtime_checkable
class HasTables(Protocol):
    """A store whose tables somebody has to make."""

    def make_tables(self, *, unlogged: bool = False, feed: bool = False) -> bool:
        """Make what is missing; False if nothing was."""
        ...


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_store(parser)
    parser.add_argument("--print", action="store_true", dest="show", help="print the SQL, and do nothing")
    parser.add_argument(
        "--unlogged",
        action="store_true",
        help="faster writes; after a crash of the server, or on a promoted replica, everybody signs in again",
    )
    parser.add_argument(
        "--feed",
        action="store_true",
        help="have the server tell what changes, for near_cache=True and to end open connections; it costs each "
        "write a NOTIFY. Also for tables that are there",
    )


def run(options: argparse.Namespace) -> int:
    """Print or make; returns the exit code."""
    try:
        if options.show:
            from coatcheck.stores.postgresql import schema

            sys.stdout.write(schema(options.namespace, unlogged=options.unlogged, feed=options.feed))
            return 0
        with SessionManager(named.url(store_of(options)), namespace=options.namespace) as manager:
            store = manager.store
            if not isinstance(store, HasTables):
                sys.stdout.write(f"{type(store).__name__} needs no tables to be made\n")
            elif store.make_tables(unlogged=options.unlogged, feed=options.feed):
                sys.stdout.write("the tables were made\n")
            else:
                sys.stdout.write("the tables are there already\n")
    except CoatcheckError as error:
        sys.stderr.write(f"coatcheck migrate: {error}\n")
        return 2
    return 0
