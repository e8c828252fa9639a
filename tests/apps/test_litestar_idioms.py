"""Litestar: what is its own. `clear_session`, `set_session`, guards, `SessionAuth`, exclusions, its test client."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar import asgi as asgi_handler
from litestar.di import NamedDependency, Provide
from litestar.exceptions import WebSocketDisconnect
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import FromPath
from litestar.response import Stream
from litestar.security.session_auth import SessionAuth
from litestar.testing import TestClient, create_test_client

from coatcheck import AsyncSessionManager, Session
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.integrations import asgi
from coatcheck.integrations.flask_session import FlaskSession
from coatcheck.integrations.litestar import (
    SessionConfig,
    manager_from,
    provide_session,
    provide_user_id,
    requires_fresh_login,
    requires_login,
    session_from,
    ticket_from,
    ticket_gate,
)
from coatcheck.offload import Inline
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FakeClock, log_in

KEY = "a key that guards nothing, for tests only"
AnyRequest = Request[Any, Any, Any]


def config(store: Any = None, **settings: Any) -> SessionConfig:
    """A new store each time."""
    front = {name: settings.pop(name) for name in ("exclude", "exclude_opt_key", "scopes", "csrf") if name in settings}
    manager = AsyncSessionManager(store or Inline(MemoryStore()), secret=KEY, **settings)
    return SessionConfig(manager, **front)


def client(sessions: SessionConfig, *handlers: Any, **settings: Any) -> TestClient[Litestar]:
    """Litestar's own test client."""
    return create_test_client(
        list(handlers),
        session_config=sessions,
        on_app_init=[sessions.on_app_init],
        raise_server_exceptions=False,
        **settings,
    )


@get("/me")
async def me(request: AnyRequest) -> dict[str, Any]:
    return {"user": session_from(request).user_id, "fields": dict(request.session)}


@post("/login/{user:str}")
async def login(request: AnyRequest, user: FromPath[str]) -> None:
    session_from(request).login(user)


@post("/write/{value:str}")
async def write(request: AnyRequest, value: FromPath[str]) -> None:
    request.session["value"] = value


# -- Litestar's verbs ----------------------------------------------------------------------------------------


@dataclass
class Basket:
    hats: list[str]


@pytest.mark.parametrize("how", ["clear", "empty", "clear and set"])
def test_clear_session_is_a_logout(how: str) -> None:
    """2: the session ends, its copies with it; what is set after it is a new session's."""

    @post("/out")
    async def out(request: AnyRequest) -> None:
        request.clear_session()
        if how == "clear and set":
            request.set_session({"flash": "bye"})
        if how == "empty":
            assert session_from(request).user_id is None

    sessions = config()
    with client(sessions, me, login, write, out) as browser:
        browser.post("/login/ada")
        browser.post("/write/1")
        copy = dict(browser.cookies)
        browser.post("/out")
        fields = {"flash": "bye"} if how == "clear and set" else {}
        assert browser.get("/me").json() == {"user": None, "fields": fields}
        browser.cookies.clear()
        browser.cookies.update(copy)
        assert browser.get("/me").json() == {"user": None, "fields": {}}


@pytest.mark.parametrize("value", [{"hats": ["felt"]}, Basket(["felt"])])
def test_set_session_gives_the_session_these_fields_alone(value: Any) -> None:
    """As with Litestar's own: a dict or a model. It is no login and no logout."""

    @post("/set")
    async def replace(request: AnyRequest) -> None:
        request.set_session(value)
        assert session_from(request) == {"hats": ["felt"]}
        request.session["more"] = True

    with client(config(), me, login, write, replace) as browser:
        browser.post("/login/ada")
        browser.post("/write/1")
        assert browser.post("/set").status_code == 201
        assert browser.get("/me").json() == {"user": "ada", "fields": {"hats": ["felt"], "more": True}}


def test_what_cannot_be_stored_is_an_error_and_a_logout_beside_it_happens() -> None:
    """16: 500, in place of a page that says that all went well."""

    @post("/bad")
    async def bad(request: AnyRequest) -> None:
        request.clear_session()
        request.set_session({"file": object()})

    with client(config(), me, login, bad) as browser:
        browser.post("/login/ada")
        copy = dict(browser.cookies)
        assert browser.post("/bad").status_code == 500
        browser.cookies.clear()
        assert browser.post("/bad").status_code == 500
        browser.cookies.update(copy)
        assert browser.get("/me").json()["user"] is None


def test_a_logout_after_the_response_has_started_happens() -> None:
    """16: in a streaming body, where no cookie can be dropped any more."""

    @post("/stream")
    async def stream(request: AnyRequest) -> Stream:
        async def body() -> AsyncIterator[str]:
            yield "started"
            request.clear_session()

        return Stream(body())

    with client(config(), me, login, stream) as browser:
        browser.post("/login/ada")
        assert browser.post("/stream").text == "started"
        assert browser.get("/me").json()["user"] is None


def test_the_session_id_is_the_handle_and_looking_at_it_is_none() -> None:
    """9: a name that may be logged, never the credential; and no Vary where nobody looked."""

    @get("/id")
    async def identity(request: AnyRequest) -> str | None:
        return request.get_session_id()

    with client(config(), login, identity) as browser:
        browser.post("/login/ada")
        response = browser.get("/id")
        assert response.text == browser.cookies["coatcheck-insecure"][:22]
        assert "vary" not in response.headers


# -- dependencies, guards, SessionAuth -----------------------------------------------------------------------


def test_guards_and_providers_know_who_is_logged_in() -> None:
    """401 for nobody, and for a sign-in that is too long ago."""
    clock = FakeClock()

    @get("/who", dependencies={"user_id": Provide(provide_user_id), "session": Provide(provide_session)})
    async def who(user_id: NamedDependency[str], session: NamedDependency[Session]) -> list[str | None]:
        return [user_id, session.user_id]

    @get("/guarded", guards=[requires_login])
    async def guarded() -> str:
        return "in"

    @get("/fresh", guards=[requires_fresh_login()])
    async def fresh() -> str:
        return "in"

    with client(config(clock=clock), login, who, guarded, fresh) as browser:
        assert [browser.get(path).status_code for path in ("/who", "/guarded", "/fresh")] == [401] * 3
        browser.post("/login/ada")
        assert browser.get("/who").json() == ["ada", "ada"]
        assert [browser.get(path).status_code for path in ("/guarded", "/fresh")] == [200] * 2
        clock.advance(601)
        assert [browser.get(path).status_code for path in ("/guarded", "/fresh")] == [200, 401]


@pytest.mark.parametrize("both", [True, False])
def test_session_auth_works_over_it(both: bool) -> None:
    """Also for a session without a field: it is not empty while somebody is logged in. Revoked, 401."""

    async def retrieve(session: Any, _: Any) -> str | None:
        return f"user {session.user_id}" if session.user_id else None

    @get("/secret")
    async def secret(request: AnyRequest) -> str:
        return str(request.user)

    @post("/in", exclude_from_auth=True)
    async def sign_in(request: AnyRequest) -> None:
        session_from(request).login("ada")

    sessions = config()
    auth = SessionAuth[Any, Any](retrieve_user_handler=retrieve, session_backend_config=sessions, exclude=["^/open"])
    hooks = [sessions.on_app_init, auth.on_app_init] if both else [auth.on_app_init]
    app = Litestar([secret, sign_in], on_app_init=hooks)
    with TestClient(app, session_config=sessions) as browser:
        assert browser.get("/secret").status_code == 401
        assert browser.post("/in").status_code == 201
        assert browser.get("/secret").text == "user ada"
        assert "sessionCookie" in browser.get("/schema/openapi.json").text
        browser.portal().__enter__().call(sessions.manager.revoke_user, "ada")
        assert browser.get("/secret").status_code == 401


def test_an_error_of_ours_that_a_handler_lets_through_is_answered() -> None:
    """11: 503 with Retry-After; an application's own handler of it goes first."""

    @get("/down")
    async def down() -> None:
        raise StoreUnavailable("gone", retry_after=7)

    with client(config(), down) as browser:
        response = browser.get("/down", headers={"accept": "text/html"})
        assert (response.status_code, response.headers["retry-after"]) == (503, "7")
        assert response.headers["content-type"].startswith("text/html")


# -- where there is none -------------------------------------------------------------------------------------


def test_exclusions_in_litestars_ways_have_no_session() -> None:
    """A pattern, a key in `opt`; and another site is refused there too."""

    @post("/static/x", status_code=200)
    async def static(request: AnyRequest) -> bool:
        return "session" in request.scope

    @post("/hook", skip_session=True, status_code=200)
    async def hook(request: AnyRequest) -> bool:
        return "session" in request.scope

    @post("/usual", status_code=200)
    async def usual(request: AnyRequest) -> bool:
        return "session" in request.scope

    with client(config(exclude="^/static"), static, hook, usual) as browser:
        assert [browser.post(path).json() for path in ("/static/x", "/hook", "/usual")] == [False, False, True]
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert [browser.post(path, headers=elsewhere).status_code for path in ("/hook", "/usual")] == [403, 403]


def test_two_session_middlewares_are_named() -> None:
    """The inner one's logout would be lost: at start-up, else at the first request."""
    own = ServerSideSessionConfig()
    with pytest.raises(ConfigurationError, match="take it out"):
        Litestar([me], middleware=[own.middleware], on_app_init=[config().on_app_init])
    sessions = config()
    with create_test_client(
        [me], middleware=[own.middleware, sessions.middleware], raise_server_exceptions=False
    ) as it:
        assert it.get("/me").status_code == 500
    with pytest.raises(ConfigurationError, match="belong to the manager"):
        SessionConfig(sessions.manager, store="memory://")
    with pytest.raises(ConfigurationError, match="no session here"):
        session_from({})


def test_a_shared_store_without_a_secret_shows_at_start_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the first login."""
    monkeypatch.delenv("COATCHECK_SECRET", raising=False)
    with pytest.raises(ConfigurationError, match="keygen"):
        Litestar([me], on_app_init=[SessionConfig(store="redis://127.0.0.1:1/0").on_app_init])


def test_our_middleware_around_litestar_is_named() -> None:
    """It would not see `clear_session()`: the first request says so, and nobody is left logged in unawares."""
    sessions = config()
    app = Litestar([me], on_app_init=[sessions.on_app_init], logging_config=None)
    wrapped = asgi.SessionMiddleware(cast("Any", app), sessions.manager)
    with TestClient(cast("Any", wrapped), raise_server_exceptions=False) as browser:
        assert browser.get("/me").status_code == 500


def test_the_gate_stands_before_an_asgi_handler_too() -> None:
    """13: a mount; the file goes out once, and a websocket there gets nothing."""

    @post("/ask")
    async def ask(request: AnyRequest) -> str:
        return await manager_from(request).tickets.issue("download", {}, session=session_from(request))

    @asgi_handler("/files", is_mount=True, copy_scope=True, middleware=[ticket_gate()])
    async def files(scope: Any, receive: Any, send: Any) -> None:
        assert ticket_from(scope).claims == {}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the file"})

    with client(config(), login, ask, files) as browser:
        browser.post("/login/ada")
        address = f"/files/a?ticket={browser.post('/ask').text}"
        assert browser.head(address).status_code == 200
        assert browser.get(address).text == "the file"
        assert browser.get(address).status_code == 410


# -- websockets ----------------------------------------------------------------------------------------------


def test_a_websocket_has_the_session_of_its_handshake() -> None:
    """14, 16: what it writes is kept at its end, a logout in it happens, an error drops its data; another site's
    page gets none."""

    @websocket("/ws")
    async def talk(socket: WebSocket[Any, Any, Any]) -> None:
        await socket.accept()
        await socket.send_text(str(session_from(socket).user_id))
        try:
            while word := await socket.receive_text():
                if word == "out":
                    socket.clear_session()
                elif word == "raise":
                    raise ZeroDivisionError
                else:
                    socket.session["word"] = word
                await socket.send_text(word)
        except WebSocketDisconnect:
            return

    def say(browser: TestClient[Litestar], *words: str) -> str:
        with browser.websocket_connect("/ws") as line:
            user = line.receive_text()
            for word in words:
                line.send_text(word)
                if word != "raise":
                    line.receive_text()
            if words[-1] == "raise":
                with pytest.raises(WebSocketDisconnect):
                    line.receive_text()
        return user

    with client(config(), me, login, talk) as browser:
        browser.post("/login/ada")
        assert say(browser, "hello") == "ada"
        assert browser.get("/me").json() == {"user": "ada", "fields": {"word": "hello"}}
        say(browser, "lost", "raise")
        assert browser.get("/me").json() == {"user": "ada", "fields": {"word": "hello"}}
        with (
            pytest.raises(WebSocketDisconnect),
            browser.websocket_connect("/ws", headers={"origin": "https://evil.example"}),
        ):
            pass
        say(browser, "out")
        assert browser.get("/me").json() == {"user": None, "fields": {}}


# -- the test client -----------------------------------------------------------------------------------------


def test_litestars_test_client_reads_and_writes_the_session() -> None:
    """`set_session_data` before a request, `get_session_data` after it; {} is the end of an anonymous one."""
    with client(config(), me, write) as browser:
        browser.set_session_data({"cart": [1]})
        assert browser.get("/me").json() == {"user": None, "fields": {"cart": [1]}}
        browser.post("/write/2")
        assert browser.get_session_data() == {"cart": [1], "value": "2"}
        browser.set_session_data({"cart": [3]})
        assert browser.get_session_data() == {"cart": [3]}
        browser.set_session_data({})
        assert browser.get_session_data() == {}


def test_a_test_client_is_logged_in_with_one_call() -> None:
    """`log_in`; with `user_field`, Litestar's own way is a login as well. Its session goes with a logout."""
    sessions = config(user_field="uid")

    @post("/out")
    async def out(request: AnyRequest) -> None:
        request.clear_session()

    with client(sessions, me, out) as browser:
        handle = log_in(browser, "ada", sessions.manager, theme="dark")
        assert browser.get("/me").json() == {"user": "ada", "fields": {"theme": "dark"}}
        assert handle
        browser.cookies.clear()
        browser.set_session_data({"uid": 7})
        assert browser.get("/me").json() == {"user": "7", "fields": {"uid": 7}}
        browser.post("/out")
        assert browser.get_session_data() == {}


def test_the_manager_is_found_from_a_request_and_from_the_application() -> None:
    """And a manager that was made here ends with the application."""

    @get("/same")
    async def same(request: AnyRequest) -> bool:
        return manager_from(request) is manager_from(request.app)

    sessions = SessionConfig(store="memory://", namespace=secrets.token_hex(6), secret=KEY)
    with client(sessions, same) as browser:
        assert browser.get("/same").json() is True
        assert manager_from(browser.app) is sessions.manager


def test_the_middleware_may_stand_on_one_layer_alone() -> None:
    """As Litestar's own may: a handler without it has no session."""
    sessions = config()

    @get("/with", middleware=[sessions.middleware])
    async def having(request: AnyRequest) -> int:
        request.session["visits"] = request.session.get("visits", 0) + 1
        return int(request.session["visits"])

    @get("/without")
    async def without(request: AnyRequest) -> bool:
        return "session" in request.scope

    with create_test_client([having, without], session_config=sessions) as browser:
        assert [browser.get("/with").json() for _ in range(2)] == [1, 2]
        assert browser.get("/without").json() is False


def test_a_request_that_we_refuse_for_its_handler_stores_nothing() -> None:
    """A ticket that is none: the answer is 403, and what the handler wrote before is not kept."""

    @post("/write", status_code=200)
    async def write(request: Request[Any, Any, Any]) -> str:
        request.session["seen"] = True
        return "ok"

    @post("/buy", status_code=200)
    async def buy(request: Request[Any, Any, Any]) -> str:
        request.session["bought"] = True
        await manager_from(request).tickets.redeem("garbage", "pay", session=session_from(request))
        return "never"

    @get("/fields")
    async def fields(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return dict(request.session)

    with client(config(), write, buy, fields) as browser:
        browser.post("/write")
        assert browser.post("/buy").status_code == 403
        assert browser.get("/fields").json() == {"seen": True}


def test_a_manager_of_another_frameworks_sessions_is_refused() -> None:
    """Flask's are false while they hold no field, and `SessionAuth` would sign their users out."""
    manager = AsyncSessionManager("memory://", secret=secrets.token_hex(32))
    manager.engine.adopt(FlaskSession)
    with pytest.raises(ConfigurationError, match="a manager of its own"):
        Litestar([], on_app_init=[SessionConfig(manager).on_app_init])
