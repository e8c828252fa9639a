"""The types that users see: complete by pyright's count, and right in an application under `mypy --strict`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import coatcheck
from coatcheck import errors
from tests.packaged import ROOT, Environment, build, run

CONSUMER = ROOT / "tests" / "consumer.py"

UNTYPED = "coatcheck.integrations.django."
"""Django ships no types, so nobody knows what a class that is made of one of its classes inherits."""
INHERITED = (
    r'(Type of (base class|metaclass) .*unknown|(Return type|Type of .*) is partially unknown\n.*"SessionStore.*)'
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel, beside every framework."""
    folder = tmp_path_factory.mktemp("typed")
    made = Environment(folder / "env", build(ROOT, folder))
    made.borrow()
    return made


@pytest.fixture(scope="module")
def report(environment: Environment) -> Any:
    """What `pyright --verifytypes` says of the installed package."""
    path = f"{environment.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"  # pyright asks the `python` that it finds
    command = [sys.executable, "-m", "pyright", "--verifytypes", "coatcheck", "--ignoreexternal", "--outputjson"]
    done = subprocess.run(
        command, cwd=environment.folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout)["typeCompleteness"]


def test_every_public_type_is_known(report: Any, environment: Environment) -> None:
    """All of them but what Django's own classes hand down: there the reason is nothing else."""
    assert Path(report["pyTypedPath"]).is_relative_to(environment.packages)
    assert len(report["symbols"]) > 2000
    unknown = {one["name"]: one for one in report["symbols"] if one["isExported"] and not one["isTypeKnown"]}
    others = {name: [told["message"][:160] for told in one["diagnostics"]] for name, one in unknown.items()}
    assert {name: why for name, why in others.items() if not name.startswith(UNTYPED)} == {}
    said = [told["message"] for one in unknown.values() for told in one["diagnostics"]]
    assert [text for text in said if not re.match(INHERITED, text)] == []
    assert not any(one["isTypeAmbiguous"] for one in report["symbols"])


def test_no_public_function_or_class_is_without_a_docstring_of_its_own_or_of_its_contract(report: Any) -> None:
    """A method without one is a store's, where `store.Store` says it for all; and every default is written out."""
    assert report["missingClassDocStringCount"] == 0
    assert report["missingDefaultParamCount"] == 0


def test_an_application_that_uses_each_name_is_right_under_mypy_strict(
    environment: Environment, tmp_path: Path
) -> None:
    """Against the installed wheel: what is returned has the very type that the documentation names."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}"]
    (tmp_path / "consumer.py").write_text(CONSUMER.read_text())
    done = run(*command, "--python-executable", environment.python, "consumer.py", cwd=tmp_path, check=False)
    assert done.stdout.startswith("Success"), done.stdout + done.stderr


def test_that_application_runs_and_leaves_no_name_out(environment: Environment, tmp_path: Path) -> None:
    """It is no mere list of names; each of `coatcheck.__all__` and each error is in it."""
    run(environment.python, "-I", CONSUMER, cwd=tmp_path)
    names = {*coatcheck.__all__, *(name for name, kind in vars(errors).items() if isinstance(kind, type))}
    assert {name for name in names if not re.search(rf"\b{name}\b", CONSUMER.read_text())} == set()
