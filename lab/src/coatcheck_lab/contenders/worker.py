"""One server process of the application."""

from __future__ import annotations

import argparse
import logging
import socket

from ..processes import serve_until_told
from .application import create


def main() -> None:
    """For the lab only."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    listener = socket.socket(fileno=parser.parse_args().fd)
    logging.getLogger("coatcheck").setLevel(logging.ERROR)
    serve_until_told(create(), listener)


if __name__ == "__main__":
    main()
