"""Quart: code that was written for `quart.session` keeps working, in requests, streams and websockets."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from quart import Quart, Response, flash, get_flashed_messages, jsonify, render_template_string, session, websocket
from quart.sessions import SecureCookieSessionInterface
from quart.testing import WebsocketResponseError
from quart.testing.connections import WebsocketDisconnectError

from coatcheck import AsyncSessionManager, CookieSettings, Policy
from coatcheck.errors import ConfigurationError, ReauthenticationRequired, StoreUnavailable
from coatcheck.integrations.quart import Coatcheck, FlaskSession, manager_from, session_from, ticket_from, ticket_gate

pytestmark = pytest.mark.anyio

KEY = "a key that guards nothing, for tests alone"
ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


@pytest.fixture
def anyio_backend() -> str:
    """Quart runs on asyncio."""
    return "asyncio"


def application(**config: Any) -> Quart:
    """An application over a store of its own."""
    app = Quart(__name__)
    app.config.update(SECRET_KEY=KEY, COATCHECK_STORE="memory://", COATCHECK_NAMESPACE=uuid.uuid4().hex)
    app.config.update(config)
    Coatcheck(app)

    @app.post("/login/<user>")
    async def login(user: str) -> str:
        session_from().login(user)
        return ""

    @app.get("/me")
    async def me() -> Response:
        return jsonify(user=session_from().user_id, fields=dict(session))

    return app


async def test_session_flash_and_permanent() -> None:
    """The same idioms as in Flask, over several requests of one client."""
    app = application()

    @app.get("/write")
    async def write() -> str:
        assert isinstance(session, FlaskSession)
        session["nested"] = {"list": [1]}
        session["nested"]["list"].append(2)
        session.permanent = True
        await flash("Saved")
        return str(session.new)

    @app.get("/read")
    async def read() -> Response:
        return jsonify(get_flashed_messages(), session["nested"], session.permanent, session.new)

    client = app.test_client()
    response = await client.get("/write")
    assert "Max-Age" in response.headers["Set-Cookie"]
    assert await (await client.get("/read")).get_json() == [["Saved"], {"list": [1, 2]}, True, False]


async def test_session_transaction_signs_in() -> None:
    """A test can write and use the verbs; what cannot be stored raises."""
    app = application()
    client = app.test_client()
    async with client.session_transaction() as found:
        assert isinstance(found, FlaskSession)
        found["cart"] = [1]
        found.login("ada")
    assert await (await client.get("/me")).get_json() == {"user": "ada", "fields": {"cart": [1]}}
    assert len(await manager_from(app).sessions("ada")) == 1


async def test_faults_are_answered_by_the_middleware_and_commit_nothing() -> None:
    """401 and 503 in plain words; the write of that request is dropped; an application's own handler goes first."""
    app, other = application(), application()

    async def view(what: str) -> str:
        session["a"] = 1
        raise StoreUnavailable("down") if what == "down" else ReauthenticationRequired("sign in again")

    async def mine(_: Exception) -> tuple[str, int]:
        return "mine", 401

    for one in (app, other):
        one.add_url_rule("/fail/<what>", "view", view)
    other.register_error_handler(ReauthenticationRequired, mine)
    client = app.test_client()
    down, again = await client.get("/fail/down"), await client.get("/fail/again")
    assert (down.status_code, again.status_code) == (503, 401)
    assert "Retry-After" in down.headers
    assert (await manager_from(app).stats()).sessions == 0
    assert await (await other.test_client().get("/fail/again")).get_data() == b"mine"


async def test_another_site_is_refused_and_a_template_has_the_token() -> None:
    """403 before the view; `COATCHECK_CSRF = "token"` also asks for the form's token."""
    app = application(COATCHECK_CSRF="token")

    @app.get("/form")
    async def form() -> str:
        return await render_template_string("{{ csrf_input() }}")

    @app.post("/")
    async def act() -> str:
        return "done"

    client = app.test_client()
    assert (await client.post("/login/ada", headers=ELSEWHERE)).status_code == 403
    await client.post("/login/ada")
    page = (await (await client.get("/form")).get_data(as_text=True)).partition('value="')[2]
    assert (await client.post("/", form={"a": "1"})).status_code == 403
    assert (await client.post("/", form={"_csrf": page.partition('"')[0]})).status_code == 200


async def test_a_websocket_has_the_session_and_writes_to_it() -> None:
    """The same session; what it writes is kept at its end, unless its handler fails; another site gets none."""
    app = application()

    @app.websocket("/ws/<what>")
    async def talk(what: str) -> None:
        await websocket.accept()
        session[what] = 1
        await websocket.send(session_from().user_id or "nobody")
        if what == "breaks":
            raise ZeroDivisionError

    client = app.test_client()
    await client.post("/login/ada")
    cookie = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in client.cookie_jar or ())}

    async def talked(what: str) -> None:
        async with client.websocket(f"/ws/{what}", headers=cookie) as line:
            assert await line.receive() == "ada"
            with pytest.raises(WebsocketDisconnectError):
                await line.receive()

    await talked("writes")
    with pytest.raises(ZeroDivisionError):
        await talked("breaks")
    with pytest.raises(WebsocketResponseError):
        async with client.websocket("/ws/writes", headers=cookie | ELSEWHERE) as line:
            await line.receive()
    assert (await (await client.get("/me")).get_json())["fields"] == {"writes": 1}


async def test_a_stream_commits_at_its_end() -> None:
    """A streamed body without `stream_with_context` too: the session is at hand as an object."""
    app = application()

    @app.post("/stream")
    async def stream() -> Response:
        found = session_from()

        async def body() -> AsyncIterator[str]:
            yield "started "
            found["late"] = 1

        return Response(body())

    client = app.test_client()
    await client.post("/login/ada")
    await client.post("/stream")
    assert (await (await client.get("/me")).get_json())["fields"] == {"late": 1}


async def test_settings_are_flasks_and_ours() -> None:
    """The same names; a default of Quart's is no wish; wrong ones are named at start-up."""
    manager = manager_from(application())
    assert (manager.cookie.settings, manager.policy) == (CookieSettings(), Policy(remember=False))
    app = application(SESSION_COOKIE_NAME="shop", PERMANENT_SESSION_LIFETIME=timedelta(hours=1))
    manager = manager_from(app)
    assert manager.cookie.settings == CookieSettings(name="shop")
    assert manager.policy.idle_timeout == timedelta(hours=1)
    with pytest.raises(ConfigurationError, match="COATCHECK_STORES"):
        application(COATCHECK_STORES="memory://")
    with pytest.raises(ConfigurationError, match="already"):
        Coatcheck(app)
    own = AsyncSessionManager("memory://")
    assert manager_from(_set_up(Coatcheck(manager=own))) is own
    app.session_interface = SecureCookieSessionInterface()
    with pytest.raises(ConfigurationError, match="two things"):
        await app.test_client().get("/me")


def _set_up(coatcheck: Coatcheck) -> Quart:
    app = Quart(__name__)
    coatcheck.init_app(app)
    return app


async def test_one_extension_serves_several_applications() -> None:
    """A factory's `init_app` is called once for each test: the earlier application goes on working."""
    coatcheck = Coatcheck(store="memory://", namespace=uuid.uuid4().hex)
    first, second = _set_up(coatcheck), _set_up(coatcheck)
    for app in (first, second):

        @app.get("/files/<name>")
        @ticket_gate()
        async def send(name: str) -> str:
            return f"{name} {ticket_from().claims['file']}"

        client = app.test_client()
        async with client.session_transaction() as found:
            assert isinstance(found, FlaskSession)
            found.login("ada")
        jwt = await manager_from(app).tickets.issue("download", {"file": "a.txt"}, session=found)
        response = await client.get(f"/files/a?ticket={jwt}")
        assert await response.get_data(as_text=True) == "a a.txt"
        assert (await client.get(f"/files/a?ticket={jwt}")).status_code == 410


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/files/a", ""),
        ("//files/a", ""),
        ("/files//a", ""),
        ("http://localhost/files/a", ""),
        ("/api/files/a", "/api"),
    ],
)
async def test_no_spelling_of_an_address_goes_past_the_gate(path: str, root: str) -> None:
    """Quart takes a second slash, a whole address and a `--root-path` for the same view: the gate is the view's."""
    app = application()

    @app.get("/files/<path:name>")
    @ticket_gate()
    async def send(name: str) -> str:
        return f"the secret {name}"

    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def keep(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": root,
        "headers": [(b"host", b"localhost")],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, keep)
    assert sent[0]["status"] in (308, 403, 404)
    assert b"secret" not in b"".join(message.get("body", b"") for message in sent)


async def test_an_excluded_path_has_no_session(caplog: pytest.LogCaptureFixture) -> None:
    """It reads as empty; a write says why not."""
    app = application(COATCHECK_EXCLUDE=["/static/"])

    @app.get("/static/<what>")
    async def asset(what: str) -> str:
        return str(session.get(what))

    @app.get("/static/write")
    async def write() -> str:
        session["a"] = 1
        return ""

    client = app.test_client()
    assert await (await client.get("/static/a")).get_data() == b"None"
    assert (await client.get("/static/write")).status_code == 500
    assert "COATCHECK_EXCLUDE" in caplog.text
