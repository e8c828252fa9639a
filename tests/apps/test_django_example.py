"""The example runs as it says, under a real server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

APP = Path(__file__).parents[2] / "examples" / "django" / "app.py"


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    """Where it listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}", "app:application"]
        path = os.pathsep.join([str(APP.parent), os.environ.get("PYTHONPATH", "")])
        environ = {**os.environ, "PYTHONPATH": path}
        with subprocess.Popen(command, cwd=tmp_path, env=environ, pass_fds=[listener.fileno()]) as process:
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()


def test_the_example_does_what_it_says(base: str) -> None:
    """Signing in, counting, the other device, one download, signing out."""

    def post(visitor: httpx.Client, path: str, **fields: str) -> str:
        page = visitor.get("/").text
        found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page)
        assert found
        answer = visitor.post(path, data=fields | {"csrfmiddlewaretoken": found[1]}, follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    with httpx.Client(base_url=base, timeout=30) as one, httpx.Client(base_url=base, timeout=30) as two:
        assert "Hello, ada. Visits: 1." in post(one, "/sign-in", name="ada")
        assert post(two, "/sign-in", name="ada").count("<li>") == 2
        assert post(one, "/ask") == "This is a.txt."
        assert post(one, "/sign-out-others").count("<li>") == 1
        assert "Hello" not in two.get("/").text
        assert "Hello" not in post(one, "/sign-out")


def test_the_command_in_its_docstring_is_the_one() -> None:
    """Run as a script it is a `manage.py`, and its settings are sound."""
    done = subprocess.run([sys.executable, str(APP), "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr
