"""What the command line decides, handed on to every worker process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from coatcheck import Policy

NAMESPACE = "coatcheck-demo"
"""Keeps the demo apart from other applications in a shared store, and names its cookie."""

POLICY = Policy(
    idle_timeout=timedelta(hours=12),
    absolute_timeout=timedelta(days=14),
    touch_interval=timedelta(minutes=1),  # "last seen" in the list of devices is worth reading
    remember=False,
)

TICKET_LIFE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the demo's files lie, and when a sign-in is too old for what matters."""

    data: Path
    confirm_after: timedelta = timedelta(minutes=10)

    @property
    def database(self) -> Path:
        """The vault's own file. Sessions never lie in it."""
        return self.data / "vault.db"
