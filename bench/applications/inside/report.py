"""A pytest plugin: what became of each test, as JSON in the file that `$COATCHECK_RESULTS` names."""

import json
import os
from pathlib import Path

_results = {}


def pytest_runtest_logreport(report):
    """A test fails if any part of it does."""
    if report.when == "call" or report.outcome != "passed":
        failed = "failed" in (report.outcome, _results.get(report.nodeid))
        _results[report.nodeid] = "failed" if failed else report.outcome


def pytest_sessionfinish():
    """Write them; with several processes only the one that hears of all."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        Path(os.environ["COATCHECK_RESULTS"]).write_text(json.dumps(_results))
