"""The WSGI middleware keeps PEP 3333 on both of its sides, and commits at the right moment."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.errors import CoatcheckError, ConfigurationError, SessionDataError, StoreUnavailable
from coatcheck.integrations.wsgi import SessionMiddleware, manager_from, session_from
from tests.integrations.wsgi_server import TEXT, Serving

App = Callable[[Any, Any], Iterable[bytes]]


def answering(act: Callable[[Any], object], status: str = "200 OK") -> App:
    """An application that does something with its session, and answers with a list."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        act(session_from(environ))
        start_response(status, list(TEXT))
        return [b"ok"]

    return app


def put(name: str = "cart", value: Any = 1) -> Callable[[Any], object]:
    """Write a field."""
    return lambda session: session.update({name: value})


# -- the forms that a response has ---------------------------------------------------------------------------


def as_list(environ: Any, start_response: Any) -> Iterable[bytes]:
    session_from(environ)["cart"] = 1
    start_response("200 OK", list(TEXT))
    return [b"one ", b"two"]


def as_generator(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", list(TEXT))
    yield b""
    session_from(environ)["cart"] = 1
    yield b""
    yield b"one "
    yield b""
    yield b"two"


def as_late_start(environ: Any, start_response: Any) -> Iterable[bytes]:
    session_from(environ)["cart"] = 1
    start_response("200 OK", list(TEXT))
    yield b"one "
    yield b"two"


def as_write(environ: Any, start_response: Any) -> Iterable[bytes]:
    write = start_response("200 OK", list(TEXT))
    write(b"")
    session_from(environ)["cart"] = 1
    write(b"one ")
    return [b"two"]


def as_file(environ: Any, start_response: Any) -> Iterable[bytes]:
    session_from(environ)["cart"] = 1
    start_response("200 OK", list(TEXT))
    file: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"one two"))
    return file


FORMS = [as_list, as_generator, as_late_start, as_write, as_file]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("check", [True, False])
def test_every_form_of_response_is_committed_before_its_headers(form: App, check: bool) -> None:
    """A client that has the cookie finds its session, however the application answers, and PEP 3333 is kept."""
    serving = Serving(form, check=check)
    answer = serving.ask()
    assert (answer.status, answer.body) == (200, b"one two")
    assert serving.diary == ["create", "start 200"]
    assert serving.fields(answer.token or "") == {"cart": 1}
    assert answer.all("cache-control") == ["no-store"]
    assert answer.all("vary") == ["Cookie"]


@pytest.mark.parametrize("form", [as_list, as_file])
def test_what_is_whole_goes_to_the_server_as_it_is(form: App) -> None:
    """A server knows the length of a list of one, and sends a file by the kernel if it is its own wrapper."""
    serving = Serving(form, check=False)
    serving.ask()
    assert type(serving.served) is (list if form is as_list else FileWrapper)


@pytest.mark.parametrize("whole", [True, False])
def test_a_response_without_a_body_is_committed_too(whole: bool) -> None:
    """A redirect after a login has no byte that could start it."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        session_from(environ).login("ada")
        start_response("303 See Other", [*TEXT, ("Location", "/")])
        return [] if whole else iter([b"", b""])

    serving = Serving(app)
    answer = serving.ask()
    assert (answer.status, answer.body) == (303, b"")
    assert serving.manager.load(answer.token).user_id == "ada"


def test_head_commits_and_has_the_cookie() -> None:
    """An application may answer HEAD itself."""
    serving = Serving(as_list)
    assert serving.fields(serving.ask("HEAD").token or "") == {"cart": 1}


# -- what the application takes back -------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False])
def test_a_success_that_is_taken_back_commits_nothing(whole: bool) -> None:
    """16: start_response with exc_info, before a byte: what goes out is the failure, and that decides."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        session_from(environ)["cart"] = 2
        start_response("200 OK", [*TEXT, ("X-Taken", "back")])
        try:
            int("x")
        except ValueError:
            start_response("500 Oh", list(TEXT), sys.exc_info())
        return [b"sorry"] if whole else iter([b"", b"sorry"])

    serving = Serving(app)
    token = serving.signed_in(cart=1)
    answer = serving.ask(token=token)
    assert (answer.status, answer.body, answer.token, answer.all("x-taken")) == (500, b"sorry", None, [])
    assert serving.fields(token) == {"cart": 1}


def test_after_a_byte_it_cannot_be_taken_back() -> None:
    """PEP 3333: the server, not the application, deals with that error; nothing more is committed."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", list(TEXT))
        yield b"one"
        session_from(environ)["cart"] = 2
        try:
            int("x")
        except ValueError:
            start_response("500 Oh", list(TEXT), sys.exc_info())
        yield b"never"

    serving = Serving(app)
    token = serving.signed_in(cart=1)
    with pytest.raises(ValueError, match="invalid literal"):
        serving.ask(token=token)
    assert serving.fields(token) == {"cart": 1}


@pytest.mark.parametrize("mistake", ["twice", "never"])
def test_a_response_that_starts_twice_or_never_is_the_applications_mistake(mistake: str) -> None:
    """PEP 3333 calls it a fatal error; it commits nothing."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        session_from(environ)["cart"] = 2
        if mistake == "twice":
            start_response("200 OK", list(TEXT))
            start_response("200 OK", list(TEXT))
        return [b"x"]

    serving = Serving(app, check=False)
    token = serving.signed_in(cart=1)
    with pytest.raises(AssertionError, match="start_response"):
        serving.ask(token=token)
    assert serving.fields(token) == {"cart": 1}


# -- requests that fail --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["call", "first piece", "later piece", "close"])
@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_an_exception_commits_nothing_but_an_end(where: str, error: type[BaseException]) -> None:
    """16: wherever it is raised, it goes to the server; a logout in the same request happens."""

    class Body:
        def __init__(self, act: Callable[[], object]) -> None:
            self.act, self.count = act, 0

        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            self.count += 1
            if where == ("first piece", "later piece")[min(self.count, 2) - 1]:
                self.act()
                raise error
            if self.count > 2:
                raise StopIteration
            return b"x"

        def close(self) -> None:
            if where == "close":
                raise error

    def app_of(act: Callable[[Any], object]) -> App:
        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", list(TEXT))
            if where == "call":
                act(session_from(environ))
                raise error
            return Body(lambda: act(session_from(environ)))

        return app

    serving = Serving(app_of(put(value=2)), check=False)
    token = serving.signed_in(cart=1)
    with pytest.raises(error):
        serving.ask(token=token)
    assert serving.fields(token) == {"cart": 1}
    if where != "close":
        serving = Serving(app_of(lambda session: session.logout()), check=False)
        token = serving.signed_in()
        with pytest.raises(error):
            serving.ask(token=token)
        assert serving.fields(token) is None


def test_a_client_that_goes_before_the_first_byte_commits_nothing() -> None:
    """16: no response has started; the server closes the body, and a logout in it happens."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        session = session_from(environ)
        session["cart"] = 2
        if environ["PATH_INFO"] == "/out":
            session.logout()
        start_response("200 OK", list(TEXT))
        return iter([b"x"])

    serving = Serving(app, check=False)
    token = serving.signed_in(cart=1)
    for path, left in (("/", {"cart": 1}), ("/out", None)):
        environ = {"wsgi.input": io.BytesIO(), "wsgi.url_scheme": "https", "REQUEST_METHOD": "GET", "PATH_INFO": path}
        body: Any = serving.middleware(environ | {"HTTP_COOKIE": f"__Host-coatcheck={token}"}, lambda *_: print)
        body.close()
        assert serving.fields(token) == left


def test_a_value_that_cannot_be_stored_is_the_servers_error_page() -> None:
    """10: raised before the headers: the server, or whatever reports errors, sees the traceback."""
    serving = Serving(answering(lambda session: session.setdefault("list", []).append(object())))
    with pytest.raises(SessionDataError, match="list"):
        serving.ask(token=serving.signed_in())
    assert "start 200" not in serving.diary


# -- after the response has started --------------------------------------------------------------------------


def streaming(act: Callable[[Any], object], first: Callable[[Any], object] = len) -> App:
    """An application that does something between two pieces of its body."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        session = session_from(environ)
        first(session)
        start_response("200 OK", list(TEXT))
        yield b"one"
        act(session)
        yield b"two"

    return app


@pytest.mark.parametrize("take", [None, 2])
def test_what_a_body_writes_is_committed_when_the_server_closes_it(take: int | None) -> None:
    """16: also when the client has gone before the end."""
    serving = Serving(streaming(put("late")))
    token = serving.signed_in(cart=1)
    serving.ask(token=token, take=take)
    assert serving.fields(token) == {"cart": 1, "late": 1}


def test_what_write_leaves_behind_is_committed() -> None:
    """16: the application still runs after its first byte, though it returns a list."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", list(TEXT))(b"one")
        session_from(environ)["late"] = 1
        return []

    serving = Serving(app, check=False)
    token = serving.signed_in()
    assert serving.ask(token=token).body == b"one"
    assert serving.fields(token) == {"late": 1}


def test_a_visitor_gets_no_session_from_a_stream() -> None:
    """8: no cookie can carry it any more, so there is no row; the event says so."""
    serving = Serving(streaming(put()))
    assert serving.ask().token is None
    assert serving.manager.stats().sessions == 0
    assert [event.name for event in serving.events] == ["late_write"]


def test_login_and_rotate_come_before_the_first_byte() -> None:
    """16: they raise at once, where the mistake is; a logout works."""
    for verb in (lambda session: session.login("7"), lambda session: session.rotate()):
        serving = Serving(streaming(verb))
        with pytest.raises(CoatcheckError, match="before the first byte"):
            serving.ask(token=serving.signed_in())
    serving = Serving(streaming(lambda session: session.logout()))
    token = serving.signed_in()
    serving.ask(token=token)
    assert serving.fields(token) is None


def test_a_late_write_to_an_ended_session_is_only_told() -> None:
    """2: the response goes out without a cookie, in a stream too; never a 500."""
    serving: Serving

    def end(session: Any) -> None:
        serving.manager.revoke(session.handle)
        session["cart"] = 2

    for app in (answering(end), streaming(end)):
        serving = Serving(app)
        token = serving.signed_in(cart=1)
        answer = serving.ask(token=token)
        assert (answer.status, answer.token) == (200, None)
        assert serving.fields(token) is None
        assert "late_write" in [event.name for event in serving.events]


# -- a store that is down ------------------------------------------------------------------------------------


def test_a_store_that_is_down_is_503_before_the_application() -> None:
    """11: with Retry-After, and the cookie kept; what is public is served to a visitor, and can store nothing."""
    serving = Serving(answering(put()), public_paths=["/public"])
    token = serving.signed_in()
    serving.store.down = {"load"}
    answer = serving.ask(token=token, accept="text/html")
    assert (answer.status, answer.token) == (503, None)
    assert answer.all("retry-after") != []
    assert b"you are not signed out" in answer.body
    assert serving.ask("HEAD", token=token).body == b""
    assert serving.ask(path="/public", token=token).status == 503
    serving.store.down = set()
    assert serving.fields(token) == {}


@pytest.mark.parametrize("form", FORMS)
def test_a_store_that_is_down_at_the_commit_is_503_in_place_of_the_response(form: App) -> None:
    """11: not a byte of it goes out, its body is closed, and nothing is tried again after the answer."""
    serving = Serving(form)
    serving.store.down = {"create"}
    answer = serving.ask()
    assert (answer.status, answer.token) == (503, None)
    assert b"Nothing was changed" in answer.body
    assert b"one" not in answer.body
    assert serving.diary == ["create", "start 503"]


def test_a_store_that_goes_down_in_a_stream_is_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """There is nobody left to tell: close() does not raise."""
    serving = Serving(streaming(put("late")))
    token = serving.signed_in()
    serving.store.down = {"commit"}
    assert serving.ask(token=token).body == b"onetwo"
    assert "is lost" in caplog.text


@pytest.mark.parametrize("lazily", [False, True])
def test_the_applications_own_call_that_meets_a_store_that_is_down_is_503(lazily: bool) -> None:
    """11: a page that lists devices, say; before its response starts."""

    def page(environ: Any, start_response: Any) -> Iterator[bytes]:
        session_from(environ)
        if environ["PATH_INFO"] == "/":
            raise StoreUnavailable("down")
        start_response("200 OK", list(TEXT))
        yield b"x"

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        pages = page(environ, start_response)
        return pages if lazily else [next(iter(pages))]

    assert Serving(app, check=False).ask().status == 503


def test_a_login_that_a_revocation_overtook_is_401() -> None:
    """4: in place of the application's response."""
    serving: Serving

    def act(session: Any) -> None:
        serving.clock.advance(1)
        serving.manager.revoke_user("ada")
        session.login("ada")

    serving = Serving(answering(act))
    answer = serving.ask()
    assert (answer.status, answer.token) == (401, None)


# -- settings ------------------------------------------------------------------------------------------------


def test_other_sites_are_refused_and_exempt_and_excluded_paths_are_not() -> None:
    """14: the raw path counts; a path without a session says so when asked for one."""
    elsewhere: dict[str, Any] = {"sec_fetch_site": "cross-site", "origin": "https://evil.example"}
    serving = Serving(answering(put()), csrf_exempt=["/hook"], exclude=["/static/"])
    assert serving.ask("POST", **elsewhere).status == 403
    assert serving.ask("POST", "/hook", **elsewhere).status == 200
    assert serving.ask("POST", "/hook/../x", **elsewhere).status == 403
    with pytest.raises(ConfigurationError, match="exclude"):
        serving.ask(path="/static/x")
    assert serving.ask("DELETE", **elsewhere).body != b""
    assert Serving(answering(put()), csrf="report").ask("POST", **elsewhere).status == 200


def test_a_client_without_a_cookie_jar_gets_its_token_in_a_header() -> None:
    """`header`: no cookie then, and the cookie that comes along is ignored."""
    serving = Serving(answering(put()), header="X-Session")
    answer = serving.ask(x_session="")
    [token] = answer.all("x-session")
    assert answer.token is None
    assert serving.fields(token) == {"cart": 1}
    assert serving.ask(token=token, x_session="").all("x-session") != [token]


def test_of_two_around_each_other_the_inner_one_does_nothing() -> None:
    """With other settings it says so, before anybody relies on them."""
    serving = Serving(as_list, check=False)
    serving.middleware.app = SessionMiddleware(as_list, serving.manager)
    assert serving.ask().status == 200
    assert serving.diary == ["create", "start 200"]
    serving.middleware.app = SessionMiddleware(as_list, serving.manager, csrf="token")
    with pytest.raises(ConfigurationError, match="outer one's csrf="):
        serving.ask()


def test_wrong_settings_are_named_at_start_up() -> None:
    """Each with its remedy."""
    manager = SessionManager("memory://")
    with pytest.raises(ConfigurationError, match="namespace"):
        SessionMiddleware(as_list, manager, namespace="x")
    with pytest.raises(ConfigurationError, match="SessionManager, not AsyncSessionManager"):
        SessionMiddleware(as_list, AsyncSessionManager("memory://"))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="csrf"):
        SessionMiddleware(as_list, manager, csrf="on")  # type: ignore[arg-type]


def test_the_manager_is_found_from_a_request_or_an_application() -> None:
    """Also through layers that keep what they wrap as `app` or `wsgi_app`."""
    serving = Serving(as_list)
    serving.ask()
    middleware = serving.middleware
    layer = type("Layer", (), {"wsgi_app": type("Layer", (), {"app": middleware})()})()
    request = type("Request", (), {"environ": serving.environ, "app": None})()
    for place in (serving.environ, request, middleware, layer):
        assert manager_from(place) is serving.manager
    for nothing in ({}, None, as_list, {"wsgi.input": None}):
        with pytest.raises(ConfigurationError, match="wrap the application"):
            manager_from(nothing)
        with pytest.raises(ConfigurationError, match="wrap the application"):
            session_from(nothing)


ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/",
    "HTTP_HOST": "app.example",
    "wsgi.url_scheme": "https",
    "wsgi.input": io.BytesIO(),
}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("csrf_exempt", ["/pay"]),
        ("trusted_origins", ["https://b.example"]),
        ("exclude", ["/x"]),
        ("header", "X-Session"),
    ],
)
def test_a_stricter_middleware_inside_is_not_passed_over_in_silence(setting: str, value: Any) -> None:
    """Whatever the outer one lets through."""
    serving = Serving(as_list, check=False)
    inner = SessionMiddleware(as_list, serving.manager)
    settings: dict[str, Any] = {setting: value}
    with pytest.raises(ConfigurationError, match=f"outer one's {setting}="):
        SessionMiddleware(inner, serving.manager, **settings)({**ENVIRON}, lambda *_: print)


def test_another_sites_websocket_is_refused() -> None:
    """A handshake is a GET, and acts with the cookie: some WSGI servers let an application open one."""

    def ask(**headers: str) -> list[str]:
        statuses: list[str] = []
        middleware = SessionMiddleware(
            as_list, SessionManager("memory://", secret="correct horse battery staple of handshakes")
        )

        def start(status: str, *_: Any) -> Any:
            statuses.append(status)
            return print

        middleware(ENVIRON | headers, start)
        return statuses

    handshake = {"HTTP_UPGRADE": "WebSocket", "HTTP_ORIGIN": "https://evil.example"}
    assert ask(**handshake) == ["403 Forbidden"]
    assert ask(**handshake | {"HTTP_ORIGIN": "https://app.example"}) == ["200 OK"]
