"""Arguments that several commands have."""

from __future__ import annotations

import argparse


def add_store(parser: argparse.ArgumentParser) -> None:
    """Which store a command is about."""
    parser.add_argument(
        "url", nargs="?", metavar="URL", help="the store; COATCHECK_STORE by default, which keeps passwords out of ps"
    )
    parser.add_argument("--namespace", default="coatcheck", help="as the application's (default: %(default)s)")
