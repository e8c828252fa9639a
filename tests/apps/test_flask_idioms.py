"""Flask: code that was written for `flask.session` keeps working."""

from __future__ import annotations

import contextlib
import uuid
from datetime import UTC, datetime
from typing import Any

import flask
import pytest
from flask import flash, get_flashed_messages, jsonify, session
from flask.sessions import SessionMixin
from markupsafe import Markup

from coatcheck import Session
from coatcheck.errors import StoreUnavailable
from coatcheck.integrations.flask import FlaskSession, manager_from, session_from
from tests.apps.flask_tools import application, cookies, ours


def test_the_session_is_ours_and_is_flasks() -> None:
    """`flask.session` is a Session, whose verbs work, and what extensions look for."""
    app = application()

    @app.get("/")
    def index() -> str:
        assert isinstance(session, (Session, FlaskSession))
        assert isinstance(session, SessionMixin)
        assert session_from() is session_from(flask.request)
        assert manager_from() is manager_from(app) is manager_from(flask.request)
        was = session.new, session.modified, session.permanent
        session["a"] = 1
        return f"{was} {session.modified} {session.accessed}"

    client = app.test_client()
    assert client.get("/").text == "(True, False, False) True True"
    assert client.get("/").text == "(False, False, False) False True"


def test_flasks_tagged_types_and_nested_changes_are_kept() -> None:
    """Tuples, bytes, Markup, UUIDs and dates come back as they were; a nested change needs no `modified = True`."""
    values: dict[str, Any] = {
        "tuple": (1, "two"),
        "bytes": b"\x00\xff",
        "markup": Markup("<b>bold</b>"),
        "uuid": uuid.uuid4(),
        "date": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "nested": {"list": [1]},
    }
    app = application()

    @app.get("/set")
    def put() -> str:
        session.update(values)
        return ""

    @app.get("/add")
    def add() -> str:
        session["nested"]["list"].append(2)
        return ""

    client = app.test_client()
    client.get("/set")
    client.get("/add")
    with client.session_transaction() as found:
        assert dict(found) == values | {"nested": {"list": [1, 2]}}
        assert isinstance(found["markup"], Markup)
        assert isinstance(found["tuple"], tuple)


def test_flash_messages_are_shown_once() -> None:
    """With categories, over a redirect; the visitor who has read them leaves no session behind."""
    app = application()

    @app.post("/")
    def act() -> Any:
        flash("Saved", "good")
        return flask.redirect("/")

    @app.get("/")
    def show() -> Any:
        return jsonify(get_flashed_messages(with_categories=True))

    client = app.test_client()
    assert client.post("/", follow_redirects=True).json == [["good", "Saved"]]
    assert client.get("/").json == []
    assert manager_from(app).stats().sessions == 0


def test_permanent_is_whether_the_cookie_survives_the_browser() -> None:
    """As in Flask: not permanent, no Max-Age; the next response after `permanent = True` has one, and once."""
    app = application()

    @app.get("/<int:number>")
    def write(number: int) -> str:
        session["number"] = number
        return str(session.permanent)

    @app.get("/keep")
    def keep() -> str:
        session.permanent = True
        return str(session.permanent)

    client = app.test_client()
    assert "Max-Age" not in ours(client.get("/1"))
    response = client.get("/keep")
    assert "Max-Age" in ours(response)
    assert cookies(client.get("/keep")) == []
    assert client.get("/2").text == "True"


def test_permanent_for_everybody_leaves_no_row_for_a_bot() -> None:
    """A hook that sets it at every request is common: alone it stores nothing, and a session made later has it."""
    app = application()

    @app.before_request
    def always() -> None:
        session.permanent = True

    @app.get("/")
    def index() -> str:
        return ""

    @app.get("/login")
    def login() -> str:
        session_from().login("ada")
        return ""

    client = app.test_client()
    assert cookies(client.get("/")) == []
    assert manager_from(app).stats().sessions == 0
    assert "Max-Age" in ours(client.get("/login"))
    assert cookies(client.get("/")) == []


def test_login_keeps_a_visitors_wish_but_not_another_users() -> None:
    """A permanent visitor stays permanent; who signs in over somebody else's session does not inherit that."""
    app = application()

    @app.get("/<name>/<int:keep>")
    def login(name: str, keep: int) -> str:
        session_from().login(name, remember=True if keep else None)
        return ""

    client = app.test_client()
    assert "Max-Age" in ours(client.get("/ada/1"))
    assert "Max-Age" in ours(client.get("/ada/0"))
    assert "Max-Age" not in ours(client.get("/bob/0"))


def test_session_transaction_reads_and_writes() -> None:
    """A test can sign in and look, with the verbs too, and a failed block stores nothing."""
    app = application()

    @app.get("/")
    def index() -> Any:
        return jsonify(user=session_from().user_id, fields=dict(session))

    client = app.test_client()
    with client.session_transaction() as found:
        found["cart"] = [1]
    with client.session_transaction() as found:
        assert isinstance(found, FlaskSession)
        assert found["cart"] == [1]
        found.login("ada")
    assert client.get("/").json == {"user": "ada", "fields": {"cart": [1]}}
    with contextlib.suppress(ZeroDivisionError), client.session_transaction() as found:
        found["cart"] = [2]
        raise ZeroDivisionError
    assert client.get("/").json == {"user": "ada", "fields": {"cart": [1]}}
    with client:
        client.get("/")
        assert session["cart"] == [1]


def test_a_transaction_that_cannot_be_stored_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test must not go on in the belief that it signed in."""
    app = application()

    def down(*_: Any) -> Any:
        raise StoreUnavailable("down")

    client = app.test_client()
    monkeypatch.setattr(manager_from(app).store, "create", down)
    with pytest.raises(StoreUnavailable), client.session_transaction() as found:
        found["a"] = 1
