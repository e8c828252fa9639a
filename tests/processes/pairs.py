"""Every pair of operations that can meet on one session or one user, and what holds whatever their order."""

from __future__ import annotations

from tests.processes import (
    data_pairs,  # noqa: F401 (they enter themselves)
    other_pairs,  # noqa: F401
)
from tests.processes.pairing import PAIRS as PAIRS
