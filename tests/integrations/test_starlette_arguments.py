"""What was set up for Starlette's own middleware goes on with the import changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Secret
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from coatcheck import AsyncSessionManager, CookieSettings, Policy
from coatcheck.errors import ConfigurationError
from coatcheck.integrations.starlette import SessionMiddleware
from tests.integrations.front import KEY


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret in the environment, and a store that goes with the test."""
    monkeypatch.delenv("COATCHECK_SECRET", raising=False)
    monkeypatch.delenv("COATCHECK_SECRET_FILE", raising=False)
    monkeypatch.setenv("COATCHECK_STORE", "memory://")


async def _count(request: Request) -> PlainTextResponse:
    request.session["n"] = request.session.get("n", 0) + 1
    return PlainTextResponse(str(request.session["n"]))


def _made(**arguments: Any) -> SessionMiddleware:
    return SessionMiddleware(Starlette(), **arguments)


def test_an_application_goes_on_with_starlettes_own_arguments() -> None:
    """All of them at once, as its documentation has them; the cookie gets the prefix that its settings allow."""
    arguments: dict[str, Any] = {
        "secret_key": Secret("short"),
        "session_cookie": "mine",
        "max_age": 3600,
        "path": "/",
        "same_site": "strict",
        "https_only": True,
        "domain": None,
    }
    app = Starlette(routes=[Route("/", _count)], middleware=[Middleware(SessionMiddleware, **arguments)])
    client = TestClient(app, base_url="https://testserver")
    first = client.get("/")
    assert first.headers["set-cookie"].startswith("__Host-mine=")
    assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(first.headers["set-cookie"].split("; "))
    assert client.get("/").text == "2"


def test_max_age_is_the_idle_timeout_and_none_ends_with_the_browser() -> None:
    """Starlette renews its cookie with each response: its age is how long nobody may come."""
    assert _made(secret_key=KEY, max_age=60).manager.policy.idle_timeout == timedelta(seconds=60)
    assert _made(secret_key=KEY, max_age=10**7).manager.policy.absolute_timeout == timedelta(seconds=10**7)
    assert not _made(secret_key=KEY, max_age=None).manager.policy.remember


def test_what_is_not_asked_for_weakens_nothing() -> None:
    """`https_only=False` is a default, and nobody's decision."""
    manager = _made(secret_key=KEY, https_only=False).manager
    assert manager.cookie.settings.secure is None
    assert manager.policy == Policy()


def test_one_key_signs_and_another_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """`secret_key` is the secret: no constant stands in for it. The environment's, which may be shared, goes before."""
    token = _made(secret_key="a").manager.engine._keyring().keys("x")
    assert _made(secret_key="b").manager.engine._keyring().keys("x") != token
    monkeypatch.setenv("COATCHECK_SECRET", KEY.replace(" ", "-"))
    assert (
        _made(secret_key="a").manager.engine._keyring().keys("x")
        == _made().manager.engine._keyring().keys("x")
        != token
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"secret_key": KEY}, {"secret": KEY}),
        ({"max_age": 5}, {"policy": Policy()}),
        ({"https_only": False}, {"cookie": CookieSettings()}),
        ({"session_cookie": "a"}, {"manager": AsyncSessionManager("memory://", secret=KEY)}),
    ],
)
def test_of_two_settings_for_one_thing_neither_is_guessed(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """The error names both."""
    with pytest.raises(ConfigurationError, match=rf"{next(iter(theirs))}= is Starlette's, and {next(iter(ours))}="):
        _made(**theirs, **ours)


def test_a_name_that_neither_knows_is_refused() -> None:
    """A misspelt `https_onyl` must not pass for a wish that was heard."""
    with pytest.raises(TypeError, match="https_onyl"):
        _made(secret_key=KEY, https_onyl=True)


@pytest.mark.parametrize("key", [None, "", b"", Secret(""), 5], ids=repr)
def test_a_key_that_nobody_set_is_refused(key: Any) -> None:
    """Starlette's own signs with the text "None" then, which every attacker can try."""
    with pytest.raises(ConfigurationError, match="environment variable"):
        _made(secret_key=key)


def test_a_key_of_bytes_is_taken_as_it_is() -> None:
    """Not the text that Python prints for it."""
    keys = [_made(secret_key=key).manager.engine._keyring().keys("x") for key in (KEY, KEY.encode())]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("second", ["a key", b"a key", Secret("a key"), "redis://localhost"], ids=repr)
def test_text_in_second_place_is_not_guessed(second: Any) -> None:
    """Starlette's own takes its key there, and ours a manager: a store's URL must not become a key."""
    with pytest.raises(ConfigurationError, match=r"secret_key=.* store="):
        SessionMiddleware(Starlette(), second)
