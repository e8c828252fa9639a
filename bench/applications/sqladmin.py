"""sqladmin: an administration for FastAPI and Starlette. Its login is in the session; its tests are not published."""

from __future__ import annotations

from dataclasses import dataclass

from .application import INSIDE, Application, Place, Run


@dataclass(frozen=True)
class SQLAdmin(Application):
    """Ours is put in the place of the middleware that it adds."""

    name: str = "sqladmin"
    package: str = "sqladmin"
    title: str = "sqladmin (steps of ours)"
    framework: str = "FastAPI, Starlette"
    changed: str = "the import"

    def run(self, place: Place, ours: bool) -> Run:  # noqa: ARG002 (the steps are told by the environment)
        """An administrator's steps."""
        return Run([str(place.python), str(INSIDE / "sqladmin_talk.py")], place.folder)
