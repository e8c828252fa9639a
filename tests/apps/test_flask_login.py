"""Flask: beside the real Flask-Login."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import flask
import pytest
from flask import Flask, flash, get_flashed_messages, jsonify
from flask_login import (  # type: ignore[import-untyped]  # it has no types
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)

from coatcheck.integrations.flask import manager_from, session_from
from tests.apps.flask_tools import KEY, application, cookies, ours


class User(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    """Whoever it is."""

    def __init__(self, name: str) -> None:
        self.id = name


def with_login(**config: Any) -> Flask:
    """An application with the real Flask-Login."""
    app = application(**config)
    login_manager = LoginManager(app)
    login_manager.user_loader(User)

    @app.get("/login/<name>")
    def login(name: str) -> str:
        days = flask.request.args.get("days", type=int)
        duration = None if days is None else timedelta(days=days)
        login_user(User(name), remember="remember" in flask.request.args, duration=duration)
        return ""

    @app.get("/logout")
    def logout() -> str:
        logout_user()
        flash("Bye")
        return ""

    @app.get("/me")
    @login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
    def me() -> str:
        return f"{current_user.id} {session_from().user_id}"

    @app.get("/flashed")
    def flashed() -> Any:
        return jsonify(get_flashed_messages())

    return app


def test_flask_logins_verbs_are_ours() -> None:
    """login_user replaces the session and lists it; logout_user ends it; a flash message survives that."""
    app = with_login()
    manager, client = manager_from(app), app.test_client()
    assert client.get("/me").status_code == 401
    client.get("/login/ada")
    [first] = manager.sessions("ada")
    assert client.get("/me").text == "ada ada"
    client.get("/login/bob")
    assert manager.sessions("ada") == []
    assert [info.handle for info in manager.sessions("bob")] != [first.handle]
    client.get("/logout")
    assert manager.sessions("bob") == []
    assert client.get("/me").status_code == 401
    assert client.get("/flashed").json == ["Bye"]


def test_a_revocation_reaches_flask_login() -> None:
    """Signed out everywhere means out: also for who asked to be remembered."""
    app = with_login()
    client = app.test_client()
    client.get("/login/ada?remember")
    assert client.get("/me").status_code == 200
    assert manager_from(app).revoke_user("ada") == 1
    assert client.get("/me").status_code == 401


def test_remember_makes_the_session_permanent_and_sets_no_other_cookie() -> None:
    """One cookie, that can be revoked; it lasts as long as was asked for."""
    app = with_login()
    assert "Max-Age" not in ours(app.test_client().get("/login/ada"))
    for query, days in (("?remember", 30), ("?remember&days=90", 90)):
        response = app.test_client().get(f"/login/eve{query}")
        assert len(cookies(response)) == 1
        age = re.search(r"Max-Age=(\d+)", ours(response))
        assert age is not None
        assert abs(int(age[1]) - days * 86_400) < 60
    app = with_login(REMEMBER_COOKIE_DURATION=timedelta(days=7), PERMANENT_SESSION_LIFETIME=timedelta(minutes=30))
    app.test_client().get("/login/ada?remember")
    [info] = manager_from(app).sessions("ada")
    assert timedelta(days=6) < info.expires_at - datetime.now(UTC) <= timedelta(days=7)


@pytest.mark.parametrize("name", ["remember_token", "keep_me"])
def test_an_old_remember_cookie_is_worth_nothing_and_goes(name: str) -> None:
    """It is an HMAC of the user's id: whoever has one would be signed in for a year, whatever was revoked."""
    old = Flask(__name__)
    old.config.update(SECRET_KEY=KEY, REMEMBER_COOKIE_NAME=name)
    LoginManager(old).user_loader(User)

    @old.get("/")
    def login() -> str:
        login_user(User("ada"), remember=True)
        return ""

    [line] = [line for line in cookies(old.test_client().get("/")) if line.startswith(name)]
    app = with_login(REMEMBER_COOKIE_NAME=name)
    client = app.test_client()
    client.set_cookie(name, line.partition("=")[2].partition(";")[0])
    response = client.get("/me")
    assert response.status_code == 401
    [gone] = [line for line in cookies(response) if line.startswith(name)]
    assert "Max-Age=0" in gone
    assert manager_from(app).stats().sessions == 0


def test_flask_logins_refresh_setting_brings_no_cookie_back() -> None:
    """REMEMBER_COOKIE_REFRESH_EACH_REQUEST would set one for everybody who is signed in."""
    client = with_login(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True).test_client()
    assert len(cookies(client.get("/login/ada"))) == 1
    assert cookies(client.get("/me")) == []
