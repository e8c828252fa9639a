"""Runs a script that runs unittest tests, and writes what became of each to the file that `$COATCHECK_RESULTS` names.

python watched.py runtests.py [argument ...], in the script's folder.
"""

import json
import os
import runpy
import sys
import unittest
from pathlib import Path

_results = {}


def _note(result, test):
    if _results.get(test.id()) != "failed":
        _results[test.id()] = result


def _watch(method, result):
    told = getattr(unittest.TextTestResult, method)

    def tells(self, test, *args):
        _note(result, test)
        return told(self, test, *args)

    setattr(unittest.TextTestResult, method, tells)


def _subtests(self, test, subtest, error):
    if error is not None:
        _note("failed", test)
    return _told_subtest(self, test, subtest, error)


_told_subtest = unittest.TextTestResult.addSubTest
unittest.TextTestResult.addSubTest = _subtests
for _method, _result in {
    "addSuccess": "passed",
    "addExpectedFailure": "passed",
    "addFailure": "failed",
    "addError": "failed",
    "addUnexpectedSuccess": "failed",
    "addSkip": "skipped",
}.items():
    _watch(_method, _result)

if __name__ == "__main__":
    if "COATCHECK_OURS" in os.environ:
        import django_everywhere  # noqa: F401 (before the settings are read)
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path.cwd())
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        Path(os.environ["COATCHECK_RESULTS"]).write_text(json.dumps(_results))
