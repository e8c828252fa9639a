"""On real servers: uploads in token mode, files that the kernel sends, and logs without tickets."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest

from coatcheck import SessionManager
from coatcheck.integrations.wsgi import SessionMiddleware
from coatcheck.testing.visitor import SAME_SITE, Visitor
from tests.apps.served import GUNICORN, running
from tests.apps.wsgi_upload_app import FILE, pages

UPLOADS = (*GUNICORN, "--access-logfile", "-", "tests.apps.wsgi_upload_app:main()")


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        """Nothing."""


@contextmanager
def wsgiref() -> Iterator[str]:
    """The standard library's server, whose input never ends: to read on after a body waits for ever."""
    with SessionManager("memory://", namespace=f"w{uuid4().hex[:12]}") as manager:
        manager.cookie = SessionManager("memory://").cookie
        app = SessionMiddleware(pages, manager, csrf="token")
        with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture(scope="module", params=["gunicorn", "wsgiref"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Each server in its turn."""
    store = f"sqlite:///{tmp_path_factory.mktemp('store')}/sessions.db"
    with wsgiref() if request.param == "wsgiref" else running("wsgi", store, UPLOADS) as url:
        yield url


@pytest.fixture
def visitor(base: str) -> Iterator[Visitor]:
    """Somebody who is signed in."""
    with ThreadPoolExecutor(1) as pool:
        visitor = Visitor(base, pool)
        visitor.post("/login")
        yield visitor


def test_an_upload_in_token_mode_arrives_whole(base: str, visitor: Visitor) -> None:
    """14: megabytes behind the form's token, on a server that waits where a body has ended."""
    shown, upload = visitor.get("/form").text, bytes(range(256)) * 12_000
    request = httpx.Request("POST", base + "/upload", data={"_csrf": shown}, files={"file": upload})
    body = request.read()
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.jar.items())
    headers = SAME_SITE | {"cookie": cookie, "content-type": request.headers["content-type"]}
    answer = httpx.post(base + "/upload", content=body, headers=headers, timeout=20)
    assert (answer.status_code, answer.text) == (200, hashlib.sha256(body).hexdigest())
    wrong = body.replace(shown.encode(), b"A" * 86)
    assert httpx.post(base + "/upload", content=wrong, headers=headers, timeout=20).status_code == 403


def test_a_file_goes_out_whole_and_head_has_its_headers(visitor: Visitor) -> None:
    """Through the middleware, and through the gate once, as the server's own file wrapper."""
    assert visitor.get("/file").content == FILE.read_bytes()
    head = visitor.ask("HEAD", "/file")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["vary"] == "Cookie"
    address = f"/download?ticket={visitor.get('/ticket').text}"
    assert visitor.get(address).content == FILE.read_bytes()
    assert visitor.get(address).status_code == 410


def test_no_ticket_is_in_the_servers_log(tmp_path: Path) -> None:
    """C: gunicorn writes its line when the response is over, from the environ that the gate has cleaned."""
    with running("wsgi", f"sqlite:///{tmp_path}/sessions.db", UPLOADS) as url, ThreadPoolExecutor(1) as pool:
        visitor = Visitor(url, pool)
        visitor.post("/login")
        ticket = visitor.get("/ticket").text
        for method in ("HEAD", "OPTIONS", "GET", "GET"):
            visitor.ask(method, f"/download?a=1&ticket={ticket}&b=2")
        log = visitor.get("/log").text
    assert log.count("/download?a=1&ticket=-&b=2 ") == 4
    assert ticket not in log
