"""The report as plain data: what `--json` prints and what the page is made of."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from ..experiments.experiment import Row
from ..laboratory import Laboratory

LIBRARIES = ("coatcheck", "pyjwt", "starlette", "uvicorn")


def as_data(rows: Sequence[Row], laboratory: Laboratory) -> dict[str, Any]:
    """Everything that was seen, of values that JSON has."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "python": platform.python_version(),
            "system": platform.system(),
            "cores": os.cpu_count(),
            "store": laboratory.store,
            "libraries": {name: version(name) for name in LIBRARIES},
        },
        "contenders": {
            name: contender.title
            for name, contender in laboratory.known.items()
            if name in laboratory.contenders or any(name in row.measured for row in rows)
        },
        "rows": [_row(row) for row in rows],
    }


def _row(row: Row) -> Mapping[str, Any]:
    experiment, verdict = row.experiment, row.verdict
    return {
        "number": row.number,
        "name": experiment.name,
        "part": str(experiment.part),
        "claim": experiment.claim,
        "done": experiment.done,
        "command": row.command,
        "not_run": row.remedy or None,
        "measured": row.measured,
        "holds": verdict.holds if verdict else None,
        "why": verdict.why if verdict else None,
        "best": list(verdict.best) if verdict else [],
        "charts": [asdict(chart) for chart in experiment.charts(row.measured)] if verdict else [],
        "seconds": round(row.seconds, 1),
    }
