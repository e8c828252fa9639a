"""What an application waits for at its start. Modules are counted, not milliseconds: a busy machine fails nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import coatcheck

HEAVY = {"asyncio", "concurrent", "email", "http", "multiprocessing", "socket", "sqlite3", "ssl", "subprocess", "xml"}
"""Each takes as long as much of ours, and a synchronous program over memory needs none."""


def _loaded(code: str, before: str = "import sys") -> set[str]:
    """The modules that some code loads in a new process, after other code."""
    program = f"{before}\nimport sys; before = {{*sys.modules}}\n{code}\nprint(*{{*sys.modules}} - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {*done.stdout.split()}


def test_importing_the_package_alone_loads_nothing_else() -> None:
    """A command line or a settings module that names Coatcheck waits for no store, no driver and no event loop."""
    assert _loaded("import coatcheck") == {"coatcheck"}


@pytest.mark.parametrize(
    "code", ["from coatcheck import SessionManager", "import coatcheck; coatcheck.SessionManager('memory://')"]
)
def test_a_synchronous_program_loads_no_event_loop_and_no_network(code: str) -> None:
    """Nor what serves a move between two stores, which few applications ever see."""
    loaded = _loaded(code)
    assert "coatcheck.manager" in loaded
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()
    assert {name for name in loaded if name.startswith("coatcheck.mov")} <= {"coatcheck.moves"}


REQUESTS = """
def visit(manager):
    session = manager.load(None)
    session.login("ada")
    session["n"] = 1
    done = manager.commit(session)
    assert manager.cookie.read(str(manager.cookie.set_cookie(done)).partition(";")[0])
    assert manager.load(done.token)["n"] == 1
    assert manager.sessions("ada") and manager.revoke_user("ada")
    assert manager.load(done.token).user_id is None
"""


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/s.db"])
def test_no_request_waits_for_an_import(store: str, tmp_path: Path) -> None:
    """What a request needs is loaded with the manager: in a forked server each child would load it again, and in an
    asynchronous one all others would wait."""
    before = f"import coatcheck; manager = coatcheck.SessionManager({store.format(tmp_path)!r})\n{REQUESTS}"
    assert _loaded("visit(manager)", before=before) == set()


def test_every_public_name_is_there_however_it_is_asked_for() -> None:
    """The names that type checkers see, those of `__all__` and those that are loaded on demand are the same."""
    tree = ast.parse(Path(str(coatcheck.__file__)).read_text())
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert seen == vars(coatcheck)["_HOMES"]
    assert sorted(seen) == sorted(coatcheck.__all__)
    assert {*coatcheck.__all__} <= {*dir(coatcheck)}
    names: dict[str, object] = {}
    exec("from coatcheck import *", names)
    assert {*names} - {"__builtins__"} == {*coatcheck.__all__}
    for name, home in seen.items():
        assert names[name] is getattr(coatcheck, name) is getattr(sys.modules[f"coatcheck.{home}"], name)


def test_a_wrong_name_is_refused_as_by_any_module() -> None:
    """`from coatcheck import X` and `coatcheck.X` fail as if nothing were loaded late."""
    with pytest.raises(AttributeError, match="module 'coatcheck' has no attribute 'SesionManager'"):
        coatcheck.SesionManager  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'SesionManager' from 'coatcheck'"):
        exec("from coatcheck import SesionManager", {})


@pytest.mark.parametrize("module", ["errors", "events", "policy"])
def test_the_public_modules_are_reached_from_the_package(module: str) -> None:
    """`import coatcheck` and then `coatcheck.errors.SessionEnded` works, whatever was loaded before."""
    assert f"coatcheck.{module}" in _loaded(f"import coatcheck; coatcheck.{module}")
