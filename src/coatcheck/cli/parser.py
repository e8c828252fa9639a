"""Wrong words on a command line: one line, which says what to type."""

from __future__ import annotations

import argparse
from typing import NoReturn

from . import output


class Parser(argparse.ArgumentParser):
    """argparse's own prints the usage over several lines, and the fault after it."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and what the command takes; ends with exit code 2."""
        takes = " ".join(self.format_usage().split()).removeprefix("usage: ").replace(" [-h]", "", 1)
        self.exit(2, output.plain(f"{self.prog}: {message}. Type: {takes}") + "\n")
