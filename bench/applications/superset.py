"""Apache Superset, the largest Flask application that the package index has; its tests are not published."""

from __future__ import annotations

from dataclasses import dataclass

from .application import Steps


@dataclass(frozen=True)
class Superset(Steps):
    """Its own setting for extensions, `FLASK_APP_MUTATOR`, is `Coatcheck`."""

    name: str = "superset"
    package: str = "apache-superset"
    title: str = "Apache Superset (steps of ours)"
    framework: str = "Flask"
    changed: str = "the settings"
    script: str = "superset_talk.py"
