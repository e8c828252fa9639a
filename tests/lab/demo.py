"""The demo as a server of the tests: the real command, in a process group of its own."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.servers import READY_WITHIN, Server, free_port

COMMAND = Path(sys.executable).with_name("coatcheck-lab")

PASSWORDS = {"alice": "tag-and-ticket", "morgan": "keeper-of-coats"}


class DemoServer(Server):
    """`coatcheck-lab demo`, by default with a data folder inside of its own."""

    def __init__(self, *options: str, env: Mapping[str, str] | None = None) -> None:
        """`options` are the command's; without `--data` among them the demo makes its temporary folder in ours."""
        super().__init__()
        self._options = options
        self._env = {**os.environ, "TMPDIR": str(self.folder), "NO_COLOR": "1", **(env or {})}
        self._env.setdefault("COATCHECK_STORE", "")
        if not self._env["COATCHECK_STORE"]:
            del self._env["COATCHECK_STORE"]
        self.passwords = dict(PASSWORDS)

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Start it on a free port; returns when it answers. Another program may take the port in between."""
        for _ in range(5):
            self.port = free_port()
            self._spawn([COMMAND, "demo", "--port", str(self.port), *self._options], env=self._env)
            if self._answers(self._responds):
                return
            if "is in use" not in self.log:
                break
        message = f"the demo does not start:\n{self.log}"
        raise RuntimeError(message)

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def _responds(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/sign-in", timeout=READY_WITHIN):
                return True
        except OSError:
            return False
