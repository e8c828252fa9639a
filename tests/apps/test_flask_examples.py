"""The small applications for Flask and Quart do what they show, on real servers."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVERS = {
    "flask": ("gunicorn", "--threads", "2", "--bind", "fd://{}", "app:app"),
    "quart": ("uvicorn", "--fd", "{}", "--log-level", "warning", "app:app"),
}


@contextmanager
def served(name: str, folder: Path) -> Iterator[str]:
    """Where the example listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = [word.format(listener.fileno()) for word in SERVERS[name]]
        path = os.pathsep.join([str(EXAMPLES / name), os.environ.get("PYTHONPATH", "")])
        environ = {key: value for key, value in os.environ.items() if not key.startswith("COATCHECK_")}
        with subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=environ | {"PYTHONPATH": path},
            pass_fds=[listener.fileno()],
        ) as process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()


@pytest.mark.parametrize("name", SERVERS)
def test_an_example_works_from_sign_in_to_sign_out(name: str, tmp_path: Path) -> None:
    """A counter, two devices, one of them signed out by the other, a download once; a name is no HTML."""

    def browser(base: str, agent: str) -> httpx.Client:
        # Without Fetch Metadata, so that the cookie is one that this jar returns over http.
        return httpx.Client(base_url=base, headers={"user-agent": agent}, follow_redirects=True, timeout=30)

    with served(name, tmp_path) as base, browser(base, "A <b>") as one, browser(base, "B") as other:
        assert "Your name" in one.get("/").text
        for client in (one, other):
            assert "visit 1" in client.post("/login", data={"name": "<i>Ada"}).text
        page = one.get("/").text
        assert "&lt;i&gt;Ada, visit 2" in page
        assert sorted(re.findall("<li>([^<]*)", page)) == ["A &lt;b&gt; (this one)", "B"]
        file = one.post("/ticket")
        assert (file.status_code, file.text) == (200, "For <i>Ada, once.")
        assert one.get(file.url).status_code == 410
        assert "<li>B" not in one.post("/others").text
        assert "Your name" in other.get("/").text
        assert "Your name" in one.post("/logout").text
