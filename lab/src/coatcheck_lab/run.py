"""`coatcheck-lab run`: experiments one after the other, with progress, a table, and a report."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .experiments import EXPERIMENTS, NUMBERS
from .experiments.experiment import Row, run
from .laboratory import Laboratory
from .processes import HOST
from .programs import find
from .report import html, table
from .report.data import as_data


def run_experiments(names: Sequence[str], *, as_json: bool, report: Path | None) -> int:
    """Run those rows, or all; the exit status: 1 if one broke off."""
    # Everything is on this machine: a proxy of the environment's is not asked.
    for variable in ("NO_PROXY", "no_proxy"):
        os.environ[variable] = ",".join(filter(None, (os.environ.get(variable), HOST, "localhost")))
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.default_int_handler)  # as ctrl-C: servers and browsers end with us
    # Progress is no part of what a script reads.
    console = Console(stderr=as_json)
    if report is not None and (trouble := _trouble(report)):
        console.print(f"The report cannot be written: {trouble}", highlight=False)
        return 2
    chosen = [experiment for experiment in EXPERIMENTS if not names or experiment.name in names]
    rows: list[Row] = []
    with console.status("Preparing the laboratory") as status, Laboratory() as laboratory:
        # Browsers and their driver leave things where temporary files are: they go with the laboratory.
        os.environ["TMPDIR"] = str(laboratory.folder)
        if not laboratory.has_redis and find("redis-server"):
            console.print("redis-server does not start; SQLite stands in for it.")
        for experiment in chosen:
            number = NUMBERS[experiment.name]
            head = f"{number:>2} {experiment.name}"
            status.update(head)
            laboratory.tell = lambda text, head=head: status.update(f"{head}: {text}")  # type: ignore[misc]
            row = run(number, experiment, laboratory)
            rows.append(row)
            console.print(table.line(row), highlight=False)
        data = as_data(rows, laboratory)
    if as_json:
        json.dump(data, sys.stdout, indent=2)
        print()
    else:
        console.print(table.summary(rows))
    if report is not None:
        report.write_text(html.page(data))
        console.print(f"The report: {report}", highlight=False)
    return 1 if any(row.fault for row in rows) else 0


def _trouble(report: Path) -> str:
    """Why that file cannot be written, said before minutes are spent on it; empty if it can."""
    try:
        report.open("a").close()
    except OSError as error:
        return str(error)
    return ""
