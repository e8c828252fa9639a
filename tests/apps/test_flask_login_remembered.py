"""Flask: what Flask-Login's remember cookie said stays true where a permanent session has taken its place."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import flask
import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_login import (  # type: ignore[import-untyped]  # it has no types
    LoginManager,
    confirm_login,
    current_user,
    fresh_login_required,
    login_remembered,
    login_user,
    logout_user,
)

from coatcheck.integrations.flask import manager_from, session_from
from coatcheck.testing import FakeClock
from tests.apps.flask_tools import application, cookies, ours
from tests.apps.test_flask_login import User

HERE = {"User-Agent": "here"}
ELSEWHERE = {"User-Agent": "elsewhere"}


def site(clock: FakeClock | None = None, permanent: bool = False, **config: Any) -> tuple[Flask, FlaskClient]:
    """An application with the real Flask-Login, and a browser."""
    settings: dict[str, Any] = {"store": "memory://", "namespace": uuid.uuid4().hex}
    app = application(settings=settings | ({"clock": clock} if clock else {}), **config)
    LoginManager(app).user_loader(User)

    @app.before_request
    def lasting() -> None:
        if permanent:
            flask.session.permanent = True

    @app.get("/login/<name>")
    def login(name: str) -> str:
        login_user(User(name), remember="remember" in flask.request.args)
        return ""

    @app.get("/confirm")
    def confirm() -> str:
        confirm_login()
        return ""

    @app.get("/me")
    def me() -> str:
        return f"{current_user.get_id()} {session_from().user_id} {login_remembered()}"

    @app.get("/out")
    def out() -> str:
        logout_user()
        return f"{current_user.get_id()} {login_remembered()}"

    @app.get("/secret")
    @fresh_login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
    def secret() -> str:
        return "secret"

    return app, app.test_client()


@pytest.mark.parametrize("mode", ["basic", "strong"])
def test_a_login_over_another_users_is_whole(mode: str) -> None:
    """`_fresh` and `_id` are the same for both: they are the new user's all the same, else "strong" protection throws
    them out at the next request."""
    _, client = site(SESSION_PROTECTION=mode)
    client.get("/login/ada")
    client.get("/login/bob")
    assert client.get("/secret").text == "secret"
    assert client.get("/me").text == "bob bob False"


def test_who_asks_to_be_remembered_over_anothers_remembered_session_is() -> None:
    """The session that it replaces was permanent already: its successor is too, because it was asked for."""
    _, client = site()
    client.get("/login/ada?remember")
    assert "Max-Age" in ours(client.get("/login/bob?remember"))
    assert client.get("/me").text == "bob bob True"
    assert "Max-Age" not in ours(client.get("/login/eve"))
    assert client.get("/me").text == "eve eve False"


def test_code_that_asks_whether_a_login_is_remembered_is_told_the_truth() -> None:
    """And no cookie of Flask-Login's goes out for it; a logout ends it within the request."""
    _, client = site()
    client.get("/login/ada")
    assert client.get("/me").text == "ada ada False"
    client.get("/login/ada?remember")
    for _ in range(2):
        response = client.get("/me")
        assert (response.text, cookies(response)) == ("ada ada True", [])
    response = client.get("/out")
    assert response.text == "None False"
    assert [line for line in cookies(response) if "remember" in line] == []
    assert client.get("/me").text == "None None False"


def test_a_remembered_login_is_not_a_fresh_one_for_ever() -> None:
    """Flask-Login's is fresh until the browser closes. Ours lives on after that: it is for a day, and after a
    `confirm_login` for another."""
    clock = FakeClock()
    _, client = site(clock)
    client.get("/login/ada?remember")
    for again in ("", "/confirm", "/login/ada?remember", "/login/ada"):
        if again:
            client.get(again)
        clock.advance(timedelta(hours=23))
        assert client.get("/secret").status_code == 200
        clock.advance(timedelta(hours=2))
        assert client.get("/secret").status_code == 401
        assert client.get("/me").text == "ada ada True"


def test_a_session_that_was_permanent_anyway_stays_as_fresh_as_flask_login_leaves_it() -> None:
    """There the application has said what it wants of all of them."""
    clock = FakeClock()
    _, client = site(clock, permanent=True)
    client.get("/login/ada?remember")
    clock.advance(timedelta(days=3))
    assert client.get("/secret").status_code == 200


def test_strong_protection_ends_a_remembered_session_in_another_browser() -> None:
    """Flask-Login spares permanent sessions, and takes ours for one that the application made permanent."""
    app, client = site(SESSION_PROTECTION="strong")
    client.get("/login/ada?remember", headers=HERE)
    assert client.get("/me", headers=HERE).text == "ada ada True"
    assert client.get("/me", headers=ELSEWHERE).text.startswith("None")
    assert manager_from(app).sessions("ada") == []
    assert client.get("/me", headers=HERE).text.startswith("None")


def test_strong_protection_spares_a_session_that_was_permanent_anyway() -> None:
    """As Flask-Login does: it is less fresh, and goes on."""
    _, client = site(permanent=True, SESSION_PROTECTION="strong")
    client.get("/login/ada?remember", headers=HERE)
    assert client.get("/me", headers=ELSEWHERE).text == "ada ada True"
    assert client.get("/secret", headers=ELSEWHERE).status_code == 401
