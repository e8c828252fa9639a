"""Flask's own signed cookie, with Flask-Login: what it wrote is exchanged for a session."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import quart
from bottle import Bottle  # type: ignore[import-untyped]  # it has no types
from bottle import request as bottle_request
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf import FlaskForm  # type: ignore[import-untyped]  # it has no types

from coatcheck import SessionManager
from coatcheck.errors import ConfigurationError
from coatcheck.integrations.flask import manager_from
from coatcheck.integrations.quart import Coatcheck
from coatcheck.integrations.wsgi import SessionMiddleware, session_from
from coatcheck.legacy import FlaskCookie
from coatcheck.testing import FakeClock
from tests.apps.flask_tools import KEY
from tests.legacy.flask_sites import PLAIN, RICH, new_site, old_site, until
from tests.legacy.tools import deletes, given, lines, other_spelling


def ours(site: Flask) -> str:
    """The name of our cookie there."""
    return manager_from(site).cookie.name_for(False)


def old_cookie(path: str = "/login/ada", app: Flask | None = None) -> str:
    """The cookie that the old application sets."""
    return given((app or old_site()).test_client().get(path), "session")


def browser(app: Flask, **cookies: str) -> FlaskClient:
    """A browser that has these cookies."""
    client = app.test_client()
    for name, value in cookies.items():
        client.set_cookie(name, value)
    return client


@pytest.fixture
def site() -> Flask:
    return new_site(FlaskCookie(until=until()))


def test_who_was_signed_in_stays_so_and_flask_login_knows_them(site: Flask) -> None:
    """Key, name and lifetime come from the application; the old cookie is replaced, and the session is listed."""
    client = browser(site, session=old_cookie())
    first = client.get("/me")
    assert first.text == "ada"
    assert deletes(first, "session")
    assert client.get_cookie("session") is None
    assert client.get("/me").text == "ada"
    assert client.get("/fields").text == repr(sorted(PLAIN.items()))
    assert client.get("/flashed").json == ["Welcome"]
    [info] = manager_from(site).sessions("ada")
    assert info.handle == given(first, ours(site))[:22]


def test_the_types_of_tagged_json_come_along(site: Flask) -> None:
    """datetime, tuple, Markup, UUID and bytes."""
    client = browser(site, session=old_cookie("/login/ada?rich"))
    assert client.get("/fields").text == repr(sorted(RICH.items()))


def test_a_permanent_session_stays_one_and_others_end_with_the_browser(site: Flask) -> None:
    """`session.permanent` is no field here, and means the same."""
    for path, lasts in (("/login/ada?permanent", True), ("/login/ada", False)):
        response = browser(site, session=old_cookie(path)).get("/me")
        [line] = [one for one in lines(response) if one.startswith(ours(site))]
        assert ("Max-Age" in line) is lasts


def test_a_logout_ends_it_for_the_old_cookie_too(site: Flask) -> None:
    """Whoever kept a copy has nothing."""
    cookie = old_cookie()
    client = browser(site, session=cookie)
    client.get("/me")
    client.get("/logout")
    assert browser(site, session=cookie).get("/me").text == "nobody"
    assert manager_from(site).sessions("ada") == []


def test_a_logout_in_the_first_request_ends_it_too(site: Flask) -> None:
    """The old cookie never got as far as to be replaced."""
    cookie = old_cookie()
    out = browser(site, session=cookie).get("/logout")
    assert deletes(out, "session")
    assert browser(site, session=cookie).get("/me").text == "nobody"


def test_both_cookies_of_one_name_are_told_apart() -> None:
    """Where the settings name ours as the old one was called, each is tried as what it is."""
    source = FlaskCookie(until=until(), cookie="shop-insecure")
    site = new_site(source, SESSION_COOKIE_NAME="shop")
    old = given(old_site(SESSION_COOKIE_NAME="shop-insecure").test_client().get("/login/ada"), "shop-insecure")
    client = site.test_client()
    client.set_cookie("shop-insecure", old)
    first = client.get("/me")
    assert first.text == "ada"
    assert len(lines(first)) == 1
    assert client.get("/me").text == "ada"
    assert lines(client.get("/me")) == []
    client.get("/logout")
    assert client.get("/me").text == "nobody"


def test_fallback_keys_and_the_lifetime_are_flasks() -> None:
    """SECRET_KEY_FALLBACKS verify, PERMANENT_SESSION_LIFETIME ends."""
    cookie, other, clock = old_cookie(), old_cookie("/login/eve"), FakeClock(datetime.now(UTC))
    site = new_site(
        FlaskCookie(until=datetime.now(UTC) + timedelta(days=20)),
        settings={"clock": clock, "secret": KEY},
        SECRET_KEY_FALLBACKS=["older", KEY],
        PERMANENT_SESSION_LIFETIME=timedelta(days=2),
    )
    site.config["SECRET_KEY"] = "newer"
    clock.advance(timedelta(days=1, hours=23))
    assert browser(site, session=cookie).get("/me").text == "ada"
    clock.advance(timedelta(hours=2))
    assert browser(site, session=other).get("/me").text == "nobody"


def test_what_nobody_signed_is_nobody(site: Flask) -> None:
    """Forged, cut, packed by somebody else: a visitor and no row. Another spelling: the same session."""
    cookie = old_cookie()
    for value in ("", "...", ".eJwrAA", cookie[1:], cookie[:-4], f".{cookie}", old_cookie(app=old_site_of("other"))):
        assert browser(site, session=value).get("/me").text == "nobody"
    assert manager_from(site).stats().sessions == 0
    assert browser(site, session=cookie).get("/me").text == "ada"
    assert browser(site, session=other_spelling(cookie)).get("/me").text == "ada"
    assert len(manager_from(site).sessions("ada")) == 1


def old_site_of(key: str) -> Flask:
    app = old_site()
    app.secret_key = key
    return app


def test_a_form_that_was_open_at_the_switch_still_posts() -> None:
    """Flask-WTF keeps its token's secret in a field, which comes along."""

    def forms(app: Flask) -> Flask:
        @app.route("/form", methods=["GET", "POST"])
        def form() -> str:
            shown = FlaskForm()
            return "sent" if shown.validate_on_submit() else shown.csrf_token.current_token

        return app

    old = forms(old_site()).test_client()
    page = old.get("/form")
    client = browser(forms(new_site(FlaskCookie(until=until()))), session=given(page, "session"))
    assert client.post("/form", data={"csrf_token": page.text}).text == "sent"


def test_a_flask_cookie_in_any_wsgi_application() -> None:
    """Moving to another framework: then the key is told."""
    app = Bottle()
    app.get("/", callback=lambda: str(session_from(bottle_request).user_id))
    manager = SessionManager("memory://", namespace="flask-to-bottle")
    wrapped = SessionMiddleware(app, manager, legacy=[FlaskCookie(["newer", KEY], until=until())])
    with httpx.Client(transport=httpx.WSGITransport(wrapped), base_url="https://app.example") as client:
        first = client.get("/", headers={"cookie": f"session={old_cookie()}"})
        assert first.text == "ada"
        assert deletes(first, "session")
        assert client.get("/").text == "ada"


def test_quarts_cookie_is_flasks() -> None:
    """The old application in Quart, and the new one too; settings from the application."""

    def site(**config: Any) -> quart.Quart:
        app = quart.Quart(__name__)
        app.config.update(SECRET_KEY=KEY, **config)

        @app.get("/me")
        async def me() -> str:
            return str(quart.session.get("_user_id"))

        @app.get("/login")
        async def login() -> str:
            quart.session["_user_id"] = "ada"
            return ""

        return app

    async def run() -> list[Any]:
        old = given(await site().test_client().get("/login"), "session")
        new = site(COATCHECK_LEGACY=[FlaskCookie(until=until())])
        manager = Coatcheck(new, store="memory://", namespace="quart-moves").manager
        client = new.test_client()
        client.set_cookie("localhost", "session", old)
        answers = [await (await client.get("/me")).get_data(as_text=True) for _ in range(2)]
        return [*answers, len(await manager.sessions("ada"))]

    assert asyncio.run(run()) == ["ada", "ada", 1]


def test_a_missing_key_does_not_start() -> None:
    """It says what to pass."""
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        SessionMiddleware(Bottle(), store="memory://", legacy=[FlaskCookie(until=until())])
