"""Flask: which settings count, and how a wrong one is named."""

from __future__ import annotations

import uuid
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_session  # type: ignore[import-untyped]  # it has no types
import pytest
from flask import Flask, session
from flask.testing import FlaskClient

from coatcheck import CookieSettings, Policy, SessionManager
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.integrations.flask import Coatcheck, FlaskSession, manager_from
from tests.apps.flask_tools import ELSEWHERE, KEY, application, cookies


def _write() -> str:
    session["a"] = 1
    return ""


def test_flasks_settings_are_honoured_where_they_were_set() -> None:
    """Cookie, lifetime; a default of Flask's is no wish: Secure, SameSite and the name stay ours."""
    manager = manager_from(application())
    assert manager.cookie.settings == CookieSettings()
    assert manager.policy == Policy(remember=False)
    manager = manager_from(
        application(
            SESSION_COOKIE_NAME="shop",
            SESSION_COOKIE_DOMAIN="shop.example",
            SESSION_COOKIE_PATH="/app",
            SESSION_COOKIE_SECURE=True,
            SESSION_COOKIE_SAMESITE="Strict",
            SESSION_COOKIE_PARTITIONED=True,
            PERMANENT_SESSION_LIFETIME=timedelta(minutes=20),
        )
    )
    assert manager.cookie.settings == CookieSettings(
        name="shop", domain="shop.example", path="/app", secure=True, same_site="strict", partitioned=True
    )
    assert manager.policy == Policy(remember=False, idle_timeout=timedelta(minutes=20))
    assert manager_from(application(PERMANENT_SESSION_LIFETIME=86_400 * 90)).policy.absolute_timeout.days == 90


def test_our_settings_come_first() -> None:
    """An argument, else COATCHECK_*, else Flask's own."""
    policy, cookie = Policy(absolute_timeout=timedelta(days=20)), CookieSettings(name="ours")
    app = application(
        SESSION_COOKIE_NAME="theirs",
        PERMANENT_SESSION_LIFETIME=60,
        COATCHECK_COOKIE=cookie,
        COATCHECK_POLICY=policy,
        COATCHECK_USER_FIELD="uid",
        COATCHECK_NAMESPACE="config",
        settings={"store": "memory://", "namespace": "argument"},
    )
    manager = manager_from(app)
    assert (manager.cookie.settings, manager.policy, manager.engine.user_field) == (cookie, policy, "uid")
    assert manager.namespace == "argument"
    assert manager_from(application(COATCHECK_COOKIE_SECURE=False)).cookie.settings.never_secure


def test_secret_key_and_its_fallbacks_sign() -> None:
    """A rotated SECRET_KEY signs nobody out, also where it is too short for a keyring and is stretched."""
    namespace = uuid.uuid4().hex

    def served(key: str, old: list[str] | None = None) -> FlaskClient:
        app = Flask(__name__)
        app.config.update(SECRET_KEY=key, SECRET_KEY_FALLBACKS=old, TESTING=True)
        Coatcheck(app, store="memory://", namespace=namespace)
        return app.test_client()

    before = served("dev")
    with before.session_transaction() as found:
        found["a"] = 1
    cookie = before.get_cookie("coatcheck-insecure") or before.get_cookie(f"{namespace}-insecure")
    assert cookie is not None
    for client, seen in ((served(KEY, ["dev"]), {"a": 1}), (served(KEY), {})):
        client.set_cookie(cookie.key, cookie.value)
        with client.session_transaction() as found:
            assert dict(found) == seen


def test_a_missing_secret_shows_at_start_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared store needs a key that all its servers know; an embedded one makes its own."""
    monkeypatch.delenv("COATCHECK_SECRET", raising=False)
    monkeypatch.delenv("COATCHECK_SECRET_FILE", raising=False)
    with pytest.raises(ConfigurationError, match="secret"):
        Coatcheck(Flask(__name__), store="redis://127.0.0.1:1/0")
    Coatcheck(Flask(__name__), store="memory://", namespace=uuid.uuid4().hex)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"COATCHECK_STORES": "memory://"}, "COATCHECK_STORES"),
        ({"SESSION_COOKIE_NAME": "__Host-a", "SESSION_COOKIE_PATH": "/a"}, "SESSION_"),
        ({"COATCHECK_COOKIE_SECURE": False, "SESSION_COOKIE_SAMESITE": "None"}, "secure=False"),
        ({"PERMANENT_SESSION_LIFETIME": 0}, "idle_timeout"),
        ({"COATCHECK_CSRF": "on"}, "csrf"),
        ({"COATCHECK_TRUSTED_ORIGINS": ["https://*.example"]}, "trusted_origins"),
    ],
)
def test_what_is_refused_is_refused_in_words(config: dict[str, Any], words: str) -> None:
    """At start-up, naming the setting."""
    with pytest.raises(ConfigurationError, match=words):
        application(**config)


def test_two_that_keep_sessions_are_named(tmp_path: Path) -> None:
    """Flask-Session before ours at start-up, after it at the first request; ours twice; and a manager's settings
    beside a manager."""
    files = {"SESSION_TYPE": "filesystem", "SESSION_FILE_DIR": str(tmp_path)}
    app = Flask(__name__)
    app.config.update(SECRET_KEY=KEY, **files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flask_session.Session(app)
        with pytest.raises(ConfigurationError, match="flask_session"):
            Coatcheck(app, store="memory://")
        late = application()
        late.config.update(files)
        flask_session.Session(late)
    with pytest.raises(ConfigurationError, match="flask_session"):
        late.test_client().get("/")
    with pytest.raises(ConfigurationError, match="already"):
        Coatcheck(application()).init_app(application())
    with pytest.raises(ConfigurationError, match="policy"):
        Coatcheck(Flask(__name__), SessionManager("memory://"), policy=Policy())


def test_a_factory_sets_up_each_application() -> None:
    """`init_app`, as with every extension; a manager of one's own is adopted."""
    manager = SessionManager("memory://", namespace=uuid.uuid4().hex)
    coatcheck = Coatcheck(manager=manager)
    app = Flask(__name__)
    coatcheck.init_app(app)
    assert manager_from(app) is manager
    with app.test_client().session_transaction() as found:
        assert isinstance(found, FlaskSession)
        assert found.permanent


def test_an_excluded_path_has_no_session() -> None:
    """It reads as empty, says so when it is written, and is never loaded."""
    app = application(COATCHECK_EXCLUDE=["/static/"])
    app.add_url_rule("/static/<what>", "asset", lambda what: str(session.get(what)))
    app.add_url_rule("/static/write", "write", _write)
    client = app.test_client()
    assert client.get("/static/a").text == "None"
    with pytest.raises(ConfigurationError, match="COATCHECK_EXCLUDE"):
        client.get("/static/write")


def test_public_paths_are_served_while_the_store_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anonymously; a write there is refused, and all else is a 503."""
    app = application(COATCHECK_PUBLIC_PATHS=["/", "/write"])
    app.add_url_rule("/", "index", lambda: str(session.get("a")))
    app.add_url_rule("/write", "write", _write)
    app.add_url_rule("/other", "other", lambda: "")
    client = app.test_client()
    client.get("/write")

    def down(*_: Any) -> Any:
        raise StoreUnavailable("down")

    monkeypatch.setattr(manager_from(app).store, "load", down)
    answers = [client.get(path) for path in ("/", "/write", "/other")]
    assert [answer.status_code for answer in answers] == [200, 503, 503]
    assert [cookies(answer) for answer in answers] == [[], [], []]


def test_a_header_carries_the_token_for_clients_without_a_jar() -> None:
    """`COATCHECK_HEADER`: no cookie then, and no origin check."""
    app = application(COATCHECK_HEADER="X-Session")

    @app.post("/")
    def index() -> str:
        session["n"] = session.get("n", 0) + 1
        return str(session["n"])

    first = app.test_client().post("/", headers={"X-Session": "", **ELSEWHERE})
    assert cookies(first) == []
    again = app.test_client().post("/", headers={"X-Session": first.headers["X-Session"]})
    assert again.text == "2"
