"""`coatcheck` on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from coatcheck.keyring import generate_secret

from . import doctor, migrate, move


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="coatcheck", description="Server-side sessions for Python.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "keygen",
        help="print a new secret",
        description="Print a new secret of 256 random bits, for COATCHECK_SECRET. To rotate, put the new one in front "
        "of the old, separated by a space, and take the old one out when the absolute timeout has passed.",
    )
    doctor.add(
        commands.add_parser(
            "doctor",
            help="examine a store",
            description=doctor.DESCRIPTION,
            epilog=doctor.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    migrate.add(
        commands.add_parser(
            "migrate",
            help="make a store's tables",
            description=migrate.DESCRIPTION,
            epilog=migrate.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    move.add(
        commands.add_parser(
            "move",
            help="move all sessions to another store, while the application serves",
            description=move.DESCRIPTION,
            epilog=move.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    options = parser.parse_args(arguments)
    if options.command == "doctor":
        return doctor.run(options)
    if options.command == "migrate":
        return migrate.run(options)
    if options.command == "move":
        return move.run(options)
    sys.stdout.write(generate_secret() + "\n")
    return 0
