"""sqladmin: an administration for FastAPI and Starlette. Its login is in the session; its tests are not published."""

from __future__ import annotations

from dataclasses import dataclass

from .application import Steps


@dataclass(frozen=True)
class SQLAdmin(Steps):
    """Ours is put in the place of the middleware that it adds."""

    name: str = "sqladmin"
    package: str = "sqladmin"
    title: str = "sqladmin (steps of ours)"
    framework: str = "FastAPI, Starlette"
    changed: str = "the import"
    script: str = "sqladmin_talk.py"
