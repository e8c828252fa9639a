"""The small applications in examples/ do what they show, each on the real server that its users have."""

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
GUNICORN = ("-m", "gunicorn", "--threads", "2", "--bind", "fd://{}")
UVICORN = ("-m", "uvicorn", "--fd", "{}", "--log-level", "warning")
AIOHTTP = "import socket; from aiohttp import web; from app import app; web.run_app(app, sock=socket.socket(fileno={}))"
SERVERS = {
    "aiohttp": ("-c", AIOHTTP),
    "bottle": (*GUNICORN, "app:app"),
    "django": (*GUNICORN, "app:application"),
    "falcon": (*GUNICORN, "app:app"),
    "fastapi": (*UVICORN, "app:app"),
    "flask": (*GUNICORN, "app:app"),
    "litestar": (*UVICORN, "app:app"),
    "pyramid": (*GUNICORN, "app:app"),
    "quart": (*UVICORN, "app:app"),
    "starlette": (*UVICORN, "app:app"),
    "wsgi": (*GUNICORN, "app:app"),
}


def test_every_example_is_tried() -> None:
    """No example is left out."""
    assert sorted(SERVERS) == sorted(path.parent.name for path in EXAMPLES.glob("*/app.py"))


@pytest.mark.parametrize("name", SERVERS)
def test_an_example_is_small(name: str) -> None:
    """A reader takes it in at one look: under 60 lines."""
    assert len((EXAMPLES / name / "app.py").read_text().splitlines()) < 60


@contextmanager
def served(name: str, folder: Path) -> Iterator[str]:
    """Where the example listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        words = [word.format(listener.fileno()) for word in SERVERS[name]]
        path = os.pathsep.join([str(EXAMPLES / name), os.environ.get("PYTHONPATH", "")])
        environ = {key: value for key, value in os.environ.items() if not key.startswith("COATCHECK_")}
        with subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environ | {"PYTHONPATH": path}, pass_fds=[listener.fileno()]
        ) as process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()


class Browser:
    """A person at a page with buttons. Without Fetch Metadata, so that the cookie is one this jar returns over http."""

    def __init__(self, base: str, agent: str) -> None:
        self.client = httpx.Client(base_url=base, headers={"user-agent": agent}, follow_redirects=True, timeout=30)

    def look(self) -> str:
        """The first page."""
        return self.client.get("/").text

    def press(self, button: str, **fields: str) -> httpx.Response:
        """Where a button leads."""
        if found := re.search(r'csrfmiddlewaretoken" value="(\w+)"', self.look()):
            fields["csrfmiddlewaretoken"] = found[1]
        return self.client.post(button, data=fields)


@pytest.mark.parametrize("name", SERVERS)
def test_an_example_works_from_sign_in_to_sign_out(name: str, tmp_path: Path) -> None:
    """A counter, two devices, one of them signed out by the other, a download once; a name is no HTML."""
    with served(name, tmp_path) as base:
        one, other = Browser(base, "A <b>"), Browser(base, "B")
        assert "Your name" in one.look()
        for browser in (one, other):
            assert "visit 1" in browser.press("/login", name="<i>Ada").text
        page = one.look()
        assert "&lt;i&gt;Ada, visit 2" in page
        assert sorted(re.findall("<li>([^<]*)", page)) == ["A &lt;b&gt; (this one)", "B"]
        file = one.press("/ticket")
        assert (file.status_code, file.text) == (200, "For <i>Ada, once.")
        assert one.client.get(file.url).status_code == 410
        assert "<li>B" not in one.press("/others").text
        assert "Your name" in other.look()
        assert "Your name" in one.press("/logout").text
        one.client.close()
        other.client.close()


def test_the_command_in_the_django_example_is_the_one() -> None:
    """Run as a script it is a `manage.py`, and its settings are sound."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "django" / "app.py"), "check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr
