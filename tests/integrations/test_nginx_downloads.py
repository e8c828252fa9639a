"""Downloads that a real nginx sends, by the settings and the code of docs/how-to/protected-downloads.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.servers import AppServer, Server, needed

PAGE = Path(__file__).parents[2] / "docs/how-to/protected-downloads.md"
CONTENT = b"%PDF of a hundred secrets: " + bytes(range(200))


def blocks(language: str) -> list[str]:
    """What the page shows in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


class Nginx(Server):
    """nginx in one process, with the page's locations before an application."""

    def __init__(self, application: str, files: Path) -> None:
        super().__init__()
        [shown] = blocks("nginx")
        self._locations = shown.replace("http://127.0.0.1:8000", application).replace("/srv/shop/files/", f"{files}/")

    def start(self) -> None:
        def spawn() -> None:
            inside = f"server {{ listen 127.0.0.1:{self.port}; {self._locations} }}"
            here = "".join(
                f"{kind}_temp_path {self.folder}/{kind};"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            around = f"daemon off; master_process off; error_log stderr; pid {self.folder}/pid; events {{}}"
            (self.folder / "nginx.conf").write_text(f"{around}\nhttp {{ access_log off; {here}\n{inside} }}\n")
            program = needed("nginx")
            self._spawn([program, "-p", self.folder, "-e", "stderr", "-c", self.folder / "nginx.conf"])

        self._start_on_a_port(spawn, self._responds)

    def _responds(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/").status_code == 404
        except httpx.TransportError:
            return False


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[httpx.Client]:
    """Somebody who is signed in, behind nginx."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.pdf").write_bytes(CONTENT)
    (tmp_path / "page.py").write_text(blocks("python")[0])
    with ExitStack() as stack:
        app = stack.enter_context(AppServer("page:app", folder=tmp_path))
        nginx = stack.enter_context(Nginx(app.url, files))
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}"))
        answer = client.post("/login")
        # By its proxy's word it is https: the cookie is Secure, and httpx would not return it to a plain address.
        client.headers["cookie"] = answer.headers["set-cookie"].partition(";")[0]
        yield client


def test_nginx_sends_the_file_once_and_only_through_the_gate(browser: httpx.Client) -> None:
    """The bytes are the file's, as a download that nobody keeps; a second time, and around the gate, there is none."""
    link = browser.post("/ask").text
    answer = browser.get(link)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    names = ("content-type", "content-disposition", "cache-control", "referrer-policy", "x-content-type-options")
    assert [answer.headers[name] for name in names] == [
        "application/pdf",
        "attachment",
        "no-store",
        "no-referrer",
        "nosniff",
    ]
    assert browser.get(link).status_code == 410
    assert browser.get("/files/a.pdf").status_code == 404


def test_a_download_that_broke_off_is_resumed_by_its_session(browser: httpx.Client) -> None:
    """A request with Range is answered by nginx, and the gate lets the same session go on."""
    link = browser.post("/ask").text
    assert browser.get(link).status_code == 200
    rest = browser.get(link, headers={"range": "bytes=20-"})
    assert (rest.status_code, rest.content) == (206, CONTENT[20:])
    browser.headers["cookie"] = ""
    assert browser.get(link, headers={"range": "bytes=20-"}).status_code == 410
