"""I hate money: shared budgets, signed in to by project, by invitation and as administrator."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .application import Application, Place, Run


@dataclass(frozen=True)
class IHateMoney(Application):
    """Its application gets `Coatcheck(app)`."""

    name: str = "ihatemoney"
    package: str = "ihatemoney"
    title: str = "I hate money"
    framework: str = "Flask"
    changed: str = "`Coatcheck(app)`"
    sources: tuple[str, ...] = ("ihatemoney",)

    def run(self, place: Place, ours: bool) -> Run:
        """Its tests, in its source distribution."""
        source = place.source("ihatemoney")
        own = ["-c", os.devnull, "--rootdir", str(source), "-o", "python_files=*_test.py"]
        return Run(self.pytest(place, ours, "flask_everywhere", *own, "ihatemoney/tests"), source)
