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
        plugins = ["-p", "report", *(["-p", "flask_everywhere"] if ours else [])]
        source = place.source("ihatemoney")
        own = ["-c", os.devnull, "--rootdir", str(source), "-o", "python_files=*_test.py"]
        command = [str(place.python), "-m", "pytest", "-q", *own, *plugins, "ihatemoney/tests"]
        return Run(command, source)
