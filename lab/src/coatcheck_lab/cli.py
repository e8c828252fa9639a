"""The command line: `coatcheck-lab demo` and `coatcheck-lab run`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .experiments import NUMBERS

MAX_WORKERS = 16


def _port(text: str) -> int:
    return _between(text, 65_535, "a port is a number between 1 and 65535, as in PORT=9000")


def _workers(text: str) -> int:
    return _between(text, MAX_WORKERS, f"between 1 and {MAX_WORKERS} workers")


def _between(text: str, most: int, words: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise argparse.ArgumentTypeError(words)
    return int(text[:9])


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds < 1:
        raise argparse.ArgumentTypeError("at least one second")
    return seconds


def _row(text: str) -> str:
    if text not in NUMBERS:
        raise argparse.ArgumentTypeError(f"no row is called {text!r}; there are {', '.join(NUMBERS)}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="coatcheck-lab", description="Coatcheck at work.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="a small document vault to try in a browser",
        description=(
            "Runs a small document vault on this machine: sessions, devices, roles and single-use download "
            "links, in several worker processes. Ctrl-C stops it."
        ),
        epilog=(
            "Sessions lie in an SQLite file, or in the store that the environment's COATCHECK_STORE names, "
            "such as redis://127.0.0.1:6379/0."
        ),
    )
    demo.add_argument("--port", type=_port, default=8000, help="loopback port (default: %(default)s)")
    demo.add_argument("--workers", type=_workers, default=2, help="worker processes (default: %(default)s)")
    demo.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="keep users, documents and sessions in this folder (default: a temporary one, removed at the end)",
    )
    demo.add_argument(
        "--confirm-after",
        type=_seconds,
        default=600,
        metavar="SECONDS",
        help="age of a sign-in after which devices, roles and the password ask for the password again "
        "(default: %(default)s)",
    )
    run = commands.add_parser(
        "run",
        help="what is claimed of JWTs and sessions, as experiments",
        description="Tries each claim on this machine, with the same application and each way to stay logged in.",
        epilog=f"Rows: {', '.join(NUMBERS)}.",
    )
    run.add_argument("rows", nargs="*", metavar="ROW", type=_row, help="only these rows (default: all)")
    run.add_argument("--json", action="store_true", help="print the report's data; progress goes to standard error")
    run.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status. Raises SystemExit for a command line that makes no sense."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "run":
            from .run import run_experiments

            return run_experiments(options.rows, as_json=options.json, report=options.html)
        from .demo.serve import serve

        return serve(options.port, options.workers, options.data, options.confirm_after)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
