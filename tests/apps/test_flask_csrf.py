"""Flask: requests of other sites, and form tokens, ours or those of the real Flask-WTF."""

from __future__ import annotations

import re
import uuid
import warnings
from io import BytesIO

import flask
import pytest
from flask import Flask, session
from flask_wtf.csrf import CSRFProtect, generate_csrf  # type: ignore[import-untyped]  # it has no types

from coatcheck.errors import ConfigurationError
from coatcheck.integrations.flask import Coatcheck, session_from
from tests.apps.flask_tools import ELSEWHERE, KEY, application


def test_another_site_meets_no_code_of_the_application() -> None:
    """403 before hooks that were registered earlier, and what they would store is not stored."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=KEY, TESTING=True)
    met: list[str] = []

    @app.before_request
    def hook() -> None:
        met.append("hook")
        session["a"] = 1

    @app.post("/")
    def index() -> str:
        met.append("view")
        return ""

    Coatcheck(app, store="memory://", namespace=uuid.uuid4().hex, csrf_exempt=["/hook"])
    client = app.test_client()
    response = client.post("/", headers=ELSEWHERE)
    assert response.status_code == 403
    assert met == []
    assert client.post("/nowhere", headers=ELSEWHERE).status_code == 403
    assert client.post("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.post("/hook", headers=ELSEWHERE).status_code == 404


@pytest.mark.parametrize("stream", [False, True])
def test_the_form_token_is_found_and_the_view_still_reads_the_body(stream: bool) -> None:
    """`COATCHECK_CSRF = "token"`: in a form, before a file, or in a header; a view may read the raw body too."""
    app = application(COATCHECK_CSRF="token")

    @app.get("/login")
    def login() -> str:
        session_from().login("ada")
        return ""

    @app.get("/form")
    def form() -> str:
        return flask.render_template_string("{{ csrf_input() }}|{{ csrf_headers() }}")

    @app.post("/")
    def act() -> str:
        if stream:
            return str(len(flask.request.stream.read()))
        return f"{flask.request.form['name']} {len(flask.request.files['file'].read())}"

    client = app.test_client()
    client.get("/login")
    page = client.get("/form").text
    found = re.search(r'name="_csrf" value="([^"]+)"', page)
    assert found is not None
    upload = (BytesIO(bytes(100_000)), "a.bin")
    response = client.post("/", data={"_csrf": found[1], "name": "ada", "file": upload})
    assert response.status_code == 200
    assert int(response.text) > 100_000 if stream else response.text == "ada 100000"
    assert client.post("/", data={"name": "ada"}).status_code == 403
    assert client.post("/", data={"_csrf": "A" * 86}).status_code == 403
    assert client.post("/?", json={}, headers={"X-Coatcheck-CSRF": found[1]}).status_code != 403


def test_flask_wtf_guards_beside_our_origin_check() -> None:
    """Its token, its session field and its refusal are unchanged; both checks at work."""
    app = application()
    CSRFProtect(app)

    @app.get("/form")
    def form() -> str:
        return str(generate_csrf())

    @app.post("/")
    def act() -> str:
        return "done"

    client = app.test_client()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        token = client.get("/form").text
    assert client.post("/").status_code == 400
    assert client.post("/", data={"csrf_token": token}).text == "done"
    assert client.post("/", data={"csrf_token": token}, headers=ELSEWHERE).status_code == 403


def test_two_form_tokens_are_named() -> None:
    """Flask-WTF's and ours at once would ask for both in every form."""
    app = application(COATCHECK_CSRF="token")
    CSRFProtect(app)
    with pytest.raises(ConfigurationError, match="CSRFProtect"):
        app.test_client().get("/")
