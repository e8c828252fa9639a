"""The frameworks' processes, as the one that draws the order sees them: one of them measures, the others wait."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".bench" / "bin" / "python"
"""The peers' Python: an environment of its own, so that their pins are not ours."""
WORLDS = (
    "starlette",
    "fastapi",
    "litestar",
    "quart",
    "aiohttp",
    "flask",
    "django",
    "django:SQLite",  # Coatcheck has one store in a process of Django
    "wsgi",
)
TRIES = 5
"""How often a slice may be unfit, one after the other."""


class Worker:
    """One framework. Raises RuntimeError when it has died: it says why on the standard error."""

    def __init__(self, name: str, settings: dict[str, str]) -> None:
        self.name = name
        command = [str(PYTHON), "-m", "bench.worlds.worker", name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | settings, cwd=ROOT
        )
        try:
            found = self._answer()
        except BaseException:
            self.close()
            raise
        self.contenders: list[tuple[str, str, bool]] = [tuple(one) for one in found["contenders"]]
        """Subject, class of request, and whether it is ours."""
        self.flights: list[int] = found["flights"]
        self.versions: dict[str, str] = found["versions"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended; see above")
        found: dict[str, Any] = json.loads(line)
        return found

    def measure(self, subject: str, kind: str, flight: int) -> dict[str, float]:
        """One slice. One that shows something else than it should, as a cache that was empty, is measured again."""
        assert self._process.stdin is not None
        unfit = ""
        for _ in range(TRIES):
            self._process.stdin.write(json.dumps([subject, kind, flight]) + "\n")
            self._process.stdin.flush()
            found = self._answer()
            unfit = str(found.get("unfit", ""))
            if not unfit:
                return found
        raise RuntimeError(unfit)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
