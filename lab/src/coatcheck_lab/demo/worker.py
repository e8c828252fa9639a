"""One worker process of the demo: serves on the parent's socket until the parent closes our standard input."""

from __future__ import annotations

import argparse
import logging
import socket
from datetime import timedelta
from pathlib import Path

from ..processes import serve_until_told
from .app import create_app
from .settings import Settings


def main() -> None:
    """For the parent only."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--confirm-after", type=int, required=True)
    options = parser.parse_args()
    # Coatcheck's events are worth watching: who signed in, what was revoked, which ticket was refused.
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("coatcheck").setLevel(logging.INFO)
    settings = Settings(options.data, confirm_after=timedelta(seconds=options.confirm_after))
    serve_until_told(create_app(settings), socket.socket(fileno=options.fd))


if __name__ == "__main__":
    main()
