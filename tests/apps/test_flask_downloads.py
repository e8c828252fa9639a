"""Flask: the download gate around a view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import flask
import pytest
from flask import Response, session
from flask.testing import FlaskClient

from coatcheck import Session
from coatcheck.integrations.flask import manager_from, ticket_from, ticket_gate
from tests.apps.flask_tools import application


@pytest.fixture
def shop(tmp_path: Path) -> tuple[FlaskClient, Callable[[], str]]:
    """A client, and what gives it a new ticket."""
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 40)
    app = application()

    @app.get("/ticket")
    def ticket() -> str:
        session["asked"] = True
        return "ok"

    @app.route("/download/<what>", methods=["GET", "POST"])
    @ticket_gate(page=lambda request, error, status: f"<p>{request.path} {status} {type(error).__name__}")
    def download(what: str) -> Response:
        if what == "broken":
            raise ZeroDivisionError
        assert "ticket=-" in flask.request.url or flask.request.method == "POST"
        return flask.send_file(tmp_path / ticket_from().claims["file"], conditional=True)

    client = app.test_client()
    client.get("/ticket")

    def issue() -> str:
        with client.session_transaction() as found:
            pass
        assert isinstance(found, Session)
        return manager_from(app).tickets.issue("download", {"file": "a.bin"}, session=found)

    return client, issue


def test_a_file_resumes_by_range(shop: tuple[FlaskClient, Callable[[], str]]) -> None:
    """send_file: the first request takes the ticket, the same session goes on by Range, a second whole one is 410."""
    client, issue = shop
    address = f"/download/a?ticket={issue()}"
    first = client.get(address, headers={"Range": "bytes=0-9"}, buffered=True)
    assert (first.status_code, first.data) == (206, bytes(range(10)))
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["Content-Disposition"].startswith("attachment")
    rest = client.get(address, headers={"Range": "bytes=10-"}, buffered=True)
    assert (rest.status_code, len(rest.data)) == (206, 10_230)
    assert client.get(address, headers={"Range": "bytes=99999-"}, buffered=True).status_code == 416
    again = client.get(address, headers={"Accept": "text/html"}, buffered=True)
    assert (again.status_code, again.text) == (410, "<p>/download/a 410 Spent")
    assert client.get("/download/a", buffered=True).status_code == 403


def test_a_posted_ticket_and_an_error_before_the_response(shop: tuple[FlaskClient, Callable[[], str]]) -> None:
    """The form keeps the ticket out of every log; an exception leaves it whole."""
    client, issue = shop
    jwt = issue()
    with pytest.raises(ZeroDivisionError):
        client.get(f"/download/broken?ticket={jwt}", buffered=True)
    assert client.post("/download/a", data={"ticket": jwt}, buffered=True).status_code == 200
    assert client.post("/download/a", data={"ticket": jwt}, buffered=True).status_code == 410
    assert client.post("/download/a", data={"ticket": [jwt, jwt]}, buffered=True).status_code == 403


def test_what_the_application_says_of_every_response_does_not_count_here() -> None:
    """An `after_request` that lets everything be cached, and every address be told: a ticket is in this one."""
    app = application()

    @app.after_request
    def public(response: Response) -> Response:
        response.headers["Cache-Control"] = "public, max-age=3600"
        response.headers["Referrer-Policy"] = "unsafe-url"
        return response

    @app.route("/download")
    @ticket_gate()
    def download() -> str:
        return "never"

    response = app.test_client().get("/download?ticket=none")
    assert (response.status_code, response.headers["Cache-Control"]) == (403, "no-store")
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_another_sites_websocket_is_refused() -> None:
    """As extensions open one: a handshake is a GET, and acts with the cookie."""
    app = application()

    @app.route("/socket", websocket=True)
    def socket() -> str:
        return "open"

    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Fetch-Site": "same-site"}
    base = "https://app.example"
    client = app.test_client()
    assert (
        client.get("/socket", base_url=base, headers={**headers, "Origin": "https://evil.example"}).status_code == 403
    )
    own = {**headers, "Origin": base, "Sec-Fetch-Site": "same-origin"}
    assert client.get("/socket", base_url=base, headers=own).status_code != 403
