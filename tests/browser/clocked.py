"""The demo's application under a clock that a test sets: its data folder and the clock's file by environment."""

from __future__ import annotations

import os
import time
from pathlib import Path

from coatcheck_lab.demo.app import create_app
from coatcheck_lab.demo.settings import Settings

FOLDER = Path(os.environ["VAULT_FOLDER"])


def clock() -> float:
    """Seconds since the epoch, moved by as many as the file says."""
    return time.time() + float((FOLDER / "later").read_text())


app = create_app(Settings(FOLDER), clock=clock)
