"""One real application: where its own tests come from, how they run with its own sessions and with ours, and which
differences are meant."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from .source import unpack

ROOT = Path(__file__).parents[2]
HERE = ROOT / ".applications"
INSIDE = Path(__file__).parent / "inside"
LOCKS = ROOT / "requirements" / "applications"


@dataclass(frozen=True)
class Place:
    """Where one application runs."""

    name: str

    @property
    def folder(self) -> Path:
        """Its own folder."""
        return HERE / self.name

    @property
    def python(self) -> Path:
        """The interpreter that has the application and Coatcheck installed."""
        return self.folder / "env" / "bin" / "python"

    def source(self, package: str) -> Path:
        """The unpacked source distribution of a package."""
        return self.folder / "source" / package


@dataclass(frozen=True)
class Run:
    """A command that runs an application's tests, and writes what became of each to `$COATCHECK_RESULTS`.

    Under pytest `-p report` does that, see `inside/report.py`; `inside/` is on the PYTHONPATH.
    """

    command: list[str]
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Application:
    """An application, a framework or an extension with tests of its own that stand on its sessions."""

    name: str
    """The lock in `requirements/applications/` has the same."""
    package: str
    """As the package index calls it."""
    title: str
    framework: str
    changed: str
    """What had to change in it, in words, for the page."""
    sources: tuple[str, ...] = ()
    """Packages of which the source distribution is unpacked too: where the tests are not installed."""
    explained: Mapping[str, str] = field(default_factory=dict)
    """Patterns of tests that pass with its own sessions and may fail with ours: why that is right."""

    def run(self, place: Place, ours: bool) -> Run:
        """How the tests run, with its own sessions or with ours."""
        raise NotImplementedError

    def pytest(self, place: Place, ours: bool, plugin: str, *arguments: str) -> list[str]:
        """The command of its tests; `plugin`, of `inside/`, gives it our sessions."""
        plugins = ["-p", "report", *(["-p", plugin] if ours else [])]
        return [str(place.python), "-m", "pytest", "-q", *plugins, *arguments]

    def explanation(self, test: str) -> str | None:
        """Why a test may fail with ours; None: it may not."""
        return next((why for pattern, why in self.explained.items() if fnmatch(test, pattern)), None)


@dataclass(frozen=True)
class Steps(Application):
    """One whose tests are not published: steps of ours, which hear from the environment whose sessions to use."""

    script: str = ""
    """In `inside/`."""

    def run(self, place: Place, ours: bool) -> Run:  # noqa: ARG002 (the environment says it)
        """Its steps."""
        return Run([str(place.python), str(INSIDE / self.script)], place.folder)


@dataclass(frozen=True)
class Outcome:
    """What became of an application's tests, with its own sessions and with ours."""

    name: str
    version: str
    own: dict[str, str]
    ours: dict[str, str]

    def count(self, ours: bool, result: str) -> int:
        """How many tests ended so: "passed", "failed" or "skipped"."""
        return list((self.ours if ours else self.own).values()).count(result)

    def worse(self) -> list[str]:
        """The tests that passed, and do not with ours."""
        return sorted(test for test, result in self.own.items() if result == "passed" != self.ours.get(test))

    def better(self) -> list[str]:
        """The tests that failed, and pass with ours."""
        return sorted(
            test for test, result in self.ours.items() if result == "passed" and self.own.get(test) == "failed"
        )

    def save(self) -> None:
        """Keep it for the page."""
        _kept(self.name).write_text(json.dumps(vars(self), indent=1, sort_keys=True))

    @classmethod
    def kept(cls, name: str) -> Outcome | None:
        """That of the last run on this machine."""
        path = _kept(name)
        return cls(**json.loads(path.read_text())) if path.exists() else None


def _kept(name: str) -> Path:
    return HERE / name / "outcome.json"


def prepare(application: Application) -> Place:
    """Its environment, from its lock, with Coatcheck as it is here; and the sources that it asks for."""
    place = Place(application.name)
    lock = LOCKS / f"{application.name}.txt"
    done = place.folder / "lock.txt"
    if not done.exists() or done.read_bytes() != lock.read_bytes():
        shutil.rmtree(place.folder, ignore_errors=True)
        place.folder.mkdir(parents=True)
        _uv("venv", "-q", "--python", sys.executable, str(place.folder / "env"))
        _uv("pip", "sync", "-q", "--python", str(place.python), "--require-hashes", str(lock))
        for package in application.sources:
            unpack(place.python, package, lock, place.source(package))
        shutil.copy(lock, done)
    _uv("pip", "install", "-q", "--python", str(place.python), "--no-deps", "-e", str(ROOT))
    return place


def tests(application: Application, place: Place, ours: bool) -> dict[str, str]:
    """Run its tests. What they print goes to a file beside the results."""
    which = "ours" if ours else "own"
    run = application.run(place, ours)
    results = place.folder / f"{which}.json"
    results.unlink(missing_ok=True)
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
        "PYTHONPATH": str(INSIDE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COATCHECK_RESULTS": str(results),
        **({"COATCHECK_OURS": "1"} if ours else {}),
        **run.environment,
    }
    log = place.folder / f"{which}.log"
    with log.open("wb") as output:
        subprocess.run(run.command, cwd=run.cwd, env=environment, stdout=output, stderr=output, check=False)
    if not results.exists():
        raise SystemExit(f"{application.title}: its tests did not run; see {log}")
    found: dict[str, str] = json.loads(results.read_text())
    return found


def version(application: Application) -> str:
    """The version that is locked."""
    lines = (LOCKS / f"{application.name}.txt").read_text().splitlines()
    start = f"{application.package}=="
    return next(line for line in lines if line.startswith(start)).removeprefix(start).split()[0]


def _uv(*arguments: str) -> None:
    subprocess.run([str(ROOT / "tools" / "uv"), *arguments], cwd=ROOT, check=True)
