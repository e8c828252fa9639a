"""LNbits: a wallet server on FastAPI, which keeps the state of its single sign-on in the session."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from .application import Application, Place, Run


@dataclass(frozen=True)
class LNbits(Application):
    """Ours is put in the place of the middleware that it adds."""

    name: str = "lnbits"
    package: str = "lnbits"
    title: str = "LNbits"
    framework: str = "FastAPI"
    changed: str = "the import"
    sources: tuple[str, ...] = ("lnbits",)

    def run(self, place: Place, ours: bool) -> Run:
        """The tests of its API, over SQLite; those of its parts know of no requests."""
        data = place.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        settings = {
            "LNBITS_BACKEND_WALLET_CLASS": "FakeWallet",
            "LNBITS_DATA_FOLDER": str(data),
            "FAKE_WALLET_SECRET": "ToTheMoon1",
        }
        command = self.pytest(place, ours, "starlette_everywhere", "-o", "addopts=", "tests/api")
        return Run(command, place.source("lnbits"), settings)
