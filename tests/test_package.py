"""What is published: the wheel and the source archive, and what an installation without any extra can do."""

from __future__ import annotations

import re
import tomllib
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.packaged import ROOT, Environment, build, contents

SOURCE = ROOT / "src" / "coatcheck"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive of this tree."""
    return build(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    """An environment with the wheel and PyJWT."""
    return Environment(tmp_path_factory.mktemp("alone") / "env", wheel)


# -- what is in them -----------------------------------------------------------------------------------------


def _shipped() -> set[str]:
    """The package's own files, templates and `py.typed` among them."""
    found = (path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"coatcheck/{path.relative_to(SOURCE)}" for path in found}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Every module, type marker and template; no test, benchmark, page or other distribution."""
    names = {name for name in contents(wheel) if ".dist-info/" not in name}
    assert names == _shipped()
    assert {"coatcheck/py.typed", "coatcheck/integrations/django/templates/admin/coatcheck/sessions.html"} <= names


def test_the_source_archive_holds_what_the_wheel_is_built_from(sdist: Path) -> None:
    """And not `lab/src`, which is another distribution's."""
    more = {"PKG-INFO", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", ".gitignore"}
    assert {*contents(sdist)} == {f"src/{name}" for name in _shipped()} | more


def test_the_source_archive_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    """Who builds from source installs what is in the wheel, byte by byte."""
    for name, data in contents(sdist).items():
        file = tmp_path / "source" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    assert contents(build(tmp_path / "source", tmp_path / "dist")) == contents(wheel)


def test_the_metadata_asks_for_one_package_and_names_every_extra(wheel: Path) -> None:
    """PyJWT is all that everybody has to install; the readme and the licence are there."""
    files = contents(wheel)
    [name] = (name for name in files if name.endswith(".dist-info/METADATA"))
    told = message_from_bytes(files[name])
    needs = told.get_all("Requires-Dist") or []
    assert [one for one in needs if "extra ==" not in one] == ["pyjwt>=2.12"]
    assert {*(told.get_all("Provides-Extra") or [])} == {*PROJECT["optional-dependencies"]}
    assert told["License-Expression"] == "MIT"
    assert "# Coatcheck" in str(told.get_payload())
    assert any(name.endswith("licenses/LICENSE") for name in files)


def test_no_entry_point_but_the_command(wheel: Path) -> None:
    """Nothing of ours loads itself into pytest, or anywhere else, because it is installed."""
    [points] = (text.decode() for name, text in contents(wheel).items() if name.endswith("entry_points.txt"))
    assert points.split() == ["[console_scripts]", "coatcheck", "=", "coatcheck.cli:main"]


# -- an installation without extras --------------------------------------------------------------------------

IMPORTS = """
import sys
before = {*sys.modules}
import coatcheck
own = {name.split(".")[0] for name in {*sys.modules} - before}
print(coatcheck.__file__, *own - sys.stdlib_module_names)
"""

WORKS = """
from coatcheck import SessionManager
from coatcheck.errors import TicketSpent

with SessionManager("sqlite:///sessions.db") as manager:
    session = manager.load(None)
    session.login("ada")
    session["cart"] = ["coat"]
    token = manager.commit(session).token
    session = manager.load(token)
    assert (session.user_id, session["cart"]) == ("ada", ["coat"])
    ticket = manager.tickets.issue("download", {"file": "a.pdf"}, session=session)
    assert manager.tickets.redeem(ticket, "download").claims == {"file": "a.pdf"}
    try:
        manager.tickets.redeem(ticket, "download")
    except TicketSpent:
        print("spent")
    print(manager.revoke(session.handle), manager.load(token).user_id)
    session = manager.load(None)
    session.login("bob")
    manager.commit(session)
"""


def test_importing_it_loads_no_other_package(alone: Environment, tmp_path: Path) -> None:
    """From the environment's own files, not from these sources."""
    place, *others = alone.do(IMPORTS, tmp_path).split()
    assert Path(place).is_relative_to(alone.packages)
    assert others == ["coatcheck"]


def test_sessions_and_tickets_work(alone: Environment, tmp_path: Path) -> None:
    """Login, data, a ticket that is used once, a revocation: with SQLite and no extra."""
    assert alone.do(WORKS, tmp_path).split("\n") == ["spent", "True None", ""]
    listed = alone.coatcheck("list", "--user", "bob", "--store", "sqlite:///sessions.db", cwd=tmp_path)
    assert re.fullmatch(r"handle\t.*\n[\w-]{22}\t.*\n", listed)


def test_the_command_line_works(alone: Environment, tmp_path: Path) -> None:
    """A key, the plan to rotate one, and every command's help."""
    [key] = alone.coatcheck("keygen", cwd=tmp_path).split()
    assert len(key) == 43
    assert "OLD NEW" in alone.coatcheck("keys", "rotate", cwd=tmp_path)
    commands = re.findall(r"^    ([a-z-]+)\b", alone.coatcheck("--help", cwd=tmp_path), re.MULTILINE)
    assert {"keygen", "list", "doctor", "completion"} <= {*commands}
    for command in commands:
        assert alone.coatcheck(command, "--help", cwd=tmp_path).startswith(f"usage: coatcheck {command}")


# What an extra is for, and the code that needs it.
NEEDED_BY = {
    **{
        name: f"import coatcheck.integrations.{name}"
        for name in ("starlette", "fastapi", "flask", "quart", "django", "litestar", "aiohttp", "pyramid")
    },
    "redis": "import coatcheck; coatcheck.SessionManager('redis://cache', secret='x' * 40)",
    "postgresql": "import coatcheck; coatcheck.AsyncSessionManager('postgresql://db/shop', secret='x' * 40)",
    "testing": "import coatcheck.testing",
    "pages": "import coatcheck.pages",
    "otel": "import coatcheck.telemetry",
}


@pytest.mark.parametrize("extra", NEEDED_BY)
def test_a_missing_extra_names_what_installs_it(extra: str, alone: Environment, tmp_path: Path) -> None:
    """By our own error, with a line to copy; never a bare ImportError of a package that nobody has heard of."""
    told = "import sys\ntry:\n    {}\nexcept Exception as error:\n    print(type(error).__name__, error)"
    said = alone.do(told.format(NEEDED_BY[extra]), tmp_path)
    assert re.match(rf"""ConfigurationError .*pip install ["']coatcheck\[{extra}\]["']$""", said)


def test_the_command_line_names_its_extra(alone: Environment, tmp_path: Path) -> None:
    """Where it is needed; tables do without."""
    said = alone.coatcheck("completion", "bash", cwd=tmp_path, code=2)
    assert "pip install 'coatcheck[cli]'" in said


def test_no_extra_was_forgotten_here() -> None:
    """Each extra is shown above, or by the command line."""
    assert {*NEEDED_BY, "cli"} == {*PROJECT["optional-dependencies"]}
