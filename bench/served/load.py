"""One slice: wrk at one server, each connection with a visitor of its own, every answer checked."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools import programs

from .apps.shared import ROLE
from .proof import Visitor, Wrong, holds, reads
from .stage import Application, Stage

LUA = Path(__file__).with_name("visit.lua")
SETTLE = 0.01
"""Seconds between two looks at whether a server still works for those who have gone."""
_numbers = count(1)


@dataclass(frozen=True)
class Slice:
    """What one slice showed. Times in seconds."""

    requests: int
    rate: float
    p50: float
    p95: float
    p99: float
    cpu: float
    """Of the server's processes, a request."""
    stores: float
    """Of Redis's and PostgreSQL's, a request."""


class Load:
    """wrk, and the visitors that it plays."""

    def __init__(self, stage: Stage, visitors: dict[str, list[Visitor]]) -> None:
        """`visitors` of each application, by its key."""
        found = programs.find("wrk")
        if found is None:
            raise RuntimeError("wrk is not installed: `make system` installs it")
        self._wrk, self._stage = found, stage
        self._folder = TemporaryDirectory(prefix="coatcheck-served-")
        self._files: dict[str, Path] = {}
        for number, (key, some) in enumerate(visitors.items()):
            self._files[key] = Path(self._folder.name, str(number))
            self._files[key].write_text("".join("\t".join(visitor) + "\n" for visitor in some))

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def run(self, application: Application, act: str, connections: int, seconds: float) -> Slice:
        """Raises `Wrong` for a single answer that is not the right one."""
        key = application.contender.key
        began, stores_began = application.spent(), self._stage.stores_spent()
        said = self._drive(application, act, connections, seconds)
        cpu = _settled(application) - began
        stores = self._stage.stores_spent() - stores_began
        if said["wrong"] or said["failed"] or not said["requests"]:
            raise Wrong(f"{key}, {act}: {said['wrong']} wrong, {said['failed']} failed: {said['example']}")
        self._prove(application, act, said)
        return Slice(
            requests=said["requests"],
            rate=said["rate"],
            p50=said["p50"] / 1e6,
            p95=said["p95"] / 1e6,
            p99=said["p99"] / 1e6,
            cpu=cpu / said["sent"],
            stores=stores / said["sent"],
        )

    @staticmethod
    def _prove(application: Application, act: str, said: dict[str, Any]) -> None:
        """What the first visitor did last has its effect. Raises `Wrong`."""
        if application.contender.kind == "bare" or act == "read" or not said["last"]:
            return
        if act == "login":
            reads(application, Visitor(said["last"], said["name"], said["value"]))
        else:
            # A write that was under way when wrk left may have been done, too.
            last = int(said["last"])
            holds(application, Visitor(said["user"], said["name"], said["value"]), str(last), str(last + 1))

    def _drive(self, application: Application, act: str, connections: int, seconds: float) -> dict[str, Any]:
        size = ["--threads", str(connections), "--connections", str(connections)]
        script = ["--duration", "60", "--timeout", "20", "--script", str(LUA), application.url, "--"]
        bare = ["bare"] if application.contender.kind == "bare" else []
        what = [act, str(self._files[application.contender.key]), f"new-{next(_numbers)}-", ROLE, *bare]
        wrk = subprocess.Popen([self._wrk, *size, *script, *what], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            while wrk.poll() is None and not _may_be_stopped(wrk.pid):
                time.sleep(0.005)
            time.sleep(seconds)
            text = _stopped(wrk)
        finally:
            wrk.kill()
            wrk.wait()
        lines = [line for line in text.splitlines() if line.startswith("{")]
        if not lines:
            raise Wrong(f"{application.contender.key}, {act}: {text[-500:]}")
        said: dict[str, Any] = json.loads(lines[-1])
        return said


def _may_be_stopped(pid: int) -> bool:
    """Whether it has begun, and catches SIGINT; before, that would end it without a word."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << signal.SIGINT - 1)


def _stopped(wrk: subprocess.Popen[bytes]) -> str:
    """What it says. It knows whole seconds alone, but asked to stop it tells what it has."""
    for _ in range(200):
        wrk.send_signal(signal.SIGINT)  # one that comes just before it sleeps is lost
        with suppress(subprocess.TimeoutExpired):
            return wrk.communicate(timeout=0.3)[0].decode()
    raise Wrong("wrk does not stop")


def _settled(application: Application) -> float:
    """What it has spent when it has nothing more to do."""
    spent = -1.0
    while (now := application.spent()) - spent > SETTLE / 20:
        spent = now
        time.sleep(SETTLE)
    return now
