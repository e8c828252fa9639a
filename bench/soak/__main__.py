"""`python -m bench.soak`: an hour's, or three days', traffic in minutes, over each store.

Ends by itself. The exit code is 1 if an answer was wrong, a request failed with 500, or a log speaks of a fault.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .report import page
from .run import soak

PAGE = Path(__file__).parents[2] / "docs" / "soak.md"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Soak and tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="for each store (default: %(default)g)")
    parser.add_argument("--households", type=int, default=100, help="of three visitors each (default: %(default)s)")
    parser.add_argument("--store", choices=["sqlite", "redis"], action="append", help="only this one")
    parser.add_argument(
        "--forget",
        choices=["revocations", "updates", "tickets", "writes"],
        default="",
        help="break this promise in the application, to see that the oracle notices",
    )
    parser.add_argument("--write", action="store_true", help="write docs/soak.md anew")
    options = parser.parse_args()
    verdicts = [
        soak(store, options.minutes * 60, options.households, _say, options.forget)
        for store in options.store or ["sqlite", "redis"]
    ]
    text = page(verdicts)
    print(text)
    if options.write:
        PAGE.write_text(text)
        _say("written to docs/soak.md")
    return int(any(verdict.wrong or verdict.errors or verdict.faults for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
