"""The clock of a soak."""

from __future__ import annotations

import os
import time

SPEED = float(os.environ.get("SOAK_SPEED", "1440"))
"""A minute is a day: so that what is kept for a day comes and goes within the soak."""

_BEGUN = float(os.environ.get("SOAK_BEGUN", "0"))


def clock() -> float:
    """Seconds since the epoch, in fast motion, the same in every worker."""
    return _BEGUN + (time.time() - _BEGUN) * SPEED
