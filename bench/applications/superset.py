"""Apache Superset, the largest Flask application that the package index has; its tests are not published."""

from __future__ import annotations

from dataclasses import dataclass

from .application import INSIDE, Application, Place, Run


@dataclass(frozen=True)
class Superset(Application):
    """Its own setting for extensions, `FLASK_APP_MUTATOR`, is `Coatcheck`."""

    name: str = "superset"
    package: str = "apache-superset"
    title: str = "Apache Superset (steps of ours)"
    framework: str = "Flask"
    changed: str = "the settings"

    def run(self, place: Place, ours: bool) -> Run:  # noqa: ARG002 (the steps are told by the environment)
        """An analyst's steps."""
        return Run([str(place.python), str(INSIDE / "superset_talk.py")], place.folder)
