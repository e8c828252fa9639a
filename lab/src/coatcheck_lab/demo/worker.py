"""One worker process of the demo: serves on the parent's socket until the parent closes our standard input."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import uvicorn

from .app import create_app
from .settings import Settings

LAST_RESPONSES = 3.5
"""Seconds for the responses that are under way when the demo stops."""


def _serve(settings: Settings, listener: socket.socket) -> None:
    # Coatcheck's events are worth watching: who signed in, what was revoked, which ticket was refused.
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("coatcheck").setLevel(logging.INFO)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # nothing stands before it
            server_header=False,
        )
    )

    def watch() -> None:
        sys.stdin.buffer.read()
        server.should_exit = True
        time.sleep(LAST_RESPONSES)
        os._exit(0)  # a client that never reads its response must not keep this process alive

    threading.Thread(target=watch, daemon=True).start()
    server.run(sockets=[listener])


def main() -> None:
    """For the parent only."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--confirm-after", type=int, required=True)
    options = parser.parse_args()
    settings = Settings(options.data, confirm_after=timedelta(seconds=options.confirm_after))
    _serve(settings, socket.socket(fileno=options.fd))


if __name__ == "__main__":
    main()
