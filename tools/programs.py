"""The programs that tests and benchmarks need beside Python: where they are, and how Debian installs them.

Standard library only: it runs before there is anything else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian asks this file whether a package may start its service; 101 means no."""


class Program(NamedTuple):
    """What provides a program on Debian."""

    package: str
    commands: tuple[str, ...]
    """Names it goes by, the first one found is taken."""
    folders: tuple[str, ...] = ()
    """Where to look beside the PATH, newest last."""
    services: tuple[str, ...] = ()
    """What the package would start at boot."""
    tests: bool = True
    """Whether tests need it. What a benchmark alone needs is installed by `make system` alone."""


PROGRAMS = {
    "redis-server": Program("redis-server", ("redis-server",), services=("redis-server",)),
    "curl": Program("curl", ("curl",)),
    "chromium": Program("chromium", ("chromium", "chromium-browser", "google-chrome")),
    "postgresql": Program("postgresql", ("initdb",), folders=("/usr/lib/postgresql/*/bin",), services=("postgresql",)),
    "pgbouncer": Program("pgbouncer", ("pgbouncer",), folders=("/usr/sbin",), services=("pgbouncer",)),
    "nginx": Program("nginx-light", ("nginx",), folders=("/usr/sbin",), services=("nginx",)),
    "valgrind": Program("valgrind", ("valgrind",)),
    "wrk": Program("wrk", ("wrk",), tests=False),
}


def find(name: str) -> Path | None:
    """The path of the program's command, or None if this machine lacks it."""
    program = PROGRAMS[name]
    beside = [str(path) for pattern in program.folders for path in sorted(Path("/").glob(pattern[1:]))]
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *reversed(beside)])
    found = (shutil.which(command, path=places) for command in program.commands)
    return next((Path(path) for path in found if path), None)


def missing(tests: bool = False) -> list[str]:
    """The programs that this machine lacks; `tests`: of those that tests need."""
    return [name for name, program in PROGRAMS.items() if find(name) is None and (program.tests or not tests)]


def in_ci() -> bool:
    """Whether a missing program is a failure rather than a reason to skip."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def can_install() -> bool:
    """Whether this is root on a Debian machine."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(names: list[str]) -> None:
    """Install what is named from Debian's packages, with the services left off; raises CalledProcessError."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    packages = [PROGRAMS[name].package for name in names]
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        subprocess.run(["apt-get", "-qq", "update"], env=env, check=True)
        command = ["apt-get", "-qq", "-y", "install", "--no-install-recommends", *packages]
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        for service in (service for name in names for service in PROGRAMS[name].services):
            _leave_off(service)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


def _leave_off(service: str) -> None:
    for command in (
        ["deb-systemd-helper", "disable", f"{service}.service"],
        ["update-rc.d", service, "disable"],
    ):
        if shutil.which(command[0]):
            subprocess.run(command, check=False, capture_output=True)


def ensure() -> int:
    """Install what is lacking where that is possible, else say what is lacking; the exit status."""
    lacking = missing(tests=True)
    if lacking and can_install():
        print(f"Installing {', '.join(lacking)} from Debian's packages, with the services left off.")
        try:
            install(lacking)
        except subprocess.CalledProcessError as error:
            print(f"That failed: {' '.join(error.cmd[:3])} ended with status {error.returncode}.")
        lacking = missing(tests=True)
    if not lacking:
        return 0
    print(f"Missing programs: {', '.join(lacking)}. To install them: sudo make system")
    if in_ci():
        return 1
    print("The tests that need them are skipped.")
    return 0


def system() -> int:
    """`make system`: install what is lacking, or fail; the exit status."""
    lacking = missing()
    if not lacking:
        print("Nothing is lacking.")
        return 0
    if not can_install():
        print(f"Lacking: {', '.join(lacking)}. Run this as root on Debian, or install them your own way.")
        return 1
    install(lacking)
    return 1 if missing() else 0


if __name__ == "__main__":
    sys.exit(system() if sys.argv[1:] == ["system"] else ensure())
